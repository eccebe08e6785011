"""Errors, and what to do about them: python -m client.examples.errors talk.mp3"""

import asyncio
import sys

from client import BadAudio, BadRequest, Jobs, StenoError, Unauthorized

ATTEMPTS = 5


async def transcribe(jobs: Jobs, path: str) -> str:
    for attempt in range(ATTEMPTS):
        try:
            job = await jobs.submit(path, key=f"errors-{path}")
            await jobs.wait(job.id)
            return await jobs.result(job.id, "txt")
        except StenoError as error:
            if not error.retryable or attempt == ATTEMPTS - 1:
                raise
            await asyncio.sleep(error.retry_after_s or 2.0**attempt)
    raise AssertionError


async def main(path: str, url: str = "http://127.0.0.1:8000") -> str:
    try:
        async with Jobs(url) as jobs:
            return await transcribe(jobs, path)
    except BadAudio:
        return "this file has no audio that can be read"
    except Unauthorized:
        return "set STENO_API_KEY"
    except BadRequest as error:
        return f"the request was wrong: {error}"  # error.code is a stable word for programs
    except StenoError as error:
        return f"not now: {error}"


if __name__ == "__main__":
    print(asyncio.run(main(*sys.argv[1:])))
