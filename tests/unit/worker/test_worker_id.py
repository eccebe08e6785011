"""Workers' names in Redis: two with one name would share their leases."""

import os
import socket

import pytest

from worker.app import new_worker_id


def test_no_two_workers_have_one_name_though_host_and_process_are_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in containers, whose only process is number 1 and whose host may be called the same."""
    monkeypatch.setattr(os, "getpid", lambda: 1)
    monkeypatch.setattr(socket, "gethostname", lambda: "worker")
    assert len({new_worker_id() for _ in range(1000)}) == 1000
