"""The Kubernetes manifests, rendered: what every pod must have, and that numbers which belong together
agree."""

import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.__main__ import DRAIN_S, PING_S
from shared.secret_files import variable_of
from shared.settings import Settings

ROOT = Path(__file__).parents[2] / "deploy" / "kubernetes"
OVERLAYS = ("single-gpu", "fleet")
_STOP_S = 10
"""Of a worker, beside the time that it waits for endpoints."""

pytestmark = pytest.mark.skipif(
    not shutil.which("kubectl"), reason="no kubectl here to render the manifests with"
)


@cache
def rendered(overlay: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["kubectl", "kustomize", str(ROOT / "overlays" / overlay)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def of_kind(overlay: str, *kinds: str) -> dict[str, dict[str, Any]]:
    return {d["metadata"]["name"]: d for d in rendered(overlay) if d["kind"] in kinds}


def pods(overlay: str) -> dict[str, dict[str, Any]]:
    found = of_kind(overlay, "Deployment", "StatefulSet")
    return {name: document["spec"]["template"]["spec"] for name, document in found.items()}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_locked_down_and_says_what_it_needs(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        for container in pod["containers"]:
            own = container["securityContext"]
            assert own["readOnlyRootFilesystem"] is True, name
            assert own["allowPrivilegeEscalation"] is False
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert ":" in container["image"]
            assert not container["image"].endswith(":latest")
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]
            mounts = {mount["name"] for mount in container["volumeMounts"]}
            claimed = {
                c["metadata"]["name"]
                for c in of_kind(overlay, "StatefulSet")
                .get(name, {})
                .get("spec", {})
                .get("volumeClaimTemplates", [])
            }
            assert mounts <= {volume["name"] for volume in pod["volumes"]} | claimed


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_worker_has_time_to_drain(overlay: str) -> None:
    (settings,) = (s["data"] for n, s in of_kind(overlay, "ConfigMap").items() if n == "steno-settings")
    grace_s = pods(overlay)["worker"]["terminationGracePeriodSeconds"]
    assert grace_s >= float(settings["STENO_DRAIN_S"]) + _STOP_S


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_edge_and_a_job_worker_have_time_to_stop(overlay: str) -> None:
    edge = pods(overlay)["edge"]
    (waits_s,) = re.findall(
        r"sleep\((\d+)\)", " ".join(_container(edge)["lifecycle"]["preStop"]["exec"]["command"])
    )
    assert edge["terminationGracePeriodSeconds"] >= int(waits_s) + DRAIN_S + _STOP_S
    # It ends at the next window; a window is some seconds of work for a device.
    assert pods(overlay)["job-worker"]["terminationGracePeriodSeconds"] >= 3 * _STOP_S


def _container(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    return container


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_files_that_settings_name_are_mounted(overlay: str) -> None:
    for name, pod in pods(overlay).items():
        places = {mount["mountPath"] for mount in _container(pod)["volumeMounts"]}
        files = {e["value"] for e in _container(pod).get("env", []) if e["name"].endswith("_FILE")}
        if name == "edge":
            assert {Path(file).name for file in files} == {"api-keys", "token-secret", "tenants.toml"}
        assert {str(Path(file).parent) for file in files} <= places, name
    # By a name that does not change, and not by a path in the volume, which would never change.
    assert "tenants.toml" in of_kind(overlay, "ConfigMap")["steno-tenants"]["data"]
    assert not [
        m for pod in pods(overlay).values() for m in _container(pod)["volumeMounts"] if "subPath" in m
    ]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_sockets_that_are_silent_stay_open(overlay: str) -> None:
    annotations = of_kind(overlay, "Ingress")["steno"]["metadata"]["annotations"]
    for name in ("proxy-read-timeout", "proxy-send-timeout"):
        assert float(annotations[f"nginx.ingress.kubernetes.io/{name}"]) > 10 * PING_S
    assert annotations["nginx.ingress.kubernetes.io/proxy-buffering"] == "off"


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_probes_ask_what_each_process_knows(overlay: str) -> None:
    for name, ready in (("edge", "/readyz?room=false"), ("worker", "/readyz")):
        container = _container(pods(overlay)[name])
        assert container["readinessProbe"]["httpGet"]["path"] == ready
        assert container["livenessProbe"]["httpGet"]["path"] == "/healthz", (
            "a restart mends no outage elsewhere"
        )
        assert {"periodSeconds", "failureThreshold"} <= set(container["startupProbe"])


def test_a_fleet_has_many_of_each_on_many_nodes() -> None:
    fleet = "fleet"
    assert set(of_kind(fleet, "PodDisruptionBudget")) == {"edge", "worker"}
    for name in ("edge", "worker"):
        (spread,) = pods(fleet)[name]["topologySpreadConstraints"]
        assert spread["topologyKey"] == "kubernetes.io/hostname"
    (scaled,) = of_kind(fleet, "ScaledObject").values()
    queries = {trigger["name"]: trigger["metadata"]["query"] for trigger in scaled["spec"]["triggers"]}
    assert "steno_oldest_unserved_seconds" in queries["oldest-unserved"]
    assert "steno_workers_free_sessions" in queries["room"]
    assert not [query for query in queries.values() if "cpu" in query]
    (edges,) = of_kind(fleet, "HorizontalPodAutoscaler").values()
    assert edges["spec"]["scaleTargetRef"]["name"] == "edge"
    monitored = {
        tuple(monitor["spec"]["selector"]["matchLabels"].values())
        for monitor in of_kind(fleet, "ServiceMonitor", "PodMonitor").values()
    }
    assert monitored == {("edge",), ("worker",)}
    (rules,) = of_kind(fleet, "PrometheusRule").values()
    assert rules["spec"] == yaml.safe_load((ROOT.parent / "prometheus/alerts.yaml").read_text())


def test_nobody_is_reached_but_where_a_policy_says() -> None:
    policies = of_kind("single-gpu", "NetworkPolicy")
    assert policies["deny-all-in"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress"]}
    opened = {
        name: {port["port"] for rule in policy["spec"].get("ingress", []) for port in rule["ports"]}
        for name, policy in policies.items()
    }
    assert opened == {
        "deny-all-in": set(),
        "edge": {8000},
        "worker": {9100},
        "job-worker": set(),
        "valkey": {6379},
    }
    assert "Egress" in policies["worker"]["spec"]["policyTypes"]


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_settings_are_those_that_exist(overlay: str) -> None:
    known = {variable_of(name) for name in Settings.model_fields}
    known |= {f"{name}_FILE" for name in known}
    names = {
        key for s in of_kind(overlay, "ConfigMap").values() for key in s["data"] if key.startswith("STENO_")
    }
    for pod in pods(overlay).values():
        names |= {entry["name"] for container in pod["containers"] for entry in container.get("env", [])}
    assert names
    assert names <= known


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_what_is_referred_to_is_there(overlay: str) -> None:
    labels = [
        d["spec"]["template"]["metadata"]["labels"]
        for d in of_kind(overlay, "Deployment", "StatefulSet").values()
    ]
    for document in of_kind(overlay, "Service", "PodDisruptionBudget", "NetworkPolicy").values():
        spec = document["spec"]
        selector = spec.get("podSelector", spec.get("selector"))
        wanted = selector.get("matchLabels", selector if document["kind"] == "Service" else {})
        assert any(wanted.items() <= own.items() for own in labels), document["metadata"]["name"]
    maps, claims = of_kind(overlay, "ConfigMap"), of_kind(overlay, "PersistentVolumeClaim")
    for pod in pods(overlay).values():
        for volume in pod["volumes"]:
            assert volume.get("configMap", {}).get("name", "valkey-configuration") in {
                *maps,
                "valkey-configuration",
            }
            if "persistentVolumeClaim" in volume:
                assert volume["persistentVolumeClaim"]["claimName"] in claims
    for document in of_kind(overlay, "ScaledObject", "HorizontalPodAutoscaler").values():
        target = of_kind(overlay, "Deployment")[document["spec"]["scaleTargetRef"]["name"]]
        assert "replicas" not in target["spec"]
    assert not {"steno"} & set(of_kind(overlay, "Service")), "a Service called steno sets STENO_PORT in pods"


def test_gpus_are_asked_for() -> None:
    for overlay in OVERLAYS:
        (container,) = pods(overlay)["worker"]["containers"]
        assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
        assert container["resources"]["requests"]["nvidia.com/gpu"] == "1"
        assert {"name": "STENO_DEVICE", "value": "cuda"} in container["env"]
    assert json.dumps(rendered("fleet")).count("STENO_SHARDS") == 1
