"""A Prometheus that scrapes edge and worker understands every query that someone relies on, and has an answer
to those that speech alone must give one to. Needs Debian's package `prometheus`."""

import asyncio
import shutil
import signal
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.support.containers import ROOT
from tests.support.live import transcribe
from tests.support.queries import alerts, dashboard, queries, scaling
from tests.support.service import Service, free_port
from tests.support.speech import spoken

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("prometheus"), reason="no Prometheus here"),
]

WAIT_S_MAX = 60.0
OF_MISHAPS = ("refused", "warnings", "dropped_total", "windows_total", "cut_off")
"""Metrics with a label that has no value before something happened that does not happen here."""


@contextmanager
def scraping(folder: Path, targets: dict[str, int]) -> Generator[str]:
    """A Prometheus with the rules of deploy/prometheus, which scrapes these ports; its address."""
    jobs = [
        {
            "job_name": job,
            "static_configs": [{"targets": [f"127.0.0.1:{port}"], "labels": {"namespace": "steno"}}],
        }
        for job, port in targets.items()
    ]
    config: dict[str, Any] = {
        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "200ms"},
        "rule_files": [str(ROOT / "deploy/prometheus/alerts.yaml")],
        "scrape_configs": jobs,
    }
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(config))
    port = free_port()
    command = ["prometheus", f"--config.file={folder / 'prometheus.yaml'}"]
    command += [f"--storage.tsdb.path={folder / 'tsdb'}", f"--web.listen-address=127.0.0.1:{port}"]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield f"http://127.0.0.1:{port}/api/v1"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(WAIT_S_MAX)


async def asked(http: httpx.AsyncClient, query: str) -> list[dict[str, Any]]:
    """The series that answer a query now. A panel's interval is a minute."""
    reply = await http.get("/query", params={"query": query.replace("$__rate_interval", "1m")})
    answer = reply.json()
    assert answer["status"] == "success", (query, answer)
    return answer["data"]["result"]


async def until_answered(http: httpx.AsyncClient, asking: Mapping[str, str]) -> None:
    """Wait until all of these queries have an answer. A rate needs two scrapes."""
    silent = dict(asking)
    try:
        async with asyncio.timeout(WAIT_S_MAX):
            while silent:
                where, query = silent.popitem()
                try:
                    answered = bool(await asked(http, query))
                except httpx.TransportError:  # it is starting
                    answered = False
                if not answered:
                    silent[where] = query
                    await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(f"no answer: {silent}") from None


async def test_it_answers_what_the_dashboard_and_alerts_and_autoscaling_ask(tmp_path: Path) -> None:
    metrics_port = free_port()
    settings = {"engine": "scripted", "metrics_port": str(metrics_port)}
    with Service.running(tmp_path, modules=("api", "worker"), **settings) as service:
        ports = {"steno-edge": service.port, "steno-worker": metrics_port}
        with scraping(tmp_path, ports) as url:
            async with httpx.AsyncClient(base_url=url) as http:
                await until_answered(http, {"targets": "count(up == 1) == 2"})
                await transcribe(service.ws_url, spoken(), language="en")
                spoken_of = {
                    where: query
                    for where, query in (dashboard() | scaling()).items()
                    if not any(word in query for word in OF_MISHAPS)
                }
                await until_answered(http, spoken_of)
                for query in queries().values():
                    await asked(http, query)
                rules = (await http.get("/rules")).json()["data"]["groups"][0]["rules"]
    assert [rule["name"] for rule in rules] == [rule["alert"] for rule in alerts()]
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
    # A service that is well fires none; what waits for its time (`for`) is pending at most.
    assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()
