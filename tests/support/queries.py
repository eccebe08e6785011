"""The queries of Prometheus that someone relies on: alerts, the dashboard, autoscaling."""

import json
from typing import Any

import yaml

from tests.support.containers import ROOT


def alerts() -> list[dict[str, Any]]:
    """The rules of deploy/prometheus/alerts.yaml."""
    (group,) = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yaml").read_text())["groups"]
    return group["rules"]


def dashboard() -> dict[str, str]:
    """Queries of the dashboard's panels by their titles."""
    found = json.loads((ROOT / "deploy/grafana/dashboards/steno.json").read_text())
    return {f"{p['title']} {t['refId']}": t["expr"] for p in found["panels"] for t in p["targets"]}


def scaling() -> dict[str, str]:
    """Queries by which workers are added, by the name of their trigger."""
    file = ROOT / "deploy/kubernetes/components/autoscaling/worker-scaling.yaml"
    triggers = yaml.safe_load(file.read_text())["spec"]["triggers"]
    return {trigger["name"]: trigger["metadata"]["query"] for trigger in triggers}


def queries() -> dict[str, str]:
    """All of them, by where they are."""
    return {rule["alert"]: rule["expr"] for rule in alerts()} | dashboard() | scaling()
