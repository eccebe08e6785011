"""Spans of traces: where they hang, whose they are, and who has none."""

import subprocess
import sys

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.errors import BadParameter
from shared.events import Final, Partial, SpeechStart
from shared.settings import Settings
from shared.traces import Traces, check_traces, open_traces, session_place, utterance_place
from worker.core.decode import Batch, DecodeResult, Kind
from worker.tracing import WorkerTrace

SEED = "0123456789abcdef0123456789abcdef"
ABOUT = {"steno.session": "s"}


def finished(exporter: InMemorySpanExporter, traces: Traces) -> dict[str, ReadableSpan]:
    """All spans by name, after the end."""
    traces.close()
    return {span.name: span for span in exporter.get_finished_spans()}


def test_places_are_the_same_for_all_who_know_the_seed_and_no_others() -> None:
    assert session_place(SEED).trace_id == int(SEED, 16)
    places = [utterance_place(SEED, n) for n in range(100)]
    assert places == [utterance_place(SEED, n) for n in range(100)]
    other = [utterance_place("f" * 32, n) for n in range(100)]
    assert len({place.trace_id for place in places + other}) == 200
    assert len({place.span_id for place in places + other}) == 200


def test_a_root_is_where_it_should_be_and_others_hang_below_it() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter, "steno-test")
    place = utterance_place(SEED, 3)
    traces.span("child", place, 1_000, 2_000, ABOUT)
    traces.root("root", place, 500, 400, ABOUT, part_of=session_place(SEED))
    spans = finished(exporter, traces)
    root, child = spans["root"], spans["child"]
    assert root.context is not None
    assert (root.context.trace_id, root.context.span_id) == (place.trace_id, place.span_id)
    assert root.parent is None
    assert [link.context.trace_id for link in root.links] == [int(SEED, 16)]
    assert (root.start_time, root.end_time) == (500, 500), "a clock that was set back makes no negative span"
    assert child.parent is not None
    assert (child.parent.trace_id, child.parent.span_id) == (place.trace_id, place.span_id)
    assert (child.start_time, child.end_time) == (1_000, 2_000)
    assert child.resource.attributes["service.name"] == "steno-test"


def test_a_share_gets_a_seed() -> None:
    chances = iter([0.0, 0.3, 0.5, 0.9])
    traces = Traces(InMemorySpanExporter(), "t", share=0.5, chance=lambda: next(chances))
    seeds = [traces.seed() for _ in range(4)]
    assert [seed is not None for seed in seeds] == [True, True, False, False]
    assert all(len(bytes.fromhex(seed)) == 16 for seed in seeds if seed)
    traces.close()


def test_a_worker_that_takes_over_goes_on_in_the_trace() -> None:
    exporter = InMemorySpanExporter()
    traces = Traces(exporter, "steno-worker")
    result = DecodeResult(
        text="secret", language="en", waited_s=0.5, batch=Batch(took_s=2.0, encode_s=0.5, size=3)
    )
    first = WorkerTrace(traces, SEED, "s")
    first.published([SpeechStart(utterance=7, start=0.0)], 10**18, lambda end_s: 1.5)
    first.asked(1, Kind.PARTIAL)
    first.answered(1, result)
    first.published(
        [Partial(text="secret", utterance=7, start=0.0, end=1.0, committed=0, offset=0)], 10**18, lambda _: 0
    )
    second = WorkerTrace(traces, SEED, "s")
    second.asked(1, Kind.FINAL)
    second.answered(1, result)
    second.asked(2, Kind.PARTIAL)
    second.answered(2, None)
    second.published(
        [Final(text="secret", utterance=7, start=0.0, end=2.0, committed=6, offset=0)], 10**18, lambda _: 0
    )
    traces.close()
    spans = exporter.get_finished_spans()
    place = utterance_place(SEED, 7)
    assert {span.context.trace_id for span in spans if span.context} == {place.trace_id}
    names = [span.name for span in spans]
    assert sorted(names) == sorted(
        ["publish", "publish", "publish", "utterance"] + 2 * ["wait", "encode", "decode"]
    )
    assert "secret" not in " ".join(span.to_json() for span in spans)
    decode = next(span for span in spans if span.name == "decode")
    assert decode.start_time is not None
    assert decode.end_time is not None
    assert decode.end_time - decode.start_time == 1_500_000_000


def test_without_an_address_there_are_none() -> None:
    assert open_traces(Settings(), "edge") is None
    check_traces(Settings())


@pytest.mark.parametrize("url", ["collector:4318", "ftp://x/", "http://a b/"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="traces_url"):
        Settings(traces_url=url)


def test_the_extra_is_named_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(BadParameter, match=r"steno\[otel\]"):
        check_traces(Settings(traces_url="http://127.0.0.1:4318/v1/traces"))


def test_a_process_says_so_before_it_starts() -> None:
    code = (
        "import sys; sys.modules['opentelemetry.exporter.otlp.proto.http.trace_exporter'] = None\n"
        "from api.__main__ import main; sys.exit(main())"
    )
    environment = {
        "STENO_REDIS_URL": "redis://127.0.0.1:1", "STENO_TRACES_URL": "http://127.0.0.1:4318/v1/traces",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "steno[otel]" in done.stderr
