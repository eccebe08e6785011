"""The pages of metrics and alerts, the dashboard and the code name the same metrics and labels."""

import re
from pathlib import Path

import pytest

import api.metrics
import worker.metrics
from bench.metrics_doc import LABELS, families, render
from tests.support.queries import alerts, queries

ROOT = Path(__file__).parents[3]
FAMILIES = families(api.metrics) | families(worker.metrics)
OF_PROMETHEUS = {"le", "job", "instance", "namespace"}
"""Labels that it adds itself."""


def served(family: str) -> set[str]:
    """Names of a metric's samples."""
    kind = FAMILIES[family][0]
    return {f"{family}_{part}" for part in ("bucket", "sum", "count")} if kind == "histogram" else {family}


def test_the_page_is_what_the_code_says() -> None:
    page = (ROOT / "docs/metrics.md").read_text()
    assert page == render(), "run: python -m bench.metrics_doc > docs/metrics.md"
    assert {label for _, labels, _ in FAMILIES.values() for label in labels} == set(LABELS)


@pytest.mark.parametrize(("where", "query"), queries().items())
def test_a_query_asks_for_what_there_is(where: str, query: str) -> None:
    known = {name for family in FAMILIES for name in served(family)}
    assert set(re.findall(r"\bsteno_\w+", query)) <= known
    labels = {label for _, labels, _ in FAMILIES.values() for label in labels} | OF_PROMETHEUS
    asked = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", query)
    asked += [label.strip() for by in re.findall(r"\bby \(([^)]*)\)", query) for label in by.split(",")]
    assert set(asked) <= labels
    for name, given in re.findall(r"\b(steno_\w+)\{([^}]*)\}", query):
        family = next(family for family in FAMILIES if name in served(family))
        own = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"", given))
        assert own <= set(FAMILIES[family][1]) | OF_PROMETHEUS


def test_every_alert_has_its_section_in_the_runbook() -> None:
    headings = re.findall(r"^## (\w+)$", (ROOT / "docs/runbook.md").read_text(), re.MULTILINE)
    assert headings == [rule["alert"] for rule in alerts()]
    assert all(rule["annotations"]["summary"] and rule["labels"]["severity"] for rule in alerts())
