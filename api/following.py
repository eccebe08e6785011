"""Follows files of settings that change while the edge runs."""

import asyncio
from collections.abc import Callable
from typing import Final, NoReturn

LOOK_S: Final = 5.0
"""Between two looks. Mounted secrets change by a link being replaced, of which no signal tells, and looking
costs one read of a small file."""


async def look_forever(*looks: Callable[[], None]) -> NoReturn:
    """Call each of them again and again. They block."""
    while True:
        await asyncio.sleep(LOOK_S)
        for look in looks:
            await asyncio.to_thread(look)
