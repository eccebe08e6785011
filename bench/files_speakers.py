"""Who speaks, as a job says it of conversations: words given to the wrong speaker, and speakers found."""

import argparse
import asyncio
import itertools
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from bench.conversations import Conversation, conversation, voices_of, wrong_words
from bench.file_service import write_wav
from bench.server import Server, running
from client.jobs import Jobs
from shared.jobs import JobOptions

HELD_OUT: Final = ("lj", "hauy-narrator", "potus45", "rosehill")
"""Speakers of `shared/data/open` on whom nothing was chosen: the threshold is from readers of LibriSpeech."""
_SECONDS: Final = 90.0


def speakers(options: argparse.Namespace, settings: Mapping[str, str], scratch: Path) -> dict[str, Any]:
    """One conversation of each set of `options.speakers`, 90 s each; figures by how many take part."""
    voices = voices_of(options.data, options.speakers, language=options.language)
    rows: dict[int, list[tuple[int, int, int]]] = {}
    with running(settings=settings, log=options.log) as server:
        for seed, chosen in enumerate(_sets(options.speakers)):
            spoken = conversation({name: voices[name] for name in chosen}, seconds=_SECONDS, seed=seed)
            path = write_wav(scratch / f"{seed}.wav", spoken.pcm16)
            row = asyncio.run(_told(server, path, spoken, options.language))
            rows.setdefault(len(chosen), []).append(row)
            print(
                f"{', '.join(chosen):44} words {row[1]}, wrong {row[0]}, speakers {row[2]}", file=sys.stderr
            )
    return {
        f"{count} speakers": {
            "conversations": len(found),
            "words": sum(row[1] for row in found),
            "wrong_speaker": round(sum(row[0] for row in found) / sum(row[1] for row in found), 4),
            "number_right": sum(row[2] == count for row in found),
        }
        for count, found in rows.items()
    }


def _sets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for count in range(1, len(names) + 1):
        yield from itertools.combinations(names, count)


async def _told(server: Server, path: Path, spoken: Conversation, language: str) -> tuple[int, int, int]:
    """Words with a wrong speaker, words, and speakers that the job tells of."""
    async with Jobs(server.stream_url) as jobs:
        job = await jobs.submit(path, JobOptions(language=language, words=True, diarize=True))
        await jobs.wait(job.id)
        segments = json.loads(await jobs.result(job.id, "json"))["segments"]
    words = [
        ((word["start"] + word["end"]) / 2, segment["speaker"])
        for segment in segments
        for word in segment["words"]
    ]
    return *wrong_words(spoken.turns, words), len({segment["speaker"] for segment in segments})
