"""What Wyoming clients ask for, in Steno's terms. Pure."""

from collections.abc import Mapping
from typing import Any, Final, cast

from shared.audio.convert import AudioFormat
from shared.errors import BadParameter
from shared.jobs import TEXT_CHARS_MAX
from shared.languages import AUTO, LANGUAGES

ENCODINGS: Final[Mapping[int, str]] = {1: "pcm8", 2: "pcm16", 3: "pcm24", 4: "pcm32"}
"""By bytes of a sample."""


def audio_format(data: Mapping[str, Any], before: AudioFormat | None) -> AudioFormat:
    """The format that an event names; what it leaves out is as it was, or as most clients send it. Raises
    `BadParameter`; whether the rate can be read is for the converter to say."""
    before = before or AudioFormat()
    width = data.get("width")
    if width is not None and not (_is_whole(width) and width in ENCODINGS):
        raise BadParameter("width must be 1 to 4 bytes")
    rate, channels = data.get("rate", before.sample_rate), data.get("channels", before.channels)
    if not (_is_whole(rate) and _is_whole(channels)):
        raise BadParameter("rate and channels must be whole numbers")
    return AudioFormat(before.encoding if width is None else ENCODINGS[width], rate, channels)


def _is_whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def language_of(value: object) -> str:
    """A Whisper code for `en`, `en-US`, `pt_BR`; what is none is left to detection."""
    code = value.lower().replace("_", "-").partition("-")[0] if isinstance(value, str) else ""
    code = {"nb": "no"}.get(code, code)
    return code if code in LANGUAGES else AUTO


def hotwords_of(data: Mapping[str, Any]) -> str:
    """Names first: what does not fit is left out whole."""
    text = ""
    for name in ("transcript_names", "transcript_terms"):
        values = data.get(name)
        for value in cast(list[object], values) if isinstance(values, list) else []:
            if isinstance(value, str) and value.isprintable() and value.strip():
                longer = f"{text}, {value.strip()}" if text else value.strip()
                if len(longer) <= TEXT_CHARS_MAX:
                    text = longer
    return text
