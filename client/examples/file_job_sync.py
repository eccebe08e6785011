"""The same without async: python -m client.examples.file_job_sync talk.mp3"""

import sys

from client import JobOptions
from client.sync import Jobs


def main(path: str, url: str = "http://127.0.0.1:8000") -> None:
    with Jobs(url) as jobs:
        job = jobs.submit(path, JobOptions(language="en"))
        jobs.wait(job.id, on_progress=lambda now: print(f"{now.status} {now.progress:.0%}"))
        print(jobs.result(job.id, "txt"))


if __name__ == "__main__":
    main(*sys.argv[1:])
