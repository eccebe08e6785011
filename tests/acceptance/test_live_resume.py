"""Real speech over a line that breaks: the transcript is that of a line that does not."""

import asyncio

import pytest

from client import ConnectionChange, Resume, StreamOptions, connect
from tests.support.data import clip
from tests.support.line import Line, line_to
from tests.support.service import Service
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model]

TALK = spoken("en_quilter", "en_stew", "en_wizard")
OPTIONS = StreamOptions(language="en", partials=False)
"""Finals alone: what partials have committed depends on when they were decoded, and finals keep to it."""
SPEED = 4.0
CHUNK_BYTES = 3200


async def said(line: Line, cuts: list[int], changes: list[ConnectionChange]) -> str:
    """The transcript of the talk, the line cut before the chunks whose numbers are given."""
    resume = Resume(delay_s=0.05)
    async with connect(line.url, options=OPTIONS, resume=resume, on_connection=changes.append) as session:

        async def send() -> None:
            for number, start in enumerate(range(0, len(TALK), CHUNK_BYTES)):
                if number in cuts:
                    line.cut()
                await session.send(TALK[start : start + CHUNK_BYTES])
                await asyncio.sleep(CHUNK_BYTES / 32000 / SPEED)
            await session.end()

        sending = asyncio.create_task(send())
        async for _ in session:
            pass
        await sending
        return session.transcript.text


@pytest.mark.slow
async def test_three_cuts_in_mid_word_do_not_show_in_the_transcript(english: Service) -> None:
    middle_s = [0.8 + clip("en_quilter").duration_s * share for share in (0.3, 0.55, 0.8)]
    changes: list[ConnectionChange] = []
    async with line_to(english.url) as line:
        undisturbed = await said(line, [], [])
        disturbed = await said(line, [round(second * 10) for second in middle_s], changes)
    assert [change.is_up for change in changes] == [False, True] * 3
    assert disturbed == undisturbed
    assert len(undisturbed.split()) > 20
