"""Word error rates, as the benches count them."""

import jiwer
from whisper_normalizer.basic import BasicTextNormalizer
from whisper_normalizer.english import EnglishTextNormalizer

_ENGLISH = EnglishTextNormalizer()
_OTHER = BasicTextNormalizer()


def wer(reference: str, text: str, *, language: str = "en") -> float:
    """Word errors per reference word, after Whisper's own normalisation."""
    normalise = _ENGLISH if language == "en" else _OTHER
    return float(jiwer.wer(normalise(reference), normalise(text)))
