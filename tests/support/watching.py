"""Waits until what a service says of itself is so."""

import asyncio
from collections.abc import Callable

from client import System, Watch

WAIT_S_MAX = 60.0


async def seen(watch: Watch, fact: Callable[[System], bool]) -> System:
    """The first look at which something is so."""
    async with asyncio.timeout(WAIT_S_MAX):
        while True:
            if fact(system := await watch.look()):
                return system
            await asyncio.sleep(0.2)
