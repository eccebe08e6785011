"""Addresses of Redis: what they say, and which are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import BadParameter
from shared.redis.address import Servers
from shared.redis.cluster import options_of
from shared.redis.connection import connect, connect_sync, jobs_address


def test_an_address_names_hosts_login_and_path() -> None:
    servers = Servers.parse("redis+cluster://me:p%40ss@one:7000,two,[::1]:7002/path/", port=6379)
    assert servers.hosts == (("one", 7000), ("two", 6379), ("::1", 7002))
    assert servers.login == {"username": "me", "password": "p@ss"}
    assert servers.path == "path"


@given(st.lists(st.tuples(st.from_regex(r"\A[a-z][a-z0-9.-]{0,20}\Z"), st.integers(1, 65535)), min_size=1))
def test_every_list_of_hosts_is_read_as_it_was_written(hosts: list[tuple[str, int]]) -> None:
    text = ",".join(f"{host}:{port}" for host, port in hosts)
    assert Servers.parse(f"redis+cluster://{text}", port=1).hosts == tuple(hosts)


def test_only_the_scheme_with_two_s_means_tls() -> None:
    assert options_of("redis+cluster://host")["ssl"] is False
    assert options_of("rediss+cluster://host")["ssl"] is True


@pytest.mark.parametrize(
    "url", ["redis+cluster://", "redis+cluster://host:port", "redis+cluster://a,,b", "redis+cluster://host/1"]
)
def test_an_address_that_names_no_cluster_is_refused(url: str) -> None:
    for make in (connect, connect_sync):
        with pytest.raises(BadParameter, match=r"redis\+cluster"):
            make(url)


def test_jobs_are_on_the_main_server_or_their_own_and_never_in_a_cluster() -> None:
    assert jobs_address("", "redis://main") == "redis://main"
    assert jobs_address("redis://jobs", "redis+cluster://main") == "redis://jobs"
    assert jobs_address("", "redis+cluster://main") == ""
    with pytest.raises(BadParameter, match="STENO_JOBS_REDIS_URL"):
        jobs_address("rediss+cluster://jobs", "redis://main")
