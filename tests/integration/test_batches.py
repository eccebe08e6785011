"""Audio of many sessions, appended at the same time and sent to Redis together: each gets its own answer."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from shared.errors import MustResume, NotFound, TakenOver
from shared.events import Error, Limits, Ready, SessionConfig
from shared.redis.connection import AsyncRedis, ConnectionLost, connect
from shared.redis.embedded import EmbeddedServer
from shared.redis.keys import Keys
from shared.redis.sessions import SessionLog

pytestmark = pytest.mark.anyio

KEYS = Keys()
COUNT = 300
CHUNK = b"\1\0" * 1600
READY = Ready(session="", token="", model="", limits=Limits(message_bytes_max=1, session_s_max=1, resume_s=1))


async def opened(redis: AsyncRedis, count: int = COUNT) -> tuple[SessionLog, list[str]]:
    """Sessions that are open, and their log."""
    log = SessionLog(redis, KEYS, resume_s=5)
    names = [f"{n:032x}" for n in range(count)]
    for name in names:
        await log.open(name, "t", SessionConfig(), READY)
    return log, names


async def test_sessions_that_append_at_once_all_have_their_audio(redis: AsyncRedis) -> None:
    log, names = await opened(redis)
    for start in (0, 1600):
        assert all(await asyncio.gather(*(log.append(name, start, CHUNK) for name in names)))
    for name in names:
        entries = await redis.xrange(KEYS.session(name).audio) or []
        assert [entry for entry, _ in entries] == [b"1600-0", b"3200-0"]


async def test_what_one_session_is_refused_concerns_no_other(redis: AsyncRedis) -> None:
    log, names = await opened(redis, 40)
    await log.fail(names[3], Error(code="c", message="m"))
    await log.attach(names[5])
    await log.append(names[7], 0, CHUNK)
    starts = {name: 1600 if name == names[9] else 0 for name in names}
    replies = await asyncio.gather(
        *(log.append(name, starts[name], CHUNK) for name in names), return_exceptions=True
    )
    special = {n: type(reply) for n, reply in enumerate(replies) if reply is not True}
    assert special == {3: NotFound, 5: TakenOver, 7: bool, 9: MustResume}


async def test_a_server_that_forgot_its_scripts_is_given_them_again(redis: AsyncRedis) -> None:
    log, names = await opened(redis, 40)
    await redis.script_flush()
    assert all(await asyncio.gather(*(log.append(name, 0, CHUNK) for name in names)))


async def test_who_stops_waiting_keeps_nobody_else_from_an_answer(redis: AsyncRedis) -> None:
    log, names = await opened(redis, 40)
    tasks = [asyncio.create_task(log.append(name, 0, CHUNK)) for name in names]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    replies = await asyncio.gather(*tasks, return_exceptions=True)
    assert replies[1::2] == [True] * 20
    assert all(isinstance(reply, asyncio.CancelledError) for reply in replies[::2])


async def test_behind_a_slow_server_few_batches_wait_and_all_arrive(redis: AsyncRedis) -> None:
    log, names = await opened(redis, 40)
    await log.append(names[0], 0, CHUNK)  # the server has the script now
    before = (await redis.info("clients"))["connected_clients"]
    await redis.client_pause(300)
    appends = list[asyncio.Task[bool]]()
    for name in names[1:]:
        appends.append(asyncio.create_task(log.append(name, 0, CHUNK)))
        await asyncio.sleep(0.002)
    assert all(await asyncio.gather(*appends))
    after = (await redis.info("clients"))["connected_clients"]
    assert after - before < 4, "a connection for each batch on its way, and no more"


async def test_a_command_is_written_in_the_task_that_asks(redis: AsyncRedis) -> None:
    log, names = await opened(redis, 1)
    made = list[str]()

    def note(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        made.append(coroutine.__qualname__)
        return asyncio.Task(coroutine, loop=loop, **options)

    loop = asyncio.get_running_loop()
    loop.set_task_factory(note)
    try:
        assert await log.covered(names[0]) == 0
    finally:
        loop.set_task_factory(None)
    assert made == []


async def test_a_server_that_is_gone_is_an_error_for_each(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "valkey")
    server.start()
    client = connect(server.url)
    try:
        log, names = await opened(client, 40)
        server.kill()
        appends = [log.append(name, 0, CHUNK) for name in names]
        replies = await asyncio.gather(*appends, return_exceptions=True)
        assert all(isinstance(reply, ConnectionLost) for reply in replies)
        await asyncio.to_thread(server.restart)
        assert all(await asyncio.gather(*(log.append(name, 0, CHUNK) for name in names)))
    finally:
        await client.aclose()
        server.stop()


async def test_a_client_has_as_many_blocking_reads_as_sessions(redis: AsyncRedis) -> None:
    reads = [redis.xread({f"nothing {n}": "$"}, block=500) for n in range(COUNT)]
    assert not any(await asyncio.gather(*reads))
