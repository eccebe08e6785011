"""Traces: one for each utterance, over edge, Redis and worker; without a word of what was said; and none at
all unless they are asked for."""

import asyncio
import gzip
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgpack
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from client import JobOptions, Jobs
from shared.redis.connection import connect_sync
from shared.traces import Place, session_place, utterance_place
from tests.support.data import clip
from tests.support.http_stub import Answer, Asked, answering
from tests.support.live import transcribe
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Span:
    """One span as the collector got it."""

    service: str
    name: str
    trace: int
    id: int
    parent: int
    links: tuple[int, ...]
    """Traces."""
    began_ns: int
    ended_ns: int
    about: dict[str, Any]

    @property
    def place(self) -> Place:
        return Place(self.trace, self.id)


def spans_of(asked: list[Asked]) -> Iterator[Span]:
    """Everything that was sent."""
    for request in asked:
        for group in ExportTraceServiceRequest.FromString(_body(request)).resource_spans:
            resource = {a.key: a.value.string_value for a in group.resource.attributes}
            for scope in group.scope_spans:
                for span in scope.spans:
                    values = {a.key: getattr(a.value, a.value.WhichOneof("value")) for a in span.attributes}
                    yield Span(
                        resource["service.name"], span.name, _number(span.trace_id), _number(span.span_id),
                        _number(span.parent_span_id), tuple(_number(link.trace_id) for link in span.links),
                        span.start_time_unix_nano, span.end_time_unix_nano, values,
                    )  # fmt: skip


def _body(request: Asked) -> bytes:
    is_packed = request.headers.get("Content-Encoding") == "gzip"
    return gzip.decompress(request.body) if is_packed else request.body


def _number(raw: bytes) -> int:
    return int.from_bytes(raw, "big")


def seeds(service: Service) -> list[str | None]:
    """What the sessions that Redis still has are traced by."""
    client = connect_sync(service.redis_url)
    try:
        states = client.scan_iter("steno:{*}:s:*:state")
        return [msgpack.unpackb(client.hget(state, "config")).get("trace") for state in states]
    finally:
        client.close()


async def test_an_utterance_is_one_trace_over_all_processes(tmp_path: Path) -> None:
    with answering(lambda _: Answer(200)) as collector:
        settings = {"traces_url": f"{collector.url}/v1/traces", "threads": "1"}
        with Service.running(tmp_path, engine="scripted", **settings) as service:
            session = await transcribe(service.ws_url, spoken(), language="en")
            name = session.of("ready")[0]["session"]
            (seed,) = seeds(service)
            async with Jobs(service.url) as jobs:
                submitted = await jobs.submit(clip("en_stew").path, JobOptions(language="en"))
                await jobs.wait(submitted.id)
                transcript = str(await jobs.result(submitted.id, "txt"))
            for process in ("api", "worker", "worker.jobs"):
                assert await asyncio.to_thread(service.end, process, signal.SIGTERM) == 0
        spans = list(spans_of(collector.asked))

    assert seed is not None
    finals = session.of("final")
    for final in finals:
        root = utterance_place(seed, final["utterance"])
        trace = [span for span in spans if span.trace == root.trace_id]
        (utterance,) = (span for span in trace if span.name == "utterance")
        assert (utterance.place, utterance.parent) == (root, 0)
        assert utterance.links == (session_place(seed).trace_id,)
        assert {(span.service, span.name) for span in trace} == {
            ("steno-edge", "append"), ("steno-worker", "wait"), ("steno-worker", "encode"),
            ("steno-worker", "decode"), ("steno-worker", "publish"), ("steno-worker", "utterance"),
            ("steno-edge", "send"),
        }  # fmt: skip
        assert {span.parent for span in trace if span is not utterance} == {root.span_id}
        assert {(s.about["steno.session"], s.about["steno.utterance"]) for s in trace} == {
            (name, final["utterance"])
        }
        assert all(utterance.began_ns <= s.began_ns <= s.ended_ns for s in trace if s.name != "append")
        said = {span.about["steno.event"] for span in trace if span.name == "publish"}
        assert said >= {"speech_start", "final"}
        kinds = {span.about["steno.kind"] for span in trace if span.name == "decode"}
        assert "final" in kinds
    (connection,) = (span for span in spans if span.name == "connection")
    assert connection.place == session_place(seed)

    (submit,) = (span for span in spans if span.name == "submit")
    job = [span for span in spans if span.trace == submit.trace]
    assert {span.about["steno.job"] for span in job} == {submitted.id}
    assert {(span.service, span.name) for span in job} == {
        ("steno-edge", "submit"), ("steno-job-worker", "run"), ("steno-worker", "wait"),
        ("steno-worker", "encode"), ("steno-worker", "decode"),
    }  # fmt: skip
    assert {span.parent for span in job} == {0, submit.id}

    sent = b"".join(map(_body, collector.asked)).lower()
    texts = " ".join(final["text"] for final in finals) + " " + transcript
    words = {word for word in texts.lower().split() if len(word) > 4 and word.isalpha()}
    assert words
    assert not [word for word in words if word.encode() in sent]
    known = {
        "steno.session", "steno.utterance", "steno.surface", "steno.event", "steno.kind", "steno.batch",
        "steno.window_s", "steno.steps", "steno.audio_s", "steno.job", "steno.window",
    }  # fmt: skip
    assert {key for span in spans for key in span.about} <= known
    assert known <= set(_documented()), "docs/tracing.md names every attribute"


def _documented() -> list[str]:
    page = (Path(__file__).parents[2] / "docs" / "tracing.md").read_text()
    return [part for part in page.split("`") if part.startswith("steno.")]


@pytest.mark.slow
async def test_a_collector_that_does_not_answer_costs_nobody_anything(tmp_path: Path) -> None:
    settings = {"traces_url": "http://127.0.0.1:9/v1/traces", "threads": "1"}
    modules = ("api", "worker")
    with Service.running(tmp_path, engine="scripted", modules=modules, **settings) as service:
        assert (await transcribe(service.ws_url, spoken(), language="en")).of("final")


async def test_without_them_nothing_travels_and_nothing_is_loaded(service: Service) -> None:
    await transcribe(service.ws_url, spoken(), language="en")
    assert set(seeds(service)) == {None}
    code = (
        "import sys, json, api.app, worker.app, worker.jobs.file_job;"
        "from shared.settings import Settings; from shared.traces import open_traces;"
        "open_traces(Settings(), 'edge');"
        # FastAPI and redis-py import API and SDK where these are; without a provider they do nothing.
        "from opentelemetry import trace;"
        "print(json.dumps([name for name in sys.modules if name.startswith('opentelemetry.exporter')]"
        " + [trace._TRACER_PROVIDER]))"
    )
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [None]
