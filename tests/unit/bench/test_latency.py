"""Latency and stability figures from small hand-made sessions."""

from bench.latency import (
    Arrival,
    GoldWord,
    WordTimes,
    broken_promises,
    delays,
    stability,
    transcript,
    utterances,
    word_times,
)
from shared.events import Closed, Final, Partial, SpeechEnd


def partial(at_s: float, text: str, *, committed: int = 0, utterance: int = 0) -> Arrival:
    event = Partial(text=text, utterance=utterance, start=0.0, end=at_s, committed=committed, offset=0)
    return Arrival(at_s, event)


def final(at_s: float, text: str, *, utterance: int = 0, covered: float = 0.0) -> Arrival:
    event = Final(
        text=text, utterance=utterance, start=0.0, end=at_s, committed=len(text), offset=0, covered=covered
    )
    return Arrival(at_s, event)


def speech_end(at_s: float, *, utterance: int = 0) -> Arrival:
    return Arrival(at_s, SpeechEnd(utterance=utterance, end=at_s, reason="silence"))


def closed(at_s: float, *, count: int, duration: float = 0.0) -> Arrival:
    return Arrival(at_s, Closed(reason="end", duration=duration, utterances=count))


SESSION = [
    partial(1.0, "the cap"),
    partial(1.5, "the cat sat"),
    partial(2.0, "The"),
    partial(2.5, "The cat sat", committed=7),
    speech_end(2.8),
    final(3.0, "The cat sat."),
]


def test_first_and_stable_times_of_words():
    """A word taken back for a while was first seen early and is stable only after its return."""
    (utterance,) = utterances(SESSION)
    assert word_times(utterance) == [WordTimes(1.0, 1.0), WordTimes(1.5, 2.5), WordTimes(1.5, 2.5)]


def test_delays_are_measured_from_the_end_of_the_word():
    """Words, the final and the endpoint; a word of unknown end gives no word latency."""
    gold = [GoldWord("the", 0.5), GoldWord("cat", None), GoldWord("sat", 1.4)]
    measured = delays(SESSION, gold)
    assert [round(v, 6) for v in measured.first_s] == [0.5, 0.1]
    assert [round(v, 6) for v in measured.stable_s] == [0.5, 1.1]
    assert [round(v, 6) for v in measured.final_s] == [1.6]
    assert [round(v, 6) for v in measured.endpoint_s] == [1.4]


def test_a_misheard_word_still_has_a_latency():
    """The word on screen is what the person waits for, right or wrong."""
    measured = delays([final(2.0, "the cap sat")], [GoldWord(w, 1.0) for w in ("the", "cat", "sat")])
    assert measured.first_s == (1.0, 1.0, 1.0)


def test_words_are_matched_across_utterances():
    """Each utterance's final latency counts from its own last word."""
    session = [final(2.0, "one two", utterance=0), final(5.0, "three", utterance=1)]
    measured = delays(session, [GoldWord("one", 0.5), GoldWord("two", 1.0), GoldWord("three", 4.0)])
    assert measured.final_s == (1.0, 1.0)
    assert transcript(session) == "one two three"


def test_taken_back_words_are_counted():
    """ "cap" was replaced, then two words vanished: three erased, of three in the final."""
    measured = stability(SESSION)
    assert (measured.words, measured.erased, measured.committed_changed) == (3, 3, 0)
    assert (measured.utterances, measured.revised) == (1, 1)
    assert measured.erased_per_word == 1.0


def test_words_that_came_and_went_are_counted_where_they_stood():
    """ "cap", and later "cat" and "sat", went; "the" stayed throughout: three of the six that came."""
    measured = stability(SESSION)
    assert (measured.appeared, measured.replaced, measured.unstable) == (6, 3, 0.5)
    moved = stability([partial(1.0, "cat sat"), final(2.0, "the cat sat")])
    assert (moved.appeared, moved.replaced) == (3, 0)


def test_a_changed_committed_word_is_noticed():
    """Even a change of case only breaks the promise."""
    changed = stability([partial(1.0, "the cat", committed=7), final(2.0, "the Cat")])
    assert (changed.erased, changed.committed_changed) == (0, 1)
    extended = stability([partial(1.0, "the cat", committed=7), final(2.0, "the cat.")])
    assert extended.committed_changed == 0


def test_an_utterance_without_final_is_left_out():
    """A session cut off in mid-utterance has no final to compare with."""
    assert utterances([partial(1.0, "the")]) == []


def test_a_clean_session_breaks_no_promise():
    """Every utterance has one final, and `closed` counts them."""
    session = [partial(1.0, "a"), final(2.0, "a", covered=3.0), closed(3.0, count=1, duration=3.0)]
    assert broken_promises(session) == []


def test_broken_promises_are_named():
    """Two finals, a late partial, audio covered twice, a wrong count, no close."""
    twice = [final(1.0, "a"), final(2.0, "a"), partial(2.5, "b")]
    assert len(broken_promises(twice)) == 3
    again = [final(1.0, "a", covered=1.0), final(2.0, "b", utterance=1), closed(2.0, count=3)]
    assert broken_promises(again) == [
        "two finals cover the same audio",
        "closed tells of 3 utterances, there were 2 finals",
    ]
    assert broken_promises([]) == ["the last message is not closed"]
