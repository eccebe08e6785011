"""How a window's program writes down its text."""

from pathlib import Path


def write_down(text: str, out: Path) -> None:
    """Put the text in the place of what the file had, all at once: a reader sees the one or the other."""
    new = out.with_suffix(".new")
    new.write_text(text, encoding="utf-8")
    new.replace(out)
