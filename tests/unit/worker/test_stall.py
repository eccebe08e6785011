"""A worker whose interpreter stands still ends itself, by a thread that needs no Python."""

import subprocess
import sys

STANDS_STILL = """
import time
from worker import __main__ as worker
worker._STALL_S_MAX = 0.1
worker._say_alive()
time.sleep(60)
"""
WAIT_S_MAX = 50


def test_a_worker_that_says_nothing_for_too_long_ends_and_says_where_it_stood() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", STANDS_STILL], stderr=subprocess.PIPE, timeout=WAIT_S_MAX, check=False
    )
    assert ended.returncode == 1
    assert b"Timeout" in ended.stderr
    assert b"most recent call first" in ended.stderr
