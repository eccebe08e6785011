"""The Kubernetes manifests, rendered: what every pod must have, and that numbers which belong together
agree."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.settings import Settings, variable_of

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
