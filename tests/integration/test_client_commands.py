"""`steno listen` and `steno transcribe` as they are run: in a pipe, on a terminal, interrupted."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.events import Error, Resumed
from tests.support.data import clip
from tests.support.http_stub import Answer, Asked, answering
from tests.support.media import write_media
from tests.support.service import Service
from tests.support.wire import READY, Talk, final, partial, plain_session, speaking

STENO = Path(sys.executable).with_name("steno")
DEMO = clip("en_demo").path


def start(*words: object, **streams: Any) -> subprocess.Popen[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STENO_", "STT_"))}
    given = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **streams}
    # A terminal that wants colour is no reason to write codes into a pipe.
    environment = clean | {"FORCE_COLOR": "1", "TERM": "xterm-256color"}
    return subprocess.Popen([str(STENO), *map(str, words)], env=environment, text=True, **given)


def run(*words: object) -> tuple[int, str, str]:
    """Run to the end. Returns exit status, standard output and standard error."""
    with start(*words) as process:
        out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_a_file_in_a_pipe_gives_finals_as_lines() -> None:
    with speaking(plain_session) as server:
        assert run("listen", DEMO, "--speed", "max", "--url", server.url) == (0, "one two.\n", "")
        talk = server.last()
    assert talk.audio == clip("en_demo").pcm16()
    assert talk.query == {"partials": "false", "acks": "true"}


def test_json_has_every_message() -> None:
    with speaking(plain_session) as server:
        status, out, err = run("listen", DEMO, "--speed", "0", "--json", "--words", "--url", server.url)
        assert server.last().query == {"words": "true", "acks": "true"}
    messages = [json.loads(line) for line in out.splitlines()]
    assert [(m["type"], m["seq"]) for m in messages] == [
        ("ready", 1),
        ("partial", 2),
        ("partial", 3),
        ("final", 4),
        ("closed", 5),
    ]
    assert (status, err) == (0, "")


def test_raw_audio_from_standard_input_is_sent_as_it_is(tmp_path: Path) -> None:
    audio = bytes(range(256)) * 100
    raw = tmp_path / "raw"
    raw.write_bytes(audio)
    flags = ["--sample-rate", 8000, "--encoding", "mulaw", "--language", "de", "--speed", "max"]
    with speaking(plain_session) as server, raw.open("rb") as stdin:
        with start("listen", "-", *flags, "--url", server.url, stdin=stdin) as process:
            assert process.communicate(timeout=60)[0] == "one two.\n"
        talk = server.last()
    assert talk.audio == audio
    assert talk.query == {
        "sample_rate": "8000",
        "encoding": "mulaw",
        "language": "de",
        "partials": "false",
        "acks": "true",
    }


def test_a_terminal_sees_partials_in_place_and_keeps_the_final() -> None:
    master, slave = pty.openpty()
    with speaking(plain_session) as server:
        with start("listen", DEMO, "--speed", "max", "--url", server.url, stdout=slave) as process:
            os.close(slave)
            assert process.wait(60) == 0
        assert server.last().query == {"acks": "true"}
    with os.fdopen(master, "rb") as terminal:
        shown = terminal.read1(65536).decode()
    assert "one\x1b[2m tow\x1b[0m" in shown
    assert "one two.\r\n" in shown
    assert shown.rindex("one two.") > shown.rindex("tow")


def test_ctrl_c_ends_the_session_and_prints_its_last_final() -> None:
    heard = threading.Event()

    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.hear()
        heard.set()
        talk.hear_until("end")
        talk.say(final("the last words"))
        talk.closed()

    with speaking(script) as server:
        with start("listen", "-", "--url", server.url, stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            process.stdin.write("\0" * 3200)
            process.stdin.flush()
            assert heard.wait(60)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 0
            assert process.stdout is not None
            assert process.stdout.read() == "the last words\n"
        assert server.last().heard[-1] == {"type": "end"}


def test_a_second_ctrl_c_leaves_at_once() -> None:
    ended, leave = threading.Event(), threading.Event()

    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.say(partial("never decided"))
        talk.hear_until("end")
        ended.set()
        leave.wait(60)

    with speaking(script) as server:
        with start("listen", "-", "--url", server.url, "--json", stdin=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline()  # the session is open
            process.send_signal(signal.SIGINT)
            assert ended.wait(60)
            process.send_signal(signal.SIGINT)
            status = process.wait(60)
            assert process.stderr is not None
            assert (status, process.stderr.read()) == (130, "")
        leave.set()


def test_what_the_server_says_against_it_is_one_line() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY, final("kept"))
        talk.say(Error(code="no_capacity", message="all workers are busy", retryable=True))
        talk.socket.close(1013)

    with speaking(script) as server:
        outcome = run("listen", DEMO, "--url", server.url)
    assert outcome == (2, "kept\n", "steno: all workers are busy\n")


def test_a_lost_connection_is_a_note_and_not_a_failure() -> None:
    def script(talk: Talk) -> None:
        if "session" not in talk.query:
            talk.say(READY)
            talk.socket.close(1012)
            return
        talk.say(replace(READY, resumed=Resumed(sample=0, finalized=0, ended=False)))
        talk.hear_until("end")
        talk.say(final("all of it."))
        talk.closed()

    with speaking(script) as server:
        status, out, err = run("listen", DEMO, "--speed", "max", "--url", server.url)
    assert (status, out) == (0, "all of it.\n")
    lost, again = err.splitlines()
    assert "1012" in lost
    assert again.startswith("steno: connected again after ")


def test_a_session_that_the_server_ends_is_no_failure() -> None:
    def script(talk: Talk) -> None:
        talk.say(READY)
        talk.hear()
        talk.say(final("so far"))
        talk.closed(reason="limit")

    with speaking(script) as server:
        assert run("listen", DEMO, "--url", server.url) == (0, "so far\n", "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.wav"], "none.wav: no such file"),
        ([Path(__file__).parent], "is a directory; name a file in it"),
        ([__file__], f"{__file__}: the file is not audio"),
        ([DEMO, "--speed", "fast"], "--speed must be a number from 0, or max"),
        ([DEMO, "--sample-rate", "8000"], "raw audio from standard input"),
        ([DEMO, "--language", "klingon"], "language must be"),
        ([DEMO, "--url", "localhost"], "'localhost' is not an address"),
        ([DEMO, "--url", "ws://127.0.0.1:1"], "start it with 'steno up'"),
        ([DEMO, "--url", "ws://127.0.0.1:1"], "can't reach ws://127.0.0.1:1"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(words: list[object], said: str) -> None:
    status, out, err = run("listen", *words)
    assert (status, out) == (2, "")
    assert err.startswith("steno: ")
    assert said in err
    assert err.count("\n") == 1


def test_a_file_live_against_the_service(service: Service) -> None:
    status, out, err = run("listen", DEMO, "--speed", "max", "--url", service.url)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) >= 2


def test_files_are_transcribed_to_standard_output_in_their_order(service: Service) -> None:
    stew = clip("en_stew").path
    one, two = (run("transcribe", path, "--url", service.url) for path in (DEMO, stew))
    assert one[0] == two[0] == 0
    assert one[1] != two[1]
    assert run("transcribe", DEMO, stew, "--url", service.url) == (0, one[1] + "\n" + two[1], "")


def test_each_file_is_a_line_of_json(service: Service, tmp_path: Path) -> None:
    (tmp_path / "broken.mp3").write_text("no audio")
    words = ["transcribe", DEMO, tmp_path / "broken.mp3", "--language", "en", "--json", "--url", service.url]
    status, out, _ = run(*words)
    heard, broken = [json.loads(line) for line in out.splitlines()]
    assert status == 1
    assert heard["file"] == str(DEMO)
    assert heard["text"].strip()
    assert broken["error"]["code"] == "bad_audio"
    status, out, _ = run(*words, "--out", tmp_path)
    heard, broken = [json.loads(line) for line in out.splitlines()]
    assert Path(heard["path"]).read_text().strip()
    assert "text" not in heard


def test_results_are_written_into_a_directory_and_failures_named(service: Service, tmp_path: Path) -> None:
    broken, missing, out = tmp_path / "broken.wav", tmp_path / "none.wav", tmp_path / "new" / "out"
    broken.write_text("not audio")
    files = [broken, DEMO, missing]
    flags = ["--format", "srt", "--output-dir", out, "--url", service.url]
    status, printed, err = run("transcribe", *files, *flags)
    assert (status, printed) == (1, "")
    assert sorted(path.name for path in out.iterdir()) == ["en_demo.srt"]
    assert " --> " in (out / "en_demo.srt").read_text()
    lines = sorted(err.splitlines())
    assert len(lines) == 2
    assert lines[0].startswith(f"steno: {broken}: ")
    assert lines[1] == f"steno: {missing}: No such file or directory"


def test_ctrl_c_cancels_the_jobs_at_the_server() -> None:
    waiting, removed = threading.Event(), threading.Event()

    def answer(asked: Asked) -> Answer:
        if asked.method == "DELETE":
            removed.set()
        elif asked.path == "/v1/jobs/j1":
            waiting.set()
        return Answer(202, {"id": "j1", "status": "running", "progress": 0.5, "jobs": []})

    with answering(answer) as stub, start("transcribe", DEMO, "--url", stub.url) as process:
        assert waiting.wait(60)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
        assert process.returncode == 130
        assert out == ""
    assert removed.is_set()
    assert stub.asked[-1].path == "/v1/jobs/j1"


@pytest.mark.slow
def test_a_run_that_was_killed_goes_on_with_its_job(service: Service, tmp_path: Path) -> None:
    """Nothing is uploaded or transcribed a second time; with --again it is."""
    # A file that nobody else sends.
    talk = write_media(tmp_path / "talk.flac", clip("en_demo").samples()[8_000:])
    before = count(service)
    with start("transcribe", talk, "--url", service.url, "--format", "json") as killed:
        deadline = time.monotonic() + 60
        while count(service) == before:
            assert time.monotonic() < deadline, "nothing was uploaded"
        killed.kill()
    first = run("transcribe", talk, "--url", service.url, "--format", "json")
    assert (first[0], first[2]) == (0, "")
    copy = tmp_path / "renamed.flac"
    copy.write_bytes(talk.read_bytes())
    assert run("transcribe", copy, "--url", service.url, "--format", "json") == first
    subtitles = run("transcribe", copy, "--url", service.url, "--format", "srt", "--max-lines", 1)
    assert " --> " in subtitles[1]
    assert count(service) == before + 1
    assert run("transcribe", talk, "--url", service.url, "--format", "json", "--again") == first
    assert count(service) == before + 2


def count(service: Service) -> int:
    return len(httpx.get(f"{service.url}/v1/jobs?limit=200").json()["jobs"])


def test_a_terminal_sees_a_bar_for_each_file(service: Service) -> None:
    """On standard error, gone at the end; what is piped has none of it."""
    master, slave = pty.openpty()
    stew = clip("en_stew").path
    shown = bytearray()

    def look() -> None:
        with contextlib.suppress(OSError):  # the other side is closed
            while data := os.read(master, 65536):
                shown.extend(data)

    watching = threading.Thread(target=look)
    with start("transcribe", DEMO, stew, "--url", service.url, "--again", stderr=slave) as process:
        os.close(slave)
        watching.start()
        out, _ = process.communicate(timeout=60)
    watching.join(60)
    os.close(master)
    assert process.returncode == 0
    text = shown.decode()
    for name in (DEMO.name, stew.name):
        assert name in text
        assert name not in out
    assert "finished" in text
    assert "100%" in text
    assert "\x1b" not in out


def listed(service: Service) -> list[dict[str, Any]]:
    status, out, err = run("jobs", "list", "--json", "--limit", 1000, "--url", service.url)
    assert (status, err) == (0, "")
    return json.loads(out)


def test_a_running_job_is_found_by_its_file_and_waited_for() -> None:
    """As after a kill: the server has the job, so no upload follows."""
    looks = iter(["queued", "running", "finished"])

    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/v1/jobs?idempotency_key="):
            return Answer(200, {"jobs": [{"id": "j1", "status": "running", "progress": 0.1}]})
        if asked.path == "/v1/jobs/j1":
            return Answer(200, {"id": "j1", "status": next(looks), "progress": 0.5})
        return Answer(200, b"the text\n", {"Content-Type": "text/plain; charset=utf-8"})

    with answering(answer) as stub:
        assert run("transcribe", DEMO, "--url", stub.url) == (0, "the text\n", "")
    assert {asked.method for asked in stub.asked} == {"GET"}


def test_a_failed_job_is_tried_again_by_the_next_run() -> None:
    def answer(asked: Asked) -> Answer:
        if asked.path.startswith("/v1/jobs?idempotency_key="):
            return Answer(200, {"jobs": [{"id": "j1", "status": "failed", "progress": 0.1}]})
        if asked.method == "POST":
            return Answer(202, {"id": "j1", "status": "queued", "progress": 0})
        if asked.path == "/v1/jobs/j1":
            return Answer(200, {"id": "j1", "status": "finished", "progress": 1})
        return Answer(200, b"the text\n")

    with answering(answer) as stub:
        assert run("transcribe", DEMO, "--url", stub.url) == (0, "the text\n", "")
    assert [asked.path for asked in stub.asked if asked.method == "POST"] == ["/v1/jobs/j1/retry"]


def test_directories_keep_their_shape_and_what_has_a_result_is_left(service: Service, tmp_path: Path) -> None:
    (tmp_path / "in" / "deep").mkdir(parents=True)
    for name in ("a.flac", "deep/b.flac", "deep/notes.txt"):
        (tmp_path / "in" / name).write_bytes(DEMO.read_bytes())
    out = tmp_path / "out"
    flags = ["--out", out, "--url", service.url]
    assert run("transcribe", tmp_path / "in", *flags) == (0, "", "")
    assert [str(path.relative_to(out)) for path in out.rglob("*.*")] == ["a.txt"]
    status, _, err = run("transcribe", tmp_path / "in", "--recursive", *flags)
    assert status == 0
    assert err == f"steno: {tmp_path / 'in' / 'a.flac'}: has a result already; --again makes it anew\n"
    assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == ["a.txt", "deep/b.txt"]
    status, _, err = run("transcribe", tmp_path / "out", "--url", service.url)
    assert (status, "no media file" in err) == (2, True)


@pytest.mark.slow
def test_a_directory_is_watched_until_ctrl_c(service: Service, tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "first.flac").write_bytes(DEMO.read_bytes())
    flags = ["--watch", "--out", out, "--url", service.url]
    with start("transcribe", folder, *flags) as process:
        wait_for(out / "first.flac.txt")
        (folder / "second.flac").write_bytes(clip("en_stew").path.read_bytes())
        wait_for(out / "second.flac.txt")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert (out / "first.flac.txt").read_text() != (out / "second.flac.txt").read_text()
    status, _, err = run("transcribe", folder, "--watch", "--url", service.url)
    assert (status, "--out" in err) == (2, True)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.05)


def test_a_list_without_jobs_says_so() -> None:
    with answering(lambda _asked: Answer(200, {"jobs": []})) as server:
        status, out, err = run("jobs", "list", "--status", "failed", "--url", server.url)
        assert (status, out) == (0, "")
        assert err == "steno: there are no jobs that are failed; 'steno transcribe FILE' makes one\n"
        assert run("jobs", "list", "--json", "--url", server.url) == (0, "[]\n", "")


@pytest.mark.slow
def test_jobs_are_listed_shown_cancelled_and_tried_again(service: Service, tmp_path: Path) -> None:
    status, out, _ = run("transcribe", DEMO, "--again", "--url", service.url)
    assert status == 0
    job = listed(service)[0]
    assert (job["status"], job["name"]) == ("finished", DEMO.name)
    status, out, err = run("jobs", "list", "--status", "finished", "--limit", 1, "--url", service.url)
    assert (status, err) == (0, "")
    header, row = out.splitlines()
    assert header.split() == ["job", "status", "done", "created", "name"]
    assert row.split() == [job["id"], "finished", "100%", job["created_at"], DEMO.name]

    status, out, _ = run("jobs", "show", job["id"], "--url", service.url)
    assert status == 0
    assert f"id          {job['id']}" in out.splitlines()
    status, out, _ = run("jobs", "cancel", job["id"], "--json", "--url", service.url)
    assert (status, json.loads(out)) == (0, job)
    status, out, err = run("jobs", "retry", job["id"], "--url", service.url)
    assert (status, out) == (2, "")
    assert err == "steno: only a failed job can be tried again; this one is finished\n"
    status, out, err = run("jobs", "show", "0" * 32, "--url", service.url)
    assert (status, err.startswith("steno: no such job")) == (2, True)
    status, out, err = run("jobs", "list", "--status", "done", "--url", service.url)
    assert (status, "queued, running" in err) == (2, True)


def test_a_failed_job_shows_in_the_exit_status() -> None:
    record = {
        "id": "j1",
        "status": "failed",
        "progress": 0.5,
        "error": {"code": "bad_audio", "message": "no \x1b[2Jaudio"},
    }
    with answering(lambda _: Answer(200, record)) as stub:
        status, out, err = run("jobs", "show", "j1", "--url", stub.url)
    assert (status, err) == (1, "")
    assert "error       no  [2Jaudio" in out.splitlines()
