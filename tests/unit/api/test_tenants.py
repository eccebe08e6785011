"""The file that says what tenants may have: defaults, mistakes that are named, and changes."""

import logging
from dataclasses import fields
from pathlib import Path

import pytest

from api.tenants import Allowance, Tenants, parse_allowances
from shared.errors import BadParameter

ROOT = Path(__file__).parents[3]
FILE = """
[default]
sessions = 5
redact = ["card"]

[tenant.acme]
sessions = 100
job_ttl_s = 3600
redact = ["phone", "email"]
"""


def test_what_a_tenant_does_not_say_is_as_in_the_default() -> None:
    known = parse_allowances(FILE, Allowance(sessions=1, jobs=7))
    assert known.of("") == known.of("other") == Allowance(sessions=5, jobs=7, redact=("card",))
    assert known.of("acme") == Allowance(sessions=100, jobs=7, job_ttl_s=3600, redact=("email", "phone"))
    assert parse_allowances("", Allowance()).of("acme") == Allowance()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[default", "no TOML"),
        ("[defaults]", r"\[defaults\]"),
        ("[default]\nsesions = 1", "sesions"),
        ("[default]\nsessions = -1", "sessions"),
        ("[default]\nsessions = 1.5", "sessions"),
        ("[default]\nsessions = true", "sessions"),
        ("[default]\njob_ttl_s = 5", "job_ttl_s"),
        ('[default]\nredact = "email"', "redact"),
        ('[default]\nredact = ["names"]', "names"),
        ("default = 1", "table"),
        ("[tenant]\nacme = 1", "tenant.acme"),
        ('[tenant."a b"]\nsessions = 1', "a b"),
    ],
)
def test_a_mistake_is_named(text: str, named: str) -> None:
    with pytest.raises(BadParameter, match=named):
        parse_allowances(text, Allowance())


def test_it_is_read_again_when_it_changes_and_a_broken_one_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "tenants.toml"
    with pytest.raises(BadParameter, match="STENO_TENANTS_FILE"):
        Tenants(file)
    file.write_text(FILE)
    tenants = Tenants(file, base=Allowance())
    file.write_text(FILE.replace("100", "200"))
    tenants.look()
    assert tenants.of("acme").sessions == 200
    with caplog.at_level(logging.ERROR):
        for broken in ("", "[default"):
            file.write_text(broken)
            tenants.look()
        file.unlink()
        tenants.look()
    assert tenants.of("acme").sessions == 200
    assert len(caplog.records) == 3


def test_the_documents_show_all_of_it() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    example = text.split("```toml\n")[1].split("```")[0]
    shown = parse_allowances(example, Allowance()).of("acme")
    assert not [item.name for item in fields(Allowance) if not getattr(shown, item.name)]
