"""deploy/compose.yaml: what it mounts and builds is there, its settings exist, and its containers are locked
down. deploy/compose.storage.yaml: the bucket that it starts is the one that is used."""

import re
from pathlib import Path
from typing import Any

import yaml

from api.tenants import Allowance, parse_allowances
from shared.secret_files import variable_of
from shared.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
STORAGE: dict[str, dict[str, Any]] = yaml.safe_load((DEPLOY / "compose.storage.yaml").read_text())["services"]
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


def test_tenants_are_followed_and_bound_by_nothing_at_first() -> None:
    edge = SERVICES["edge"]
    (mount,) = (volume for volume in edge["volumes"] if volume.startswith("./tenants:"))
    source, target, mode = mount.split(":")
    file = DEPLOY / source / Path(edge["environment"]["STENO_TENANTS_FILE"]).relative_to(target)
    assert mode == "ro"
    assert parse_allowances(file.read_text(), Allowance()).of("acme") == Allowance()
    # What it shows in comments can be taken as it is.
    shown = re.sub(r"^# (?=\[|\w+ = )", "", file.read_text().replace("\n[default]\n", ""), flags=re.MULTILINE)
    assert parse_allowances(shown, Allowance()).of("acme").sessions > 0


def test_the_bucket_that_is_made_is_the_one_that_is_used() -> None:
    server = STORAGE["storage"]
    told = dict(part.lstrip("-").split("=") for part in server["command"][1:])
    assert not server["image"].endswith(":latest")
    assert "ports" not in server
    for name in ("edge", "job-worker", "job-worker-gpu"):
        assert name in SERVICES
        environment = STORAGE[name]["environment"]
        assert environment["STENO_STORAGE_URL"].split("/")[2] == told["bucket"]
        assert environment["AWS_ENDPOINT_URL"] == f"http://storage:{told['s3.port']}"
        assert set(server["environment"].items()) <= set(environment.items())
        assert STORAGE[name]["depends_on"].keys() == {"storage", *SERVICES[name]["depends_on"]}
    built = {name for name, service in OURS.items() if "build" in service}
    assert built == {name for name, service in STORAGE.items() if "s3" in str(service.get("build"))}


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
    assert (arguments["CUDA"], SERVICES["worker-gpu"]["environment"]["STENO_DEVICE"]) == ("1", "cuda")
    assert SERVICES["worker"]["build"]["args"]["MODEL"] == "${STENO_MODEL:-base}"
