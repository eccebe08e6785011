"""Numbers in the lowest bits of audio."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.audio.pcm import pcm16_to_float
from shared.errors import DeviceFault, EngineFault
from tests.support.sound import pcm16, speech
from worker.core.decode import DecodeRequest, Kind
from worker.engine import marks
from worker.engine.api import EngineOptions
from worker.engine.scripted import MARKS, ScriptedEngine

CARRIER = pcm16(speech(1.0))


def decode(pcm: bytes, **options: object) -> str:
    engine = ScriptedEngine(EngineOptions(model=MARKS))
    request = DecodeRequest(kind=Kind.FINAL, audio=pcm16_to_float(pcm), **options)  # type: ignore[arg-type]
    return engine.decode([request])[0].text


@given(
    st.lists(st.integers(0, 2**24 - 1), min_size=1, max_size=20),
    st.integers(0, 100),
    st.integers(marks.MARK_SAMPLES, 700),
)
def test_what_is_written_is_read(numbers: list[int], first: int, step: int) -> None:
    written = {first + i * step: number for i, number in enumerate(numbers)}
    audio = pcm16_to_float(marks.write(CARRIER, written))
    assert marks.read(audio) == list(written.items())


def test_the_carrier_hardly_changes() -> None:
    before, after = (np.frombuffer(b, "<i2").astype(int) for b in (CARRIER, marks.write(CARRIER, {100: 7})))
    assert np.abs(before - after).max() == 1


def test_words_do_not_depend_on_where_a_window_begins() -> None:
    audio = marks.write(CARRIER, {1000: 1, 6000: 2, 11_000: 3})
    assert decode(audio) == "w1 w2 w3"
    assert decode(audio[2 * 500 :]) == "w1 w2 w3"
    assert decode(audio[2 * 1010 : 2 * 11_020]) == "w2"


def test_a_prefix_stands_in_the_place_of_what_it_says() -> None:
    audio = marks.write(CARRIER, {1000: 1, 6000: 2})
    assert decode(audio, prefix="w1") == "w1 w2"


@pytest.mark.parametrize(
    ("command", "fault"), [(marks.FAULT, EngineFault), (marks.DEVICE_FAULT, DeviceFault)]
)
def test_commands_make_the_engine_fail(command: int, fault: type[EngineFault]) -> None:
    with pytest.raises(fault):
        decode(marks.write(CARRIER, {1000: command}))
