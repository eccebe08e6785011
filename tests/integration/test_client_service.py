"""The client against the running service, scripted engine."""

import threading

import pytest

from client import BadParameter, Event, Final, JobOptions, Jobs, NotFound, Ready, StreamOptions, connect, sync
from tests.support.data import clip
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken

TALK = spoken(gap_s=1.0)


@pytest.mark.anyio
async def test_a_live_session(service: Service) -> None:
    async with connect(service.ws_url, options=StreamOptions(words=True)) as session:
        await session.send(TALK)
        await session.end()
        events = [event async for event in session]
    assert isinstance(events[0], Ready)
    assert session.last_seq == len(events)
    finals = [event for event in events if isinstance(event, Final)]
    assert len(finals) >= 2
    assert session.transcript.text == " ".join(final.text for final in finals)
    assert session.transcript.committed == len(session.transcript.text)
    assert all(final.words for final in finals)


@pytest.mark.anyio
async def test_finalize_gives_the_final_before_the_end(service: Service) -> None:
    async with connect(service.url) as session:
        await session.send(TALK[: 32000 * 2])
        await session.finalize()
        async for event in session:
            if isinstance(event, Final):
                break
        assert session.transcript.finals == event.text != ""


@pytest.mark.anyio
async def test_a_refusal(service: Service) -> None:
    with pytest.raises(BadParameter, match="model 'large' is not served here"):
        async with connect(service.ws_url, options=StreamOptions(model="large")):
            pytest.fail("refused")


def test_a_live_session_with_threads(service: Service) -> None:
    with sync.connect(service.ws_url, options=StreamOptions(partials=False)) as session:

        def send_all() -> None:
            for start in range(0, len(TALK), 6400):
                session.send(TALK[start : start + 6400])
            session.end()

        sender = threading.Thread(target=send_all)
        sender.start()
        events: list[Event] = list(session)
        sender.join()
    assert {event.type for event in events} == {"ready", "speech_start", "speech_end", "final", "closed"}
    assert session.transcript.text


@pytest.mark.anyio
async def test_silence_says_nothing(service: Service) -> None:
    async with connect(service.ws_url) as session:
        await session.send(pcm16(silence(2.0)))
        await session.end()
        assert [event.type async for event in session] == ["ready", "closed"]
    assert session.transcript.text == ""


@pytest.mark.anyio
async def test_a_file_job(service: Service) -> None:
    async with Jobs(service.url) as jobs:
        job = await jobs.submit(clip("en_demo").path, JobOptions(language="en"))
        seen: list[float] = []
        finished = await jobs.wait(job.id, on_progress=lambda job: seen.append(job.progress))
        assert finished.is_over
        assert seen == sorted(seen)
        assert seen[-1] == 1.0
        assert "-->" in await jobs.result(job.id, "srt")
        await jobs.remove(job.id)
        with pytest.raises(NotFound):
            await jobs.status(job.id)


def test_a_file_job_with_threads(service: Service) -> None:
    with sync.Jobs(service.ws_url) as jobs:
        job = jobs.wait(jobs.submit(clip("en_stew").path).id)
        assert jobs.result(job.id, "txt").strip()
        jobs.remove(job.id)
