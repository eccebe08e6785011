"""`steno keys`: what it writes is let in, and holds no key."""

import pytest
from typer.testing import CliRunner

from api.keys import parse_keys
from client.cli.keys import app, entry
from shared.errors import BadParameter

RUNNER = CliRunner()


def test_a_new_key_is_let_in_by_the_line_that_comes_with_it() -> None:
    made = RUNNER.invoke(app, ["new", "acme", "--scope", "live", "--scope", "read"])
    key, line = made.stdout.strip(), made.stderr.strip().splitlines()[-1]
    assert key not in made.stderr
    ring = parse_keys(line)
    assert ring is not None
    found = ring.owner(key)
    assert found is not None
    assert (found.tenant, sorted(found.scopes)) == ("acme", ["live", "read"])
    assert RUNNER.invoke(app, ["new"]).stdout != RUNNER.invoke(app, ["new"]).stdout


def test_a_key_that_there_is_gets_its_line() -> None:
    done = RUNNER.invoke(app, ["hash", "acme"], input="a-key-0123456\n")
    ring = parse_keys(done.stdout.strip())
    assert ring is not None
    assert ring.owner("a-key-0123456")


@pytest.mark.parametrize(
    ("key", "tenant", "scopes"),
    [("", "acme", []), ("k", "a b", []), ("k", "acme", ["all"]), ("k", "", ["live"])],
)
def test_what_would_not_be_let_in_is_refused(key: str, tenant: str, scopes: list[str]) -> None:
    with pytest.raises(BadParameter):
        entry(key, tenant, scopes)
