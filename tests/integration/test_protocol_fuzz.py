"""Whatever clients send, the edge answers or closes, logs no exception, and no session stays behind.

STENO_FUZZ_MESSAGES sets how many random messages are sent (100,000 before a release), STENO_FUZZ_SEED
repeats a run.
"""

import asyncio
import contextlib
import json
import os
import random
import socket
from collections.abc import Generator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_sync

from shared.redis.keys import Keys
from tests.conftest import leaked_keys
from tests.support.live import Message, transcribe
from tests.support.redis_client import client_of
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

MESSAGES = int(os.environ.get("STENO_FUZZ_MESSAGES", "1500"))
SEED = int(os.environ.get("STENO_FUZZ_SEED", "0")) or random.randrange(1 << 30)
CLIENTS = 8
TERMINAL = (1000, 1006, 1008, 1009, 1013, 4001)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Generator[Service]:
    """A service of the fuzz tests' own: they read its log."""
    with Service.running(
        tmp_path_factory.mktemp("fuzz"), engine="scripted", modules=("api", "worker"), resume_s="1"
    ) as running:
        yield running
        assert leaked_keys(running.redis_url) == []


async def nothing_is_left(own: Service) -> None:
    """Every session comes to its end, no exception was logged, and the service serves."""
    async with client_of(own.redis_url) as redis, asyncio.timeout(100):
        while await redis.xlen(Keys().queue(0)):  # noqa: ASYNC110 - another process changes it
            await asyncio.sleep(0.1)
    log = own.log.read_text()
    assert "Traceback" not in log, log[-4000:]
    assert (await transcribe(own.ws_url, spoken())).of("final")


class Random:
    """Random messages and queries, more often nearly right than wholly wrong."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.known: list[Message] = []
        """What `ready` said, of sessions that may be resumed."""

    def message(self) -> bytes | str:
        """What a client might send."""
        kind = self.chance.random()
        if kind < 0.7:
            return self.chance.randbytes(self.chance.choice((0, 1, 2, 3, 511, 3200, 6401, 40_000)))
        if kind < 0.97:
            extra: dict[str, Any] = {} if self.chance.random() < 0.7 else {"at": self.value()}
            kinds = ("finalize", "keepalive", "keepalive", "keepalive")
            return json.dumps({"type": self.chance.choice(kinds), **extra})
        if kind < 0.98:
            return json.dumps({"type": "end"})
        junk = ("", "{", "[]", "null", "3", '"end"', '{"type": 1}', '{"type": "seek"}', "\u0000", "é" * 99)
        return self.chance.choice((*junk, json.dumps(self.value()), "[" * 5000))

    def value(self) -> object:
        """Something that JSON can say."""
        plain = (None, True, -1, 1e308, 2**63, "end", "\ud83d\ude00", [], {})
        return self.chance.choice((*plain, [[None]], {"type": "end"}))

    def query(self) -> dict[str, str]:
        """What a client might connect with."""
        if self.known and self.chance.random() < 0.3:
            ready = self.chance.choice(self.known)
            query = {"session": ready["session"], "token": ready["token"], "after": "1"}
            if self.chance.random() < 0.3:
                query[self.chance.choice(tuple(query))] = self.chance.choice(
                    ("", "x", "99999", "é", "0" * 32)
                )
            return query
        choices = {
            "sample_rate": ("8000", "44100", "16000", "96000", "1"),
            "encoding": ("pcm16", "float32", "mulaw", "alaw", "mp3"),
            "channels": ("1", "2", "8", "9"),
            "acks": ("true", "maybe"),
            "language": ("en", "xx"),
        }
        names = self.chance.sample(tuple(choices), self.chance.randrange(3))
        return {name: self.chance.choice(choices[name]) for name in names}


async def client(own: Service, source: Random, budget: list[int]) -> None:
    """Connections one after another, until the budget of messages is spent."""
    while budget[0] > 0:
        address = f"{own.ws_url}/v1/stream?{urlencode(source.query())}"
        with contextlib.suppress(InvalidStatus):
            async with connect(address, close_timeout=5) as opened:
                await one_connection(opened, source, budget)
                assert opened.close_code is None or opened.close_code in TERMINAL, opened.close_code


async def one_connection(opened: Any, source: Random, budget: list[int]) -> None:
    reading = asyncio.create_task(read(opened, source))
    try:
        for _ in range(source.chance.randrange(1, 80)):
            budget[0] -= 1
            await opened.send(source.message())
        if source.chance.random() < 0.3:
            opened.transport.abort()
    except ConnectionClosed:
        pass
    finally:
        if source.chance.random() < 0.5:
            await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def read(opened: Any, source: Random) -> None:
    with contextlib.suppress(ConnectionClosed):
        async for text in opened:
            message = json.loads(text)
            if message["type"] == "ready":
                source.known = [*source.known[-20:], message]


@pytest.mark.timeout(120 + MESSAGES // 100)
async def test_many_random_messages_leave_nothing_behind(own: Service) -> None:
    print(f"STENO_FUZZ_SEED={SEED} STENO_FUZZ_MESSAGES={MESSAGES}")
    budget = [MESSAGES]
    source = Random(SEED)
    await asyncio.gather(*(client(own, source, budget) for _ in range(CLIENTS)))
    await nothing_is_left(own)


class OneClient(RuleBasedStateMachine):
    """One client in any order of its steps; every close has a documented code. Which steps are possible
    depends on the steps before alone, not on when the server acts."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.sockets = contextlib.ExitStack()
        self.socket: ClientConnection | None = None
        self.ready: Message = {}
        self.is_over = False

    def teardown(self) -> None:
        self.sockets.close()

    @precondition(lambda self: self.socket is None)
    @rule(query=st.sampled_from(({}, {"acks": "true"}, {"sample_rate": "44100"}, {"words": "1"})))
    def open(self, query: dict[str, str]) -> None:
        self.ready, self.is_over = self._connected(query), False

    @precondition(lambda self: self.socket is None and self.ready)
    @rule(after=st.sampled_from((0, 1)))
    def resume(self, after: int) -> None:
        """A session that lives, or is remembered, is always found again."""
        query = {"session": self.ready["session"], "token": self.ready["token"], "after": str(after)}
        ready = self._connected(query)
        assert ready["session"] == self.ready["session"]
        assert ready["resumed"]["ended"] or not self.is_over

    @precondition(lambda self: self.socket is not None)
    @rule(data=st.binary(max_size=9000), times=st.integers(1, 4))
    def audio(self, data: bytes, times: int) -> None:
        for _ in range(times):
            self._send(data)

    @precondition(lambda self: self.socket is not None)
    @rule(kind=st.sampled_from(("finalize", "keepalive")))
    def wish(self, kind: str) -> None:
        self._send(json.dumps({"type": kind}))

    @precondition(lambda self: self.socket is not None)
    @rule()
    def end(self) -> None:
        self._send('{"type":"end"}')
        self._read_to_the_close((1000, 1008))  # 1008: garbage ended it before

    @precondition(lambda self: self.socket is not None)
    @rule(text=st.text(max_size=20).filter(lambda text: '"type"' not in text))
    def garbage(self, text: str) -> None:
        self._send(text)
        self._read_to_the_close((1000, 1008))

    @precondition(lambda self: self.socket is not None)
    @rule()
    def lose(self) -> None:
        assert self.socket is not None
        with contextlib.suppress(OSError):  # the server may have closed it
            self.socket.socket.shutdown(socket.SHUT_RDWR)
        self.socket = None

    def _connected(self, query: dict[str, str]) -> Message:
        opened = connect_sync(f"{self.url}/v1/stream?{urlencode(query)}", close_timeout=1)
        self.socket = self.sockets.enter_context(opened)
        ready: Message = json.loads(self.socket.recv(30))
        assert ready["type"] == "ready"
        return ready

    def _send(self, message: bytes | str) -> None:
        assert self.socket is not None
        with contextlib.suppress(ConnectionClosed):  # a session that is over says so and closes
            self.socket.send(message)

    def _read_to_the_close(self, codes: tuple[int, ...]) -> None:
        assert self.socket is not None
        with contextlib.suppress(ConnectionClosed):
            while True:
                self.socket.recv(30)
        assert self.socket.close_code in codes
        self.socket, self.is_over = None, True


@pytest.mark.timeout(120 + MESSAGES // 100)
async def test_any_order_of_a_client_s_steps_is_answered(own: Service) -> None:
    profile = settings(
        max_examples=max(8, MESSAGES // 500),
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    await asyncio.to_thread(run_state_machine_as_test, lambda: OneClient(own.ws_url), settings=profile)
    await nothing_is_left(own)
