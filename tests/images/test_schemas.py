"""The Kubernetes manifests against Kubernetes' own schemas, by a tool in an environment of its own (make
test-images)."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VALIDATE = ROOT / ".venv-images" / "bin" / "kubernetes-validate"
VERSIONS = ("1.30", "1.34")
OF_OPERATORS = ("ScaledObject", "ServiceMonitor", "PodMonitor", "PrometheusRule")
"""Kinds that Kubernetes itself does not know."""

pytestmark = pytest.mark.images


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", ["single-gpu", "fleet"])
def test_every_object_is_what_kubernetes_takes(overlay: str, version: str, tmp_path: Path) -> None:
    if not (shutil.which("kubectl") and VALIDATE.exists()):
        pytest.skip("no kubectl to render with, or no kubernetes-validate: use make test-images")
    folder = str(ROOT / "deploy/kubernetes/overlays" / overlay)
    text = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=True).stdout
    objects = [o for o in text.split("\n---\n") if not any(f"kind: {kind}\n" in o for kind in OF_OPERATORS)]
    assert len(objects) > 10
    file = tmp_path / "objects.yaml"
    file.write_text("\n---\n".join(objects))
    done = validate(file, version)
    assert done.returncode == 0, done.stdout + done.stderr
    file.write_text("\n---\n".join(objects).replace("enableServiceLinks", "enableServiceLnks"))
    assert validate(file, version).returncode != 0


def validate(file: Path, version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [VALIDATE, "--strict", "-k", version, file], capture_output=True, text=True, check=False
    )
