"""The documents: links lead somewhere, and sentences that they quote are said by the code."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = "\n".join(
    path.read_text()
    for package in ("api", "client", "shared", "worker")
    for path in sorted((ROOT / package).rglob("*.py"))
)
OTHERS = {"Address already in use"}
"""Words of the system."""


def headings(text: str) -> set[str]:
    """The anchors that GitHub gives the headings of a document."""
    names = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-") for name in names}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{document.name}: {target}"
        if anchor and path.suffix == ".md":
            assert anchor in headings(path.read_text()), f"{document.name}: {target}"


def quoted() -> list[str]:
    text = (ROOT / "docs" / "troubleshooting.md").read_text().split("## Still there?")[0]
    rows = re.findall(r"^\| (.+?) \|", text, re.MULTILINE)
    return [row for row in rows if not row.startswith(("message", "---"))]


PLAIN = ("no text although", "text comes late", "the page has no", "a job stays queued", "STENO_…: …")
"""Rows that describe, and quote nothing."""


@pytest.mark.parametrize("row", quoted())
def test_messages_that_troubleshooting_quotes_are_in_the_code(row: str) -> None:
    if row.startswith(PLAIN):
        return
    said = re.sub(r'"\s*\n?\s*f?"', "", CODE)  # strings over several lines
    for part in re.split(r"…|\(\d+\)|warning| to a resume", row):
        words = part.strip(" `;:")
        if words and words.removeprefix("port: ") not in OTHERS and len(words) > 4:
            assert words in said or words.replace("s; the", " s; the") in said, words


def test_the_index_names_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    for path in (ROOT / "docs").glob("*.md"):
        assert path.name == "README.md" or f"({path.name})" in index, path.name
