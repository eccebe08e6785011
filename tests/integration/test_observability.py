"""What the service tells about itself: metrics, event log and what clients saw agree."""

import signal
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from bench.latency import Arrival, stability
from bench.recompute import Decodes, Record, figures, main, read
from shared.codec import event_from_map
from tests.support.live import transcribe
from tests.support.service import Service, free_port, scrape
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio


async def test_figures_from_the_event_log_are_those_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    port, logs = free_port(), tmp_path / "events"
    settings = {"metrics_port": str(port), "event_log": str(logs), "threads": "1"}
    with Service.running(tmp_path, engine="scripted", **settings) as service:
        sessions = [await transcribe(service.ws_url, spoken(), language="en") for _ in range(2)]
        metrics = scrape(port)
        assert service.end("worker", signal.SIGTERM) == 0
    found = figures(read([logs]))

    messages = [message for session in sessions for message in session.messages]
    texts = [message["text"] for message in messages if message["type"] == "final"]
    for kind in ("speech_start", "speech_end", "partial", "final"):
        count = sum(message["type"] == kind for message in messages)
        assert found.events[kind] == count
        assert (found.lags[kind].count if count else 0) == count
        assert metrics.get(f'steno_event_lag_seconds_count{{type="{kind}"}}', 0) == count
    steady = [stability([Arrival(0.0, event_from_map(m)) for m in s.messages]) for s in sessions]
    assert found.taken_back == sum(s.erased for s in steady) == metrics["steno_words_taken_back_total"]
    assert found.words == sum(s.words for s in steady) == metrics["steno_words_total"]
    assert found.sessions == 2
    assert found.audio_s == pytest.approx(2 * len(spoken()) / 32_000, abs=0.001)
    assert metrics["steno_worker_audio_seconds_total"] == pytest.approx(found.audio_s, abs=0.001)
    assert metrics["steno_word_lag_seconds_count"] == found.word_lag.count >= len(" ".join(texts).split())
    for kind in found.decodes:
        assert metrics[f'steno_device_seconds_total{{kind="{kind}"}}'] == pytest.approx(
            found.decodes[kind].device_s, abs=0.001
        )
        assert metrics[f'steno_decode_batch_size_sum{{kind="{kind}"}}'] == found.decodes[kind].count
        check_costs(kind, metrics, found.decodes[kind], read([logs]))

    (log,) = logs.glob("*.jsonl")
    written = log.read_text()
    assert [word for text in texts for word in text.split() if word in written] == []
    assert main([str(log)]) == 0
    assert "2 sessions" in capsys.readouterr().out


def check_costs(
    kind: str, metrics: dict[str, float], found: Decodes, logs: Iterable[Sequence[Record]]
) -> None:
    """Waits, windows and times of the decodes of a kind are in metrics what they are in the log."""
    batches = [r for log in logs for r in log if r["record"] == "batch" and r["kind"] == kind]
    rows = [row for batch in batches for row in batch["rows"]]
    assert len(rows) == found.count
    sums = {
        "decode_queue_seconds": (len(rows), sum(row["waited_s"] for row in rows)),
        "decode_window_seconds": (len(rows), sum(row["window_s"] for row in rows)),
        "encode_seconds": (len(batches), found.encode_s),
        "decode_seconds": (len(batches), found.device_s - found.encode_s),
        "decode_real_time_factor": (
            len(batches),
            sum(batch["took_s"] / sum(row["audio_s"] for row in batch["rows"]) for batch in batches),
        ),
    }
    for name, (count, total) in sums.items():
        assert metrics[f'steno_{name}_count{{kind="{kind}"}}'] == count, name
        assert metrics[f'steno_{name}_sum{{kind="{kind}"}}'] == pytest.approx(total, rel=0.01, abs=0.001), (
            name
        )
