"""A file goes in over HTTP, is cut into windows, decoded elsewhere, and comes out as text."""

import asyncio
import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from shared.events import Word
from shared.redis.windows import Window, WindowResult
from shared.transcript import Token
from tests.support.data import clip
from tests.support.file_jobs import TTL_S, Edge, canned, decoding, edge
from tests.support.media import mulaw_header, write_float_wav, write_media, write_tracks

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Real speech of some 75 s, with silences: three windows and more."""
    parts = [np.zeros(80_000, np.float32)]
    for _ in range(3):
        parts += [clip("en_demo").samples(), np.zeros(8_000, np.float32), clip("en_twain").samples()]
    return write_media(tmp_path_factory.mktemp("talk") / "talk.flac", np.concatenate(parts))


@pytest.fixture
async def desk(redis_url: str, data_dir: Path):
    async with edge(redis_url, data_dir) as desk:
        yield desk
        without_ttl = [
            key
            for key in desk.redis.scan_iter("rq:*")
            if key.startswith((b"rq:job:", b"rq:results:", b"rq:execution")) and desk.redis.ttl(key) == -1
        ]
        assert without_ttl == []


async def test_a_file_becomes_a_transcript_in_every_format(desk: Edge, talk: Path) -> None:
    async with decoding(desk.redis_url) as decoder:
        job = await desk.submit(talk, words="true")
        queued = await desk.job(job)
        log = await desk.work()

    assert (queued["status"], queued["progress"], queued["name"]) == ("queued", 0.0, "talk.bin")
    finished = await desk.job(job)
    assert (finished["status"], finished["progress"]) == ("finished", 1.0)
    assert finished["duration"] == pytest.approx(queued["duration"], abs=0.1)
    assert queued["created_at"] == finished["created_at"] < finished["started_at"] < finished["ended_at"]
    count = len(decoder.heard)
    assert count >= 3
    assert [window.number for window in decoder.heard] == list(range(count))
    assert all(len(window.pcm16) <= 30 * 32_000 for window in decoder.heard)
    text = " ".join(f"window {number}" for number in range(count))

    document = (await desk.http.get(f"/v1/jobs/{job}/result")).json()
    assert document["text"] == text
    assert document["language"] == "en"
    assert len(document["segments"][0]["words"]) == 2
    for form, media_type in [
        ("verbose_json", "application/json"),
        ("srt", "application/x-subrip"),
        ("vtt", "text/vtt"),
        ("tsv", "text/tab-separated-values"),
        ("txt", "text/plain"),
    ]:
        answer = await desk.http.get(f"/v1/jobs/{job}/result", params={"format": form})
        assert answer.headers["content-type"] == f"{media_type}; charset=utf-8"
        assert f"window {count - 1}" in answer.text

    assert not list(desk.data_dir.glob("jobs/*/input"))
    assert desk.redis.xlen("steno:{00}:windows") == 0
    assert not list(desk.redis.scan_iter("steno:*:j:*"))
    assert "window 0" not in log


async def test_a_job_says_how_its_result_is_to_look(desk: Edge, talk: Path) -> None:
    async with decoding(desk.redis_url):
        job = await desk.submit(talk, format="vtt", words="true", max_line_chars="10", max_lines="1")
        await desk.work()
    path = f"/v1/jobs/{job}/result"
    assert (await desk.http.get(path)).text.startswith("WEBVTT")
    assert "\nwindow 0\n" in (await desk.http.get(path, params={"format": "srt"})).text
    wrong = await desk.http.get(path, params={"max_lines": 99})
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (400, "bad_parameter")


async def test_what_is_private_is_left_out_of_all_that_a_job_says(desk: Edge, talk: Path) -> None:
    said = "call four one five five five five two six seven one or write to a@example.com now"

    def private(window: Window) -> WindowResult:
        words = tuple(
            Word(text=word, start=i * 0.05, end=i * 0.05 + 0.05, probability=0.9)
            for i, word in enumerate(said.split())
        )
        tokens = tuple((Token(id=1, raw=word.text, logprob=-0.1),) for word in words)
        return WindowResult(number=window.number, language="en", text=said, words=words, tokens=tokens)

    asked = {"redact": "phone,email", "words": "true", "tokens": "true", "language": "en"}
    async with decoding(desk.redis_url, private):
        job = await desk.submit(talk, **asked)
        await desk.work()
    path = f"/v1/jobs/{job}/result"
    for form in ("json", "verbose_json", "srt", "vtt", "tsv", "txt"):
        text = (await desk.http.get(path, params={"format": form})).text
        assert not [word for word in ("four", "seven", "example", "415") if word in text], form
        assert "[phone]" in text
        assert "[email]" in text
    assert "four" not in (await desk.http.get(f"/v1/jobs/{job}/events")).text
    wrong = await desk.http.post("/v1/jobs", files={"file": b"any"}, data={"redact": "names"})
    assert wrong.status_code == 400


async def test_windows_carry_what_was_asked_for_and_the_prompt_stays_out_of_rq(
    desk: Edge, talk: Path
) -> None:
    fields = {"language": "DE", "task": "translate", "prompt": "Zwetschge", "hotwords": "Knödel"}
    async with decoding(desk.redis_url) as decoder:
        job = await desk.submit(talk, **fields)
        record = b"".join(desk.redis.hgetall(f"rq:job:{job}").values())
        log = await desk.work()
    assert b"Zwetschge" not in record
    assert "Zwetschge" not in log
    for window in decoder.heard:
        assert (window.language, window.task) == ("de", "translate")
        assert (window.prompt, window.hotwords) == ("Zwetschge", "Knödel")


async def test_segments_say_who_speaks_where_that_is_asked_for(
    desk: Edge, talk: Path, tmp_path: Path
) -> None:
    """By voice alone: two readers take turns of a window each."""
    one, two = clip("en_twain").samples(), clip("en_demo").samples()
    gap = np.zeros(4 * 16_000, np.float32)
    turns = write_media(tmp_path / "turns.flac", np.concatenate([one, gap, two, gap, one, gap, two]))
    async with decoding(desk.redis_url):
        job = await desk.submit(turns, diarize="true")
        plain = await desk.submit(talk)
        await desk.work()
    rows = (await desk.http.get(f"/v1/jobs/{job}/result")).json()["segments"]
    said = [row["speaker"] for row in rows]
    assert [said[n] for n in range(len(said)) if n == 0 or said[n] != said[n - 1]] == ["S1", "S2", "S1", "S2"]
    rows = (await desk.http.get(f"/v1/jobs/{plain}/result")).json()["segments"]
    assert not any(row.get("speaker") for row in rows)


async def test_the_language_of_the_first_window_with_text_is_kept(desk: Edge, talk: Path) -> None:
    def answer(window: Window) -> WindowResult:
        if window.number == 0:
            return WindowResult(number=0, language="cy")  # a guess about noise
        return replace(canned(window), language="fr")

    async with decoding(desk.redis_url, answer) as decoder:
        job = await desk.submit(talk)
        await desk.work()
    assert [window.language for window in decoder.heard[:3]] == ["auto", "auto", "fr"]
    assert {window.language for window in decoder.heard[2:]} == {"fr"}
    assert (await desk.http.get(f"/v1/jobs/{job}/result")).json()["language"] == "fr"


async def test_silence_gives_an_empty_transcript(desk: Edge, tmp_path: Path) -> None:
    job = await desk.submit(write_media(tmp_path / "silence.wav", np.zeros(100_000, np.float32)))
    await desk.work()
    assert (await desk.job(job))["status"] == "finished"
    answer = await desk.http.get(f"/v1/jobs/{job}/result")
    assert answer.json() == {"text": "", "language": "", "duration": 6.25, "segments": []}


async def test_the_track_that_was_asked_for_is_heard(desk: Edge, tmp_path: Path) -> None:
    said = clip("en_twain").samples()
    film = write_tracks(tmp_path / "film.mkv", [np.zeros_like(said), said])
    async with decoding(desk.redis_url) as decoder:
        silent, spoken = [await desk.submit(film, track=track) for track in ("0", "1")]
        await desk.work()
    assert {window.job for window in decoder.heard} == {spoken}
    assert [(await desk.job(job))["status"] for job in (silent, spoken)] == ["finished"] * 2


async def test_a_window_that_cannot_be_decoded_fails_the_job_with_its_reason(desk: Edge, talk: Path) -> None:
    def answer(window: Window) -> WindowResult:
        return WindowResult(number=window.number, language="", error="the device is out of memory")

    async with decoding(desk.redis_url, answer):
        job = await desk.submit(talk)
        await desk.work()
    record = await desk.job(job)
    assert record["status"] == "failed"
    assert record["error"] == {
        "code": "engine_fault",
        "message": "the device is out of memory",
        "retryable": True,
    }
    kept = list(desk.redis.scan_iter("steno:{00}:j:*"))
    assert kept
    assert max(desk.redis.ttl(key) for key in kept) <= TTL_S
    answer = await desk.http.get(f"/v1/jobs/{job}/result")
    assert answer.status_code == 404
    assert "out of memory" in answer.json()["error"]["message"]


async def test_progress_rises_with_the_audio_that_is_done(desk: Edge, talk: Path) -> None:
    async with desk.worker() as worker:
        async with decoding(desk.redis_url, lambda window: canned(window) if window.number < 1 else None):
            job = await desk.submit(talk)
            record = await desk.until(job, lambda job: job["progress"] > 0.1)
            assert record["status"] == "running"
            assert record["progress"] < 0.9
            answer = await desk.http.get(f"/v1/jobs/{job}/result")
            assert answer.status_code == 409
            assert answer.json()["error"]["code"] == "not_finished"
            assert "running" in answer.json()["error"]["message"]
            cancelled = await desk.http.delete(f"/v1/jobs/{job}")
            assert cancelled.json()["status"] == "cancelled"
        worker.terminate()
        assert await worker.wait() == 0


async def test_a_job_goes_on_from_its_checkpoint_when_its_worker_is_told_to_stop(
    desk: Edge, talk: Path
) -> None:
    """No window with a result is decoded again."""
    async with decoding(desk.redis_url, lambda w: canned(w) if w.number < 2 else None) as before:
        async with desk.worker() as worker:
            job = await desk.submit(talk)
            await desk.until(job, lambda _job: len(before.heard) > 2)
            worker.terminate()
            assert await worker.wait() == 0
        assert (await desk.job(job))["status"] == "queued"
    # The window in hand went down with its worker; its lease would end in a minute.
    desk.redis.delete("steno:{00}:windows")
    async with decoding(desk.redis_url) as after:
        await desk.work()
    assert (await desk.job(job))["status"] == "finished"
    assert {window.number for window in after.heard}.isdisjoint({0, 1})
    count = len({window.number for window in before.heard + after.heard})
    document = (await desk.http.get(f"/v1/jobs/{job}/result")).json()
    assert document["text"] == " ".join(f"window {number}" for number in range(count))


async def test_a_job_whose_process_is_killed_is_begun_again(desk: Edge, talk: Path) -> None:
    async with decoding(desk.redis_url, lambda w: canned(w) if w.number < 2 else None) as decoder:
        job = await desk.submit(talk)
        async with desk.worker("--burst") as worker:
            await desk.until(job, lambda _job: len(decoder.heard) > 2)
            (child,) = psutil.Process(worker.pid).children()
            desk.redis.delete("steno:{00}:windows")  # what was taken and not answered
            decoder.answer = canned
            child.kill()
            assert (await desk.until(job, lambda job: job["status"] == "finished"))["progress"] == 1.0
            await worker.communicate()
    assert [window.number for window in decoder.heard].count(0) == 1


@pytest.mark.slow
async def test_a_job_whose_worker_is_killed_leaves_no_process_and_is_queued_again(
    desk: Edge, talk: Path
) -> None:
    async with decoding(desk.redis_url, lambda _window: None) as deaf:
        job = await desk.submit(talk)
        async with desk.worker() as worker:
            await desk.until(job, lambda _job: bool(deaf.heard))
            (child,) = psutil.Process(worker.pid).children()
            worker.kill()
            await desk.until(job, lambda job: job["status"] == "queued")
            await asyncio.to_thread(child.wait, 10)
    desk.redis.delete("steno:{00}:windows")
    async with decoding(desk.redis_url):
        await desk.work()
    assert (await desk.job(job))["status"] == "finished"


async def test_a_window_that_redis_lost_is_put_again(desk: Edge, talk: Path) -> None:
    job = await desk.submit(talk)
    async with desk.worker("--burst") as worker:
        async with decoding(desk.redis_url, lambda _window: None) as deaf:
            await desk.until(job, lambda _job: bool(deaf.heard))
        desk.redis.delete("steno:{00}:windows")
        async with decoding(desk.redis_url):
            assert (await desk.until(job, lambda job: job["status"] == "finished"))["progress"] == 1.0
        await worker.communicate()


async def test_a_queued_job_is_cancelled_at_once(desk: Edge, talk: Path) -> None:
    job = await desk.submit(talk)
    for _ in range(2):
        answer = await desk.http.delete(f"/v1/jobs/{job}")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")
    assert (await desk.job(job))["status"] == "cancelled"
    assert not list(desk.data_dir.glob("jobs/*"))
    async with decoding(desk.redis_url) as decoder:
        await desk.work()
    assert decoder.heard == []


async def test_a_running_job_is_cancelled_and_its_files_go(desk: Edge, talk: Path) -> None:
    job = await desk.submit(talk)
    async with (
        decoding(desk.redis_url, lambda w: canned(w) if w.number < 1 else None),
        desk.worker("--burst") as worker,
    ):
        await desk.until(job, lambda job: job["progress"] > 0.1)
        await desk.http.delete(f"/v1/jobs/{job}")
        assert (await desk.job(job))["status"] == "cancelled"
        await worker.communicate()
    assert (await desk.job(job))["status"] == "cancelled"
    assert not list(desk.data_dir.glob("jobs/*"))


async def test_a_finished_job_can_be_deleted(desk: Edge, tmp_path: Path) -> None:
    job = await desk.submit(write_media(tmp_path / "a.wav", np.zeros(16_000, np.float32)))
    await desk.work()
    assert (await desk.http.delete(f"/v1/jobs/{job}")).status_code == 204
    assert (await desk.http.get(f"/v1/jobs/{job}")).status_code == 404
    assert (await desk.http.get(f"/v1/jobs/{job}/result")).status_code == 404
    assert not list(desk.data_dir.glob("jobs/*"))


async def test_ended_jobs_are_forgotten_in_time(desk: Edge, tmp_path: Path) -> None:
    job = await desk.submit(write_media(tmp_path / "a.wav", np.zeros(16_000, np.float32)))
    await desk.work()
    assert 0 < desk.redis.ttl(f"rq:job:{job}") <= TTL_S


async def test_an_upload_that_was_lost_fails_the_job(desk: Edge, talk: Path) -> None:
    job = await desk.submit(talk)
    desk.storage.drop_input(job)
    await desk.work()
    record = await desk.job(job)
    assert record["status"] == "failed"
    assert "send the file again" in record["error"]["message"]


async def test_a_job_that_takes_too_long_fails_and_is_not_begun_again(
    redis_url: str, data_dir: Path, talk: Path
) -> None:
    async with edge(redis_url, data_dir, timeout_s=3) as desk, decoding(redis_url, lambda _window: None):
        job = await desk.submit(talk)
        await desk.work()
        record = await desk.job(job)
        assert (record["status"], record["error"]["code"]) == ("failed", "too_large")


async def test_no_speech_model_is_loaded_for_file_jobs() -> None:
    code = (
        "import sys, worker.jobs.__main__, worker.jobs.file_job\n"
        "sys.exit(bool({'ctranslate2', 'faster_whisper', 'transformers'} & set(sys.modules)))"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code)
    assert await process.wait() == 0


async def test_options_are_kept_beside_the_upload_only(desk: Edge, talk: Path) -> None:
    job = await desk.submit(talk, prompt="Zwetschge")
    (path,) = desk.data_dir.glob("jobs/*/options.json")
    assert path.parent.name == job
    assert json.loads(path.read_text())["prompt"] == "Zwetschge"


async def test_a_small_file_with_endless_audio_fails_and_does_not_go_on(
    redis_url: str, data_dir: Path, tmp_path: Path
) -> None:
    """What comes out of a file is bounded, whatever it weighs and says."""
    bomb = write_media(tmp_path / "bomb.flac", np.zeros(120 * 16_000, np.float32))
    async with edge(redis_url, data_dir, settings={"STENO_AUDIO_S_MAX": "60"}) as desk:
        job = await desk.submit(bomb)
        await desk.work()
        record = await desk.job(job)
    assert (record["status"], record["error"]["code"]) == ("failed", "too_large")
    assert "60 s" in record["error"]["message"]


@pytest.mark.slow
async def test_a_result_that_can_t_be_stored_is_stored_at_a_retry_without_decoding_again(
    desk: Edge, talk: Path
) -> None:
    async with decoding(desk.redis_url) as decoder:
        job = await desk.submit(talk)
        # Nothing can be moved to where a folder lies.
        in_the_way = desk.data_dir / "jobs" / job / "result.json"
        in_the_way.mkdir()
        await desk.work()
        record = await desk.job(job)
        assert (record["status"], record["error"]["code"]) == ("failed", "unavailable")
        assert "disk" in record["error"]["message"]
        assert record["error"]["retryable"] is True
        in_the_way.rmdir()
        heard = len(decoder.heard)
        assert (await desk.http.post(f"/v1/jobs/{job}/retry")).status_code == 202
        await desk.work()
        assert (await desk.job(job))["status"] == "finished"
    assert len(decoder.heard) == heard == len({window.number for window in decoder.heard})


async def test_files_that_lie_and_samples_that_are_no_numbers_are_transcribed_as_far_as_they_go(
    desk: Edge, tmp_path: Path
) -> None:
    claim, wrong = tmp_path / "claim.wav", clip("en_twain").samples().copy()
    claim.write_bytes(mulaw_header(100 * 3600) + b"\xff" * 8000)
    wrong[8_000:24_000] = np.nan
    async with decoding(desk.redis_url) as decoder:
        jobs = [await desk.submit(claim), await desk.submit(write_float_wav(tmp_path / "nan.wav", wrong))]
        await desk.work()
    lying, damaged = [await desk.job(job) for job in jobs]
    assert (lying["status"], lying["duration"]) == ("finished", 1.0)
    assert damaged["status"] == "finished"
    assert "damaged" in damaged["warning"]
    assert [window.job for window in decoder.heard] == [jobs[1]]
