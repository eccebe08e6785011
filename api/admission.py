"""Whether a new session would find a worker: from what workers say of themselves, and who waits already."""

from typing import Final

from shared.errors import NoCapacity
from shared.redis.presence import WorkerPresence

WAITING_MAX: Final = 16
"""Sessions that may wait for a worker beyond the room there is: room that comes within `STENO_QUEUE_S`, from
sessions that end or workers that start, is seldom more."""


def admit(workers: list[WorkerPresence], waiting: int, *, retry_after_s: float) -> None:
    """Let a new session in, though it may have to wait. Raises `NoCapacity` when as many wait already as are
    likely to be served, or when no device would keep up with one more."""
    at_work = [worker for worker in workers if not worker.draining]
    if at_work and all(worker.is_loaded for worker in at_work):
        raise NoCapacity("no worker's device keeps up with more sessions", retry_after_s=retry_after_s)
    room = sum(worker.free for worker in workers)
    if waiting < room + WAITING_MAX:
        return
    message = "all workers are busy and others wait already" if workers else "no worker is up and others wait"
    raise NoCapacity(message, retry_after_s=retry_after_s)
