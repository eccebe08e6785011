"""Conversations are as they say, and words with the wrong speaker are counted."""

import numpy as np
import pytest

from bench.conversations import Turn, conversation, wrong_words

TURNS = (Turn(0.0, 4.0, "ann"), Turn(4.5, 8.0, "bob"), Turn(8.2, 10.0, "ann"))


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        ("S1 S1 S2 S2 S1", 0),
        ("S2 S2 S1 S1 S2", 0),  # names are as good one way as the other
        ("S1 S1 S1 S1 S1", 2),  # one speaker for two
        ("S1 S1 S2 S2 S3", 1),  # three for two
        ("S1 S2 S1 S2 S1", 2),
    ],
)
def test_words_of_a_wrong_speaker_are_counted_whatever_the_speakers_are_called(
    names: str, wrong: int
) -> None:
    words = list(zip([1.0, 3.0, 5.0, 7.9, 9.0], names.split(), strict=True))
    assert wrong_words(TURNS, words) == (wrong, 5)


def test_a_word_in_a_pause_belongs_to_the_nearer_turn() -> None:
    assert wrong_words(TURNS, [(1.0, "S1"), (4.1, "S1"), (4.4, "S2"), (11.0, "S1")]) == (0, 4)
    assert wrong_words(TURNS, []) == (0, 0)


def test_a_conversation_is_the_same_again_and_everyone_speaks() -> None:
    voices = {
        name: [np.full(16_000 * seconds, n, "<i2").tobytes() for seconds in (1, 2, 3, 2)]
        for n, name in enumerate(("ann", "bob", "cem"), start=1)
    }
    made = conversation(voices, seconds=15, seed=3)
    assert made == conversation(voices, seconds=15, seed=3)
    assert made.speakers == 3
    samples = np.frombuffer(made.pcm16, "<i2")
    for turn in made.turns:
        # Times are rounded to milliseconds.
        heard = samples[round(turn.start_s * 16_000) + 16 : round(turn.end_s * 16_000) - 16]
        assert set(heard) == {list(voices).index(turn.speaker) + 1}
