"""The page lists every metric, and no other."""

import re
from pathlib import Path

from prometheus_client.metrics import MetricWrapperBase

import api.metrics
import worker.metrics

DOCUMENT = (Path(__file__).parents[3] / "docs" / "operations.md").read_text()


def test_the_page_lists_every_metric() -> None:
    found: set[str] = set()
    for module in (api.metrics, worker.metrics):
        for metric in vars(module).values():
            if isinstance(metric, MetricWrapperBase):
                (family,) = metric.describe()
                found.add(family.name + ("_total" if family.type == "counter" else ""))
    assert set(re.findall(r"^\| `(steno_\w+)`", DOCUMENT, re.MULTILINE)) == found
