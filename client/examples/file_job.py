"""A file as a job, with progress: python -m client.examples.file_job talk.mp3"""

import asyncio
import sys

from client import JobOptions, JobProgress, JobRecord, Jobs, Segment


async def main(path: str, url: str = "http://127.0.0.1:8000") -> None:
    async with Jobs(url) as jobs:
        # The same key gives the same job: after a crash, run it again, and nothing is done twice.
        job = await jobs.submit(path, JobOptions(language="en", words=True), key=f"example-{path}")
        async for event in jobs.events(job.id):
            if isinstance(event, JobProgress):
                print(f"{event.status} {event.progress:.0%}")
            elif isinstance(event, Segment):
                print(f"{event.start:7.2f} {event.text}")  # as soon as it is finished
            elif isinstance(event, JobRecord):
                print(event.status)
        print(await jobs.result(job.id, "srt"))
        await jobs.remove(job.id)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
