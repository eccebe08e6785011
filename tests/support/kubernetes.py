"""Pods of the real manifests in a container engine that plays them (`podman play kube`), and what a kubelet
does around them: volumes, probes, and a deletion that waits for the pod's grace period.

What is changed in a pod before it is started, because the engine knows it otherwise or not at all: images by
other names, volumes as directories that are filled here, no GPU.
"""

import asyncio
import copy
import socket
import subprocess
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.containers import ROOT, Containers

OVERLAYS = ROOT / "deploy" / "kubernetes" / "overlays"
Object = dict[str, Any]
_PROBE_S_MAX = 5.0
_WAIT_S_MAX = 120.0


def render(overlay: str) -> list[Object]:
    """The objects of an overlay."""
    command = ["kubectl", "kustomize", str(OVERLAYS / overlay)]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [document for document in yaml.safe_load_all(text) if document]


@dataclass(frozen=True)
class Pod:
    """A pod that runs."""

    name: str
    address: str
    spec: Object

    @property
    def container(self) -> str:
        """The engine's name of its only container."""
        return f"{self.name}-{self.spec['containers'][0]['name']}"

    @property
    def grace_s(self) -> int:
        """How long it may take to stop."""
        return self.spec["terminationGracePeriodSeconds"]

    def port(self, name: str) -> int:
        """A port of its container by name."""
        ports = self.spec["containers"][0]["ports"]
        return next(port["containerPort"] for port in ports if port["name"] == name)


@dataclass
class Node:
    """Starts pods on a network of their own. `secrets` are by name, then key; `images` by the name that
    manifests use; `settings` come over those of the ConfigMaps."""

    containers: Containers
    objects: list[Object]
    folder: Path
    images: dict[str, str]
    secrets: dict[str, dict[str, str]]
    subnet: str
    settings: dict[str, str] = field(default_factory=dict[str, str])
    network: str = field(default_factory=lambda: f"steno-test-{uuid.uuid4().hex[:8]}")
    pods: dict[str, Pod] = field(default_factory=dict[str, Pod])

    def __post_init__(self) -> None:
        self.containers.call("network", "create", "--subnet", f"{self.subnet}.0/24", self.network)

    def start(self, workload: str, name: str, host: int) -> Pod:
        """A pod of a Deployment or StatefulSet, at an address of the subnet."""
        owner = next(
            o
            for o in self.objects
            if o["kind"] in ("Deployment", "StatefulSet") and o["metadata"]["name"] == workload
        )
        template = copy.deepcopy(owner["spec"]["template"])
        spec = template["spec"]
        (container,) = spec["containers"]
        container["image"] = self.images[container["image"].rpartition(":")[0]]
        for bound in container["resources"].values():
            bound.pop("nvidia.com/gpu", None)
        container["env"] = [e for e in container.get("env", []) if e["name"] != "STENO_DEVICE"]
        claims = [c["metadata"]["name"] for c in owner["spec"].get("volumeClaimTemplates", [])]
        spec["volumes"] += [
            {"name": claim, "persistentVolumeClaim": {"claimName": claim}} for claim in claims
        ]
        spec["volumes"] = [self._mounted(name, volume, spec) for volume in spec["volumes"]]
        metadata = {"name": name, "labels": template["metadata"]["labels"]}
        # Some engines publish ports that a pod only names, on this machine's own.
        played = spec | {"containers": [{k: v for k, v in container.items() if k != "ports"}]}
        document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": _portless(played)}
        file = self.folder / f"{name}.yaml"
        file.write_text(yaml.safe_dump_all([*self._settings(), document]))
        address = f"{self.subnet}.{host}"
        self.containers.call("play", "kube", "--network", self.network, "--ip", address, str(file))
        self.pods[name] = Pod(name, address, spec)
        return self.pods[name]

    async def until(self, pod: Pod, probe: str, *, holds: bool = True) -> None:
        """Wait until a probe of the pod, asked as its manifest says, succeeds, or fails."""
        async with asyncio.timeout(_WAIT_S_MAX):
            while await self.probe(pod, probe) is not holds:  # noqa: ASYNC110 - asked as a kubelet does
                await asyncio.sleep(0.1)

    async def probe(self, pod: Pod, probe: str) -> bool:
        """Ask it once."""
        asked = pod.spec["containers"][0][probe]
        match asked:
            case {"httpGet": {"path": path, "port": port}}:
                try:
                    async with httpx.AsyncClient(timeout=_PROBE_S_MAX) as http:
                        reply = await http.get(f"http://{pod.address}:{pod.port(port)}{path}")
                except httpx.TransportError:
                    return False
                return 200 <= reply.status_code < 400
            case {"exec": {"command": command}}:
                done = await asyncio.to_thread(
                    self.containers.call, "exec", pod.container, *command, check=False
                )
                return done.returncode == 0
            case {"tcpSocket": {"port": port}}:
                return await asyncio.to_thread(_connects, pod.address, pod.port(port))
            case _:
                raise AssertionError(f"no such probe: {asked}")

    def delete(self, pod: Pod) -> int:
        """SIGTERM, and SIGKILL after the pod's grace period. Returns the container's exit status."""
        call = self.containers.call
        call("pod", "stop", "-t", str(pod.grace_s), pod.name, within_s=pod.grace_s + _WAIT_S_MAX)
        status = int(self.containers.inspect(pod.container)["State"]["ExitCode"])
        call("pod", "rm", "-f", pod.name)
        del self.pods[pod.name]
        return status

    def remove(self) -> None:
        """Leave nothing behind."""
        for name in self.pods:
            self.containers.call("pod", "rm", "-f", "-t", "1", name, check=False)
        self.containers.call("network", "rm", "-f", self.network, check=False)

    def _settings(self) -> list[Object]:
        maps = [copy.deepcopy(o) for o in self.objects if o["kind"] == "ConfigMap"]
        for document in maps:
            document["metadata"] = {"name": document["metadata"]["name"]}
            if document["metadata"]["name"] == "steno-settings":
                document["data"] |= self.settings
        return maps

    def _mounted(self, pod: str, volume: Object, spec: Object) -> Object:
        """The volume as a directory of this machine, with what belongs into it. Claims are shared by name."""
        match volume:
            case {"secret": {"secretName": name} as source}:
                values = self.secrets[name]
                wanted = source.get("items") or [{"key": key, "path": key} for key in values]
                files = {item["path"]: values[item["key"]] for item in wanted}
                folder = self._folder(f"{pod}-{volume['name']}", files)
            case {"configMap": {"name": name}}:
                source = next(
                    o for o in self.objects if o["kind"] == "ConfigMap" and o["metadata"]["name"] == name
                )
                folder = self._folder(f"{pod}-{volume['name']}", source["data"])
            case {"persistentVolumeClaim": {"claimName": name}}:
                folder = self._folder(f"claim-{name}", {})
            case _:
                folder = self._folder(f"{pod}-{volume['name']}", {})
        if "fsGroup" in spec["securityContext"]:
            # A kubelet gives the group; as the whole directory is ours, the user will do.
            folder.chmod(0o777)
        return {"name": volume["name"], "hostPath": {"path": str(folder), "type": "Directory"}}

    def _folder(self, name: str, files: dict[str, str]) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        folder.chmod(0o777)
        for path, value in files.items():
            (folder / path).write_text(value)
        return folder


def _portless(spec: Object) -> Object:
    """The pod without probes, which name ports: they are asked from here."""
    probes = ("startupProbe", "readinessProbe", "livenessProbe")
    containers = [{k: v for k, v in c.items() if k not in probes} for c in spec["containers"]]
    return spec | {"containers": containers}


def _connects(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), timeout=_PROBE_S_MAX).close()
    except OSError:
        return False
    return True
