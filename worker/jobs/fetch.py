"""Fetches a job's file from the address that the client gave, into storage."""

import hashlib
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

import httpx

from shared.errors import BadParameter, FetchFailed, TooLarge
from shared.outbound import is_host_allowed, pinned
from shared.storage import JobStorage

_REDIRECTS_MAX: Final = 5
_SILENCE_S: Final = 30.0
"""Longest wait for the next bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchPolicy:
    """What may be fetched."""

    hosts: tuple[str, ...]
    private: bool
    bytes_max: int
    s_max: float


def fetch(
    url: str, job_id: str, storage: JobStorage, policy: FetchPolicy, *, check: Callable[[], None]
) -> str:
    """Put the file at `url` into storage as the job's upload, and return the SHA-256 of its bytes. `check` is
    called between pieces and may raise.

    Raises `FetchFailed` saying why it can't be had, `BadParameter` for an address that is not allowed, also
    as the target of a redirect, `TooLarge`, and what storage raises. Nothing is left behind then.
    """
    deadline_s = time.monotonic() + policy.s_max
    writer, digest = storage.begin(job_id), hashlib.sha256()
    try:
        with _opened(url, policy) as answer:
            if int(answer.headers.get("content-length", "0")) > policy.bytes_max:
                raise _too_large(policy)
            count = 0
            # As it is on the way: a file that is packed to a thousandth would grow here. And as it comes: in
            # larger pieces, one that trickles would be looked at too late.
            for piece in answer.iter_raw():
                check()
                count += len(piece)
                if count > policy.bytes_max:
                    raise _too_large(policy)
                if time.monotonic() > deadline_s:
                    raise FetchFailed(f"the file did not come within {policy.s_max:g} s")
                digest.update(piece)
                writer.write(piece)
        writer.commit()
        return digest.hexdigest()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        writer.discard()
        raise FetchFailed(f"the file can't be fetched: {type(error).__name__}") from error
    except BaseException:  # the job's time ended, too; no part of a file may stay
        writer.discard()
        raise


@contextmanager
def _opened(url: str, policy: FetchPolicy) -> Generator[httpx.Response]:
    """The answer to a request for the file, behind redirects, each of which is checked as the first."""
    with httpx.Client(timeout=min(_SILENCE_S, policy.s_max), trust_env=False) as client:
        for _ in range(_REDIRECTS_MAX + 1):
            if not is_host_allowed(url, policy.hosts):
                raise BadParameter("url leads to a host that the operator does not allow")
            target = pinned(url, name="url", private=policy.private)
            headers = target.headers | {"Accept-Encoding": "identity"}
            with client.stream("GET", target.url, headers=headers, extensions=target.extensions) as answer:
                if answer.is_success:
                    yield answer
                    return
                if not answer.has_redirect_location:
                    raise FetchFailed(f"the file can't be fetched: its server answered {answer.status_code}")
                url = urljoin(url, answer.headers["location"])
    raise FetchFailed(f"the file can't be fetched: more than {_REDIRECTS_MAX} redirects")


def _too_large(policy: FetchPolicy) -> TooLarge:
    return TooLarge(f"the file is over {policy.bytes_max} bytes, the most that this server takes")
