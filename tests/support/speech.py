"""Real speech from tests/data, joined with pauses: for services whose voice detector is the real one."""

from tests.support.data import clip
from tests.support.sound import pcm16, silence


def spoken(*names: str, gap_s: float = 0.8) -> bytes:
    """Clips one after another as canonical audio, with a pause before, between and after them."""
    gap = pcm16(silence(gap_s))
    return gap + gap.join(clip(name).pcm16() for name in names or ("en_quilter", "en_stew")) + gap
