"""Key names: where they are formed, and that the document knows them all."""

import re
from dataclasses import astuple
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from shared.redis import keys as module
from shared.redis.keys import AUDIT, HISTORY, JOBS, PERMANENT, REPORTS, WEBHOOKS, WORKERS, Keys, is_permanent
from shared.redis.scripts import source

DOCUMENT = (Path(__file__).parents[3] / "docs" / "redis-model.md").read_text()
DOCUMENTED = set(re.findall(r"^\| `([^`]+)` \| (?:stream|hash|string|pub|sorted)", DOCUMENT, re.MULTILINE))


def generic(name: str, ident: str) -> str:
    """A key name as the document writes it."""
    return re.sub(r"\{\d+\}", "{nn}", name).replace(ident, "ID")


def all_names() -> set[str]:
    keys = Keys(16)
    names = {
        *astuple(keys.session("s1d")),
        *astuple(keys.job("s1d")),
        keys.queue(0),
        keys.takers(0),
        keys.windows(0),
        keys.urgent_windows(0),
        WORKERS,
        JOBS,
        WEBHOOKS,
        AUDIT,
        REPORTS,
        HISTORY,
        keys.job_key("s1d"),
        keys.tenant_sessions("s1d"),
        keys.tenant_rate("s1d"),
        keys.tenant_usage("s1d"),
        keys.tenant_jobs("s1d"),
    }
    return {generic(name, "s1d") for name in names}


def test_the_document_lists_every_key_and_no_other() -> None:
    assert all_names() == DOCUMENTED


def test_what_is_permanent_is_documented_as_such() -> None:
    rows = [line for line in DOCUMENT.splitlines() if "| permanent |" in line]
    named = {row.split("`")[1].replace("{nn}", "{00}") for row in rows}
    assert named == set(filter(is_permanent, named))
    assert len(named) == len([p for p in PERMANENT if not p.startswith("rq:")])


def test_the_document_lists_every_script() -> None:
    folder = Path(module.__file__).parent / "lua"
    scripts = {path.stem for path in folder.glob("*.lua") if not path.stem.startswith("_")}
    table = DOCUMENT.split("## Transitions")[1]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == scripts
    assert all(source(name).count("KEYS:") == 1 and "ARGV:" in source(name) for name in scripts)


@given(st.uuids().map(lambda u: u.hex), st.integers(1, 256))
def test_all_keys_of_a_session_share_a_slot_with_its_queue(session: str, shards: int) -> None:
    keys = Keys(shards)
    tags = {re.findall(r"\{(\d+)\}", name)[0] for name in astuple(keys.session(session))}
    assert tags == {f"{keys.shard(session):02d}"}
    assert 0 <= keys.shard(session) < shards
