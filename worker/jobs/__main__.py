"""`python -m worker.jobs`: the RQ worker for file jobs. No speech model runs here.

RQ's defaults let an abandoned job lie for ten minutes and more, wait for a running job at SIGTERM however
long it takes, and show what a job was called with; `JobsWorker` changes that.
"""

import os

# NumPy's BLAS keeps a thread for each core from its import on, also in every child; see `worker`.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import contextlib
import importlib
import logging
import signal
import sys
import time
from collections.abc import Sequence
from typing import Any, Final

from rq import Queue, Worker
from rq.job import Job
from rq.registry import clean_registries
from rq.utils import now
from rq.worker_registration import clean_worker_registry

from shared.errors import BadParameter, StenoError
from shared.jobs import INTERACTIVE, QUEUES, RUN
from shared.logs import configure
from shared.redis.connection import ConnectionLost, SyncRedis, connect_sync, jobs_address
from shared.redis.deliveries import Deliveries
from shared.redis.job_index import JobIndex
from shared.redis.keys import Keys
from shared.redis.windows import WindowQueue
from shared.settings import Settings, check_redis_is_given, load_settings
from shared.storage import JobStorage
from shared.traces import check_traces
from worker.jobs import PARENT_PID

log = logging.getLogger("worker.jobs")

_BEATS: Final = 4
"""Signs of life of a running job, and searches for jobs without one, in the time after which such a job is
begun again; several, for a machine that is busy."""
_SEARCH_S_MAX: Final = 60
"""A search takes some milliseconds. One that takes longer was cut off: others search again."""
_DEQUEUE_S: Final = 5
_RECONNECT_S_MAX: Final = 5.0
_SWEEP_S: Final = 300.0
"""Between two sweeps: listing a bucket costs money."""
_ORPHAN_S: Final = 3600
"""Files of a job that RQ does not know go after this; an upload that still comes in is younger."""
_LISTED_CHECKED: Final = 200
"""Jobs at the end of the list that are looked up at once, whether they are still there; again while some are
not, for"""
_LISTED_ROUNDS: Final = 100
"""times at most: some seconds."""


class JobsWorker(Worker):
    """RQ's forking worker with Steno's times, and with a way to hand a running job over."""

    max_connection_wait_time = _RECONNECT_S_MAX

    def __init__(
        self,
        connection: SyncRedis,
        windows: SyncRedis,
        storage: JobStorage,
        keys: Keys,
        job_ttl_s: int,
        silence_s: int,
        priorities: Sequence[str] = tuple(QUEUES),
    ) -> None:
        """`windows` is of the device workers' server, which may be another than RQ's. A job without a sign of
        life for `silence_s` is begun again."""
        super().__init__(
            # In this order: a job of a later queue is begun only when the earlier ones are empty.
            [Queue(QUEUES[name], connection=connection, serializer="json") for name in priorities],
            connection=connection,
            serializer="json",
            # RQ waits for work for the time to live less 15 s.
            worker_ttl=_DEQUEUE_S + 15,
            maintenance_interval=silence_s // _BEATS,
            job_monitoring_interval=silence_s // _BEATS,
            default_result_ttl=job_ttl_s,
            log_job_description=False,
        )
        self._silence_s = silence_s
        self._windows = windows
        self._storage = storage
        self._keys = keys
        self._index = JobIndex(connection, keys)
        self._deliveries = Deliveries(connection, keys, ttl_s=job_ttl_s)
        self._orphan_s = min(_ORPHAN_S, job_ttl_s)
        self._swept_at_s = float("-inf")
        self.asked_to_stop = False

    def get_heartbeat_ttl(self, job: Job) -> int:
        """RQ's is the interval and a minute."""
        return self._silence_s

    def execute_job(self, job: Job, queue: Queue) -> None:
        """Also let webhooks know of the job's end, here where RQ has written it down."""
        super().execute_job(job, queue)
        with contextlib.suppress(*ConnectionLost):  # they look by themselves, later
            self._deliveries.nudge(job.id, time.time())

    def handle_warm_shutdown_request(self) -> None:
        """RQ waits for the running job; it is told to leave instead, and goes on from its checkpoint."""
        self.asked_to_stop = True
        log.info("asked to stop")
        self._pass_on_stop()

    def maintain_heartbeats(self, job: Job) -> None:
        """Also look for abandoned jobs, which RQ does only between jobs: this one may run for hours. And
        tell the job again to leave: a signal that comes while it is being forked is lost."""
        super().maintain_heartbeats(job)
        if self.should_run_maintenance_tasks:
            self.clean_registries()
        if self.asked_to_stop:
            self._pass_on_stop()

    def clean_registries(self) -> None:
        """As RQ's, whose lock lasts for a quarter of an hour behind a worker that is killed while it has
        it."""
        for queue in self.queues:
            if self.connection.set(queue.registry_cleaning_key, 1, nx=True, ex=_SEARCH_S_MAX):
                clean_registries(queue, self._exc_handlers)
                clean_worker_registry(queue)
                queue.intermediate_queue.cleanup(self, queue)
                queue.release_maintenance_lock()
        self.last_cleaned_at = now()

    def _pass_on_stop(self) -> None:
        if self.horse_pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.horse_pid, signal.SIGTERM)

    def run_maintenance_tasks(self) -> None:
        """Also delete files of jobs that nobody can ask for any more, and take such jobs off the list."""
        super().run_maintenance_tasks()
        if time.monotonic() - self._swept_at_s < _SWEEP_S:
            return
        self._swept_at_s = time.monotonic()
        if count := self._storage.sweep(
            older_than_s=self._orphan_s, now_s=time.time(), is_known=self._is_known
        ):
            log.info("old files deleted", extra={"jobs": count})
        for _ in range(_LISTED_ROUNDS):
            oldest = self._index.oldest(_LISTED_CHECKED)
            gone = [job for job in oldest if not self._is_known(job) and not self._is_cancelled(job)]
            if not gone:
                break
            self._index.remove(gone)

    def _is_known(self, job_id: str) -> bool:
        return bool(Job.exists(job_id, connection=self.connection))

    def _is_cancelled(self, job_id: str) -> bool:
        return WindowQueue(self._windows, self._keys, job_id).is_cancelled()


def serve(settings: Settings, *, burst: bool, interactive: bool = False) -> bool:
    """Work until asked to stop; with `burst`, until no job waits; with `interactive`, on such jobs only.
    Returns False when it ended for another reason."""
    if not (url := jobs_address(settings.jobs_redis_url, settings.redis_url)):
        raise BadParameter("STENO_JOBS_REDIS_URL is not set; jobs can't be kept in a Redis Cluster")
    os.environ[PARENT_PID] = str(os.getpid())
    connection, windows = connect_sync(url), connect_sync(settings.redis_url)
    try:
        storage = JobStorage(settings.jobs_url)
        priorities = (INTERACTIVE,) if interactive else tuple(QUEUES)
        keys = Keys(settings.shards)
        worker = JobsWorker(
            connection,
            windows,
            storage,
            keys,
            settings.job_ttl_s,
            silence_s=settings.job_silence_s,
            priorities=priorities,
        )
        # Here and not in each job's process, where it would take longer than a short file.
        importlib.import_module(RUN.rpartition(".")[0])
        log.info("jobs worker ready", extra={"queues": len(worker.queues)})
        worker.work(burst=burst, logging_level="WARNING")
        return burst or worker.asked_to_stop
    finally:
        connection.close()
        windows.close()


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
    parser.add_argument("--interactive", action="store_true", help="take interactive jobs only")
    arguments: Any = parser.parse_args()
    _allow_fork_on_macos()
    try:
        settings = load_settings(check_redis_is_given, check_traces)
        configure(settings.log_level, as_json=settings.log_format == "json")
        is_done = serve(settings, burst=arguments.burst, interactive=arguments.interactive)
        return 0 if is_done else 1
    except StenoError as error:
        sys.stderr.write(f"steno jobs: {error}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())
