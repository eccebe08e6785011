"""The recorder of `bench.cast`: what a terminal would show, and when."""

import re
import sys
from pathlib import Path

import pytest

from bench.cast import Screen, main, pictures


def shown(screen: Screen) -> list[str]:
    return ["".join(char for char, _ in line) for line in screen.picture()]


def test_lines_are_rewritten_in_place_and_looks_kept() -> None:
    screen = Screen(20, 5)
    screen.feed("\x1b[?25lone\r\n\x1b[2mtwo\x1b[0m")
    assert screen.picture()[1][0] == ("t", "dim")
    screen.feed("\r\x1b[2Kthree\r\n")
    assert shown(screen) == ["one", "three", ""]
    screen.feed("\x1b[1A\x1b[2Kfour")
    assert shown(screen) == ["one", "four", ""]


def test_long_lines_wrap_and_old_ones_leave() -> None:
    screen = Screen(4, 2)
    screen.feed("abcdefghij")
    assert shown(screen) == ["efgh", "ij"]


def test_waits_are_shortened_and_pictures_are_few() -> None:
    pieces = [(0.5, "a"), (0.51, "b"), (100.0, "c")]
    found = pictures(iter(pieces), Screen(10, 2))
    assert [at for at, _ in found] == [0.0, 0.5, 2.51]


def test_a_command_is_recorded(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "images" / "cast.svg"
    program = "import sys; print('<hello>'); print(sys.stdout.isatty())"
    assert main([str(out), "--", sys.executable, "-c", program]) == 0
    text = out.read_text()
    assert "&lt;hello&gt;" in text
    assert re.search(r'visibility="visible">True<', text)
    assert "pictures" in capsys.readouterr().out


def test_a_command_that_fails_leaves_no_picture(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="status 3"):
        main([str(tmp_path / "x.svg"), "--", sys.executable, "-c", "raise SystemExit(3)"])
    assert not (tmp_path / "x.svg").exists()
