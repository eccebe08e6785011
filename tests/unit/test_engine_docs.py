"""docs/engine.md says of every option of the engine which table it stands on, and which value it has."""

import re
from dataclasses import fields
from pathlib import Path

from worker.core.effects import SessionOptions
from worker.core.endpointing import EndpointOptions

DOC = (Path(__file__).parents[2] / "docs" / "engine.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| `(\w+)` \| (\S+?) \| (.+) \|$", re.MULTILINE)


def test_every_option_names_its_table_and_has_the_value_that_is_told() -> None:
    told = {name: (value, where) for name, value, where in ROW.findall(DOC)}
    options = [field for kind in (SessionOptions, EndpointOptions) for field in fields(kind)]
    shipped = {field.name: field.default for field in options if isinstance(field.default, int | float)}
    assert {name: float(value) for name, (value, _) in told.items()} == shipped
    headings = set(re.findall(r"^## (.+)$", DOC, re.MULTILINE))
    for name, (_, where) in told.items():
        linked = re.findall(r"\[([^\]]+)\]\(#[\w-]+\)", where)
        assert set(linked) <= headings, name
        assert linked or where.startswith("no table: "), name
