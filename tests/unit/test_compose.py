"""deploy/compose.yaml: what it mounts and builds is there, its settings exist, and its containers are locked
down."""

from pathlib import Path
from typing import Any

import yaml

from shared.settings import Settings, variable_of

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"].startswith("steno-")}


def test_what_it_mounts_and_builds_is_there() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            if (source := volume.split(":")[0]).startswith("."):
                assert (DEPLOY / source).exists(), source
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
        assert ":" in service["image"]
    built = {service["image"] for service in OURS.values() if "build" in service}
    assert {service["image"] for service in OURS.values()} == built


def test_its_settings_exist() -> None:
    known = {variable_of(name) for name in Settings.model_fields}
    for service in OURS.values():
        assert {name for name in service["environment"] if not name.startswith("AWS_")} <= known


def test_steno_runs_without_rights_and_has_time_to_drain() -> None:
    for name, service in OURS.items():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        drain_s = float(service["environment"].get("STENO_DRAIN_S", 0))
        assert float(service["stop_grace_period"].removesuffix("s")) >= drain_s + 10, name


def test_only_the_edge_is_published_and_on_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"edge", "prometheus", "grafana"}
    assert all("127.0.0.1:" in port for ports in published.values() for port in ports)


def test_prometheus_finds_the_processes() -> None:
    jobs = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())["scrape_configs"]
    names = {name for job in jobs for config in job["dns_sd_configs"] for name in config["names"]}
    assert names == {"edge", "worker", "worker-gpu"}
    assert names <= set(SERVICES)


def test_a_gpu_gets_the_large_model_unless_another_is_named() -> None:
    arguments = SERVICES["worker-gpu"]["build"]["args"]
    assert arguments["MODEL"] == "${STENO_MODEL:-large-v3-turbo}"
    assert (arguments["DEVICE"], SERVICES["worker-gpu"]["environment"]["STENO_DEVICE"]) == ("cuda", "cuda")
    assert SERVICES["worker"]["build"]["args"]["MODEL"] == "${STENO_MODEL:-base}"
