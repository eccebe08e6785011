"""A job is followed: how far it is, its segments as they are finished, and its end."""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from api.job_events import events
from client import Jobs
from client.job_events import JobProgress, events_in
from shared.jobs import JobRecord
from shared.redis.windows import Window, WindowResult
from shared.transcript import Segment
from tests.support.data import clip
from tests.support.file_jobs import Edge, canned, decoding, edge
from tests.support.media import write_media
from tests.support.service import Service

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real speech in three windows and more."""
    parts: list[Any] = []
    for _ in range(3):
        parts += [clip("en_demo").samples(), np.zeros(8_000, np.float32), clip("en_twain").samples()]
    return write_media(tmp_path_factory.mktemp("talk") / "talk.flac", np.concatenate(parts))


@pytest.fixture
async def desk(redis_url: str, data_dir: Path) -> AsyncGenerator[Edge]:
    async with edge(redis_url, data_dir) as desk:
        yield desk


async def followed(desk: Edge, job: str, *, after: int = 0) -> list[tuple[int, Any]]:
    """All events. The transport of the tests gives the answer when it is whole."""
    answer = await desk.http.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": str(after)}, timeout=60)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [event async for event in events_in(_lines(answer))]


async def _lines(answer: httpx.Response) -> AsyncGenerator[str]:
    for line in answer.text.split("\n"):
        yield line


async def test_segments_come_in_their_order_while_the_job_runs(desk: Edge, talk: Path) -> None:
    async with decoding(desk.redis_url), desk.worker("--burst"):
        job = await desk.submit(talk)
        heard = await followed(desk, job)
    document = (await desk.http.get(f"/v1/jobs/{job}/result")).json()
    segments = [(number, event) for number, event in heard if isinstance(event, Segment)]
    assert [number for number, _ in segments] == list(range(1, len(document["segments"]) + 1))
    assert [event.text for _, event in segments] == [row["text"] for row in document["segments"]]
    assert any(isinstance(event, JobProgress) for _, event in heard)
    assert isinstance(heard[-1][1], JobRecord)
    assert heard[-1][1].status == "finished"


async def test_a_finished_segment_comes_before_the_job_ends(desk: Edge, talk: Path) -> None:
    """Also when the windows behind it never do."""
    seen = ""
    async with (
        decoding(desk.redis_url, lambda w: canned(w) if w.number < 2 else None),
        desk.worker("--burst"),
    ):
        job = await desk.submit(talk)
        async for text in events(desk.desk, job, 0):
            seen += text
            if seen.count("event: segment") == 2 and (await desk.job(job))["status"] == "running":
                await desk.http.delete(f"/v1/jobs/{job}")
    assert [name for name in ("window 0", "window 1", "window 2") if name in seen] == ["window 0", "window 1"]
    assert seen.index("event: segment") < seen.index("event: end")
    assert '"status": "cancelled"' in seen


async def test_a_client_goes_on_behind_the_last_segment_that_it_has(desk: Edge, talk: Path) -> None:
    async with decoding(desk.redis_url):
        job = await desk.submit(talk)
        await desk.work()
    whole = await followed(desk, job)
    rest = await followed(desk, job, after=2)
    assert rest == whole[2:]
    assert next(number for number, event in rest if isinstance(event, Segment)) == 3


async def test_windows_that_end_in_any_order_are_said_in_the_file_s(desk: Edge, talk: Path) -> None:
    held: list[Window] = []

    def answer(window: Window) -> WindowResult | None:
        if window.language == "auto" or window.number == 2:
            return canned(window)
        held.append(window)
        return None

    async with decoding(desk.redis_url, answer) as decoder, desk.worker("--burst"):
        job = await desk.submit(talk, language="en")
        await desk.until(job, lambda _job: any(w.number == 2 for w in decoder.heard))
        assert desk.redis.exists(f"steno:{{00}}:j:{job}:segments") == 0
        desk.redis.delete("steno:{00}:windows")
        decoder.answer = canned
        await desk.until(job, lambda job: job["status"] == "finished")
    texts = [event.text for _, event in await followed(desk, job) if isinstance(event, Segment)]
    assert texts == [f"window {number}" for number in range(len(texts))]


async def test_a_wrong_last_event_is_named(desk: Edge, talk: Path) -> None:
    job = await desk.submit(talk)
    answer = await desk.http.get(f"/v1/jobs/{job}/events", headers={"Last-Event-ID": "x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad_parameter")
    answer = await desk.http.get(f"/v1/jobs/{'0' * 32}/events")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_segments_come_over_the_wire_while_the_job_runs(service: Service) -> None:
    async with Jobs(service.url) as jobs:
        job = await jobs.submit(clip("en_demo").path)
        events = [event async for event in jobs.events(job.id)]
        document = json.loads(await jobs.result(job.id))
    texts = [event.text for event in events if isinstance(event, Segment)]
    assert texts == [row["text"] for row in document["segments"]]
    assert isinstance(events[-1], JobRecord)
    assert events[-1].status == "finished"
