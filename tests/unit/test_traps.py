"""The table of traps in tests/compat/README.md names tests that are there."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
_ROW = re.compile(r"^\| (\d+) \| .* \| (.+) \|$", re.MULTILINE)
_TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")
TRAPS = 33


def test_every_trap_has_a_test() -> None:
    rows = _ROW.findall((TESTS / "compat/README.md").read_text())
    assert [int(number) for number, _ in rows] == list(range(1, TRAPS + 1))
    for number, cell in rows:
        found = _TEST.findall(cell)
        assert found, number
        for file, name in found:
            assert f"def {name}(" in (TESTS / file).read_text(), (number, file, name)
