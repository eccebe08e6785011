"""`python -m worker.jobs`: the RQ worker for file jobs. No speech model runs here.

RQ's defaults let an abandoned job lie for ten minutes and more, wait for a running job at SIGTERM however
long it takes, and show what a job was called with; `JobsWorker` changes that.
"""

import argparse
import contextlib
import logging
import os
import signal
import sys
import time
from typing import Any, Final

from rq import Queue, Worker
from rq.job import Job

from shared.errors import BadParameter, StenoError
from shared.jobs import QUEUE
from shared.logs import configure
from shared.redis.connection import SyncRedis, connect_sync, jobs_address
from shared.settings import Settings, load_settings
from shared.storage import JobStorage
from worker.jobs import PARENT_PID

log = logging.getLogger("worker.jobs")

_BEAT_S: Final = 5
"""Between two signs of life of a running job."""
_SILENCE_S: Final = 20
"""A job without a sign of life for this long is begun again; several beats, for a machine that is busy."""
_MAINTENANCE_S: Final = 5
"""Between two searches for such jobs, while this worker has nothing to do."""
_DEQUEUE_S: Final = 5
_RECONNECT_S_MAX: Final = 5.0


class JobsWorker(Worker):
    """RQ's forking worker with Steno's times, and with a way to hand a running job over."""

    max_connection_wait_time = _RECONNECT_S_MAX

    def __init__(self, connection: SyncRedis, storage: JobStorage, job_ttl_s: int) -> None:
        queue = Queue(QUEUE, connection=connection, serializer="json")
        super().__init__(
            [queue],
            connection=connection,
            serializer="json",
            # RQ waits for work for the time to live less 15 s.
            worker_ttl=_DEQUEUE_S + 15,
            maintenance_interval=_MAINTENANCE_S,
            job_monitoring_interval=_BEAT_S,
            default_result_ttl=job_ttl_s,
            log_job_description=False,
        )
        self._storage = storage
        self._job_ttl_s = job_ttl_s
        self.asked_to_stop = False

    def get_heartbeat_ttl(self, job: Job) -> int:
        """RQ's is the interval and a minute."""
        return _SILENCE_S

    def handle_warm_shutdown_request(self) -> None:
        """RQ waits for the running job; it is told to leave instead, and goes on from its checkpoint."""
        self.asked_to_stop = True
        log.info("asked to stop")
        self._pass_on_stop()

    def maintain_heartbeats(self, job: Job) -> None:
        """Also tell the job again to leave: a signal that comes while it is being forked is lost."""
        super().maintain_heartbeats(job)
        if self.asked_to_stop:
            self._pass_on_stop()

    def _pass_on_stop(self) -> None:
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def run_maintenance_tasks(self) -> None:
        """Also delete files of jobs that nobody can ask for any more."""
        super().run_maintenance_tasks()
        if count := self._storage.sweep(older_than_s=self._job_ttl_s, now_s=time.time()):
            log.info("old files deleted", extra={"jobs": count})


def serve(settings: Settings, *, burst: bool) -> bool:
    """Work until asked to stop; with `burst`, until the queue is empty. Returns False when it ended for
    another reason."""
    if not settings.redis_url:
        raise BadParameter("STENO_REDIS_URL is not set; 'steno up' starts an embedded server")
    if not (url := jobs_address(settings.jobs_redis_url, settings.redis_url)):
        raise BadParameter("STENO_JOBS_REDIS_URL is not set; jobs can't be kept in a Redis Cluster")
    os.environ[PARENT_PID] = str(os.getpid())
    connection = connect_sync(url)
    try:
        worker = JobsWorker(connection, JobStorage(settings.data_dir), settings.job_ttl_s)
        log.info("jobs worker ready", extra={"queue": QUEUE})
        worker.work(burst=burst, logging_level="WARNING")
        return burst or worker.asked_to_stop
    finally:
        connection.close()


def _allow_fork_on_macos() -> None:
    """Apple's Objective-C runtime aborts a forked child unless this is set before the process starts. RQ's
    `SpawnWorker` is no way out: it can't reach a server on a Unix socket."""
    name = "OBJC_DISABLE_INITIALIZE_FORK_SAFETY"
    if sys.platform == "darwin" and os.environ.get(name) != "YES":
        os.environ[name] = "YES"
        os.execv(sys.executable, [sys.executable, "-m", "worker.jobs", *sys.argv[1:]])


def main() -> int:
    """Exit status 2 for what the operator can mend, 1 when RQ's worker gave up."""
    parser = argparse.ArgumentParser(prog="python -m worker.jobs", description="Run file jobs.")
    parser.add_argument("--burst", action="store_true", help="end when no job waits")
    arguments: Any = parser.parse_args()
    _allow_fork_on_macos()
    try:
        settings = load_settings()
        configure(settings.log_level)
        return 0 if serve(settings, burst=arguments.burst) else 1
    except StenoError as error:
        sys.stderr.write(f"steno jobs: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
