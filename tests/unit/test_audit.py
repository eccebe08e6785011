"""What is made of pip-audit's report, and the licences of what images hold."""

import json
import runpy
from pathlib import Path
from typing import Any

AUDIT: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[2] / "deploy" / "ci" / "audit.py"))


def test_a_package_that_nobody_knows_is_not_called_safe() -> None:
    packages = [
        {"name": "known", "version": "1", "vulns": []},
        {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]},
        {"name": "strange", "skip_reason": "Dependency not found"},
    ]
    found, unknown = AUDIT["judged"](json.dumps({"dependencies": packages}))
    assert found == ["bad 2: PYSEC-1, mended in 2.1"]
    assert unknown == ["strange"]


def test_images_hold_nothing_whose_licence_asks_for_ours() -> None:
    assert AUDIT["licences"]() == []
    assert AUDIT["licence"]("fastapi") == "MIT"
    for text, is_refused in (("GPL-3.0-only", True), ("LGPL-2.1", False), ("AGPL-3.0", True), ("MIT", False)):
        assert bool(AUDIT["FORBIDDEN"].search(AUDIT["WEAK"].sub("", text))) is is_refused
