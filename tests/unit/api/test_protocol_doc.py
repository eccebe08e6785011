"""The document and the classes say the same."""

from pathlib import Path

from api.protocol_doc import render
from shared.events import EVENT_TYPES

DOCUMENT = Path(__file__).parents[3] / "docs" / "protocol.md"


def test_the_document_is_what_the_classes_say() -> None:
    assert DOCUMENT.read_text() == render(), "run: python -m api.protocol_doc > docs/protocol.md"


def test_every_message_has_a_section() -> None:
    text = DOCUMENT.read_text()
    assert all(f"### `{cls.type}`" in text for cls in EVENT_TYPES)
