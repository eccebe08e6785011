"""The load generator against a small server of the protocol, and the usage watch on a real process."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Awaitable, Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve

from bench.dataset import Passage, Program, programs
from bench.replay import Recording, replay
from bench.usage import Watch

Handler = Callable[[ServerConnection], Awaitable[None]]

READY = {"type": "ready", "seq": 1}
CLOSED = {"type": "closed", "seq": 2, "reason": "end", "duration": 0.0, "utterances": 0}


def program(seconds: float) -> Program:
    audio = bytes(range(256)) * round(seconds * 125)
    (made,) = programs([Passage(name="a", language="en", text="", pcm16=audio)], count=1, seconds=0)
    return made


def play(handler: Handler, seconds: float = 0.25) -> Recording:
    """Replay against a server of one handler."""

    async def run() -> Recording:
        async with serve(handler, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await replay(
                f"ws://127.0.0.1:{port}/v1/stream", program(seconds), query={"language": "en"}
            )

    return asyncio.run(run())


def test_all_audio_is_sent_in_order_and_the_close_awaited():
    """Chunks add up to the program, `end` comes last, every message is recorded."""
    audio, texts, paths = bytearray(), list[str](), list[str]()

    async def server(socket: ServerConnection) -> None:
        assert socket.request is not None
        paths.append(socket.request.path)
        await socket.send(json.dumps(READY))
        async for message in socket:
            if isinstance(message, str):
                texts.append(message)
                break
            audio.extend(message)
        await socket.send(json.dumps(CLOSED))

    recording = play(server)
    assert bytes(audio) == program(0.25).pcm16
    assert texts == ['{"type": "end"}']
    assert paths == ["/v1/stream?language=en"]
    assert [message["type"] for _, message in recording.messages] == ["ready", "closed"]
    assert (recording.failure, recording.close_code) == ("", 1000)
    assert recording.sent_s == program(0.25).duration_s
    assert len(recording.slips_s) == 13
    ready_at_s, closed_at_s = (at_s for at_s, _ in recording.messages)
    assert ready_at_s <= 0 < recording.sent_s <= closed_at_s


def test_a_refusal_is_recorded_and_nothing_is_sent():
    """The error's code and text tell why."""

    async def server(socket: ServerConnection) -> None:
        await socket.send(json.dumps({"type": "error", "seq": 1, "code": "no_capacity", "message": "busy"}))
        await socket.close(1013)

    recording = play(server)
    assert recording.failure == "no_capacity: busy"
    assert (recording.close_code, recording.sent_s) == (1013, 0.0)
    assert recording.ready_s != recording.ready_s


def test_a_lost_connection_is_recorded():
    """Whatever was received stays."""

    async def server(socket: ServerConnection) -> None:
        await socket.send(json.dumps(READY))
        await socket.recv()
        socket.transport.abort()

    recording = play(server, seconds=5)
    assert "ConnectionClosedError" in recording.failure
    assert len(recording.messages) == 1
    assert recording.sent_s < 5


def test_no_server_is_recorded():
    """The run goes on with its other sessions."""

    async def server(socket: ServerConnection) -> None:
        await socket.wait_closed()

    async def run() -> Recording:
        async with serve(server, "127.0.0.1", 0) as running:
            port = running.sockets[0].getsockname()[1]
        return await replay(f"ws://127.0.0.1:{port}", program(0.1), query={})

    recording = asyncio.run(run())
    assert "ConnectionRefused" in recording.failure
    assert recording.messages == []


BUSY = "import sys; sum(range(10_000_000)); print('done', flush=True); sys.stdin.read()"


@pytest.fixture
def family():
    """A process with a busy child; both end when the parent's input closes."""
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BUSY!r}])"
    with subprocess.Popen(
        [sys.executable, "-c", f"import sys; sys.stdin.readline()\n{parent}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)


def test_the_usage_of_children_is_counted(family: "subprocess.Popen[str]"):
    """What a child started later spends is in the total."""
    assert family.stdin is not None
    assert family.stdout is not None
    with Watch(family.pid) as watch:
        family.stdin.write("\n")
        family.stdin.flush()
        assert family.stdout.readline() == "done\n"
    usage = watch.usage()
    assert usage.cpu_s > 0.05
    assert usage.peak_rss_bytes > 5_000_000
