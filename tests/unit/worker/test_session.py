"""The session machine, driven by hand: audio and answers in, effects out; no event loop, no clock."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.memory import held_bytes
from shared.audio.pcm import SAMPLE_RATE, Float32, pcm16_to_float, to_seconds
from shared.events import Closed, Final, Partial, SessionConfig, SpeechEnd, SpeechStart
from tests.support.machine import Answer, Driver, scripted
from tests.support.sound import loudness_vad, pcm16, silence, speech
from worker.core.decode import DecodeRequest, DecodeResult, Kind
from worker.core.effects import Decode, Effect, Emit, SessionOptions
from worker.core.filters import ALL, Drop
from worker.core.session import Session
from worker.engine.scripted import words_of

TALK = pcm16(silence(1), speech(3), silence(1), speech(2, seed=2), silence(1))


def test_each_stretch_of_speech_gets_one_final_and_the_end_closes() -> None:
    driver = Driver()
    driver.hear(TALK)
    driver.apply(driver.session.end())
    kinds = [type(event) for event in driver.events if not isinstance(event, Partial)]
    assert kinds == [SpeechStart, SpeechEnd, Final, SpeechStart, SpeechEnd, Final, Closed]
    assert [final.utterance for final in driver.finals] == [0, 1]
    assert driver.events[-1] == Closed(reason="end", duration=8.0, utterances=2)


def test_what_is_covered_only_advances_and_ends_at_the_last_sample() -> None:
    driver = Driver()
    driver.hear(TALK)
    driver.apply(driver.session.end())
    assert driver.covered == sorted(driver.covered)
    assert driver.covered[-1] == 8 * SAMPLE_RATE
    assert [final.covered for final in driver.finals] == [to_seconds(c) for c in driver.covered[:2]]


def test_committed_text_never_changes_and_stands_at_the_beginning_of_the_final() -> None:
    driver = Driver()
    driver.hear(pcm16(speech(6), silence(1), speech(15, seed=2), silence(1)))
    driver.apply(driver.session.end())
    for final in driver.finals:
        stable = ""
        for partial in (p for p in driver.partials if p.utterance == final.utterance):
            assert partial.text.startswith(stable)
            assert len(stable) <= partial.committed
            stable = partial.text[: partial.committed]
        assert stable
        assert final.text.startswith(stable)
        assert final.committed == len(final.text)


def test_a_final_that_would_break_a_promise_is_decoded_again_with_it() -> None:
    def contrary(request: DecodeRequest) -> DecodeResult:
        if request.kind is Kind.FINAL and not request.prefix:
            return DecodeResult(text="something else altogether", language="en")
        return scripted(request)

    driver = Driver(contrary)
    driver.hear(pcm16(speech(6), silence(1)))
    promised = driver.partials[-1].text[: driver.partials[-1].committed]
    assert driver.requests[-1].prefix == promised
    assert driver.finals[0].text.startswith(promised)


def test_offsets_put_finals_and_partials_in_their_place() -> None:
    driver = Driver()
    driver.hear(TALK)
    driver.apply(driver.session.end())
    transcript = ""
    for event in driver.events:
        if isinstance(event, Partial | Final):
            transcript = transcript.ljust(event.offset)[: event.offset] + event.text
    assert transcript == " ".join(final.text for final in driver.finals)


def test_chunk_sizes_do_not_matter() -> None:
    def said(chunk_samples: int) -> list[str]:
        driver = Driver(config=SessionConfig(partials=False))
        driver.hear(TALK, chunk_samples=chunk_samples)
        driver.apply(driver.session.end())
        return [final.text for final in driver.finals]

    assert said(160) == said(1601) == said(len(TALK))


def test_a_final_is_decoded_early_and_said_at_the_endpoint_without_another_decode() -> None:
    driver = Driver()
    driver.hear(pcm16(speech(2), silence(0.4)))
    assert driver.requests[-1].kind is Kind.FINAL
    assert driver.finals == []
    asked = len(driver.requests)
    driver.hear(pcm16(silence(0.6)))
    assert len(driver.finals) == 1
    assert len(driver.requests) == asked


def test_an_early_final_is_dropped_when_speech_goes_on() -> None:
    driver = Driver()
    driver.hear(pcm16(speech(2), silence(0.4), speech(2, seed=3), silence(1)))
    assert len(driver.finals) == 1
    assert driver.finals[0].text == scripted(driver.requests[-1]).text
    assert driver.requests[-1].duration_s == pytest.approx(4.6, abs=0.05)


def test_no_partials_when_none_are_wanted() -> None:
    driver = Driver(config=SessionConfig(partials=False))
    driver.hear(TALK)
    assert driver.partials == []
    assert {request.kind for request in driver.requests} == {Kind.FINAL}


def test_silence_says_nothing_and_is_given_up() -> None:
    driver = Driver()
    driver.hear(pcm16(silence(60)))
    assert driver.events == []
    assert driver.session.received - driver.session.covered < 6 * SAMPLE_RATE
    driver.apply(driver.session.end())
    assert driver.events == [Closed(reason="end", duration=60.0, utterances=0)]


def test_ending_before_any_audio_closes_at_once() -> None:
    driver = Driver()
    driver.apply(driver.session.end())
    assert driver.events == [Closed(reason="end", duration=0.0, utterances=0)]


def test_a_second_end_and_audio_behind_the_end_change_nothing() -> None:
    driver = Driver()
    driver.apply(driver.session.end())
    driver.apply(driver.session.end())
    driver.hear(TALK, start=0)
    assert len(driver.events) == 1


def test_finalize_gives_the_final_now_and_the_session_goes_on() -> None:
    driver = Driver()
    driver.hear(pcm16(speech(2)))
    driver.apply(driver.session.finalize())
    assert len(driver.finals) == 1
    driver.apply(driver.session.finalize())
    driver.hear(pcm16(speech(2, seed=2), silence(1)))
    assert len(driver.finals) == 2
    assert driver.finals[1].start >= driver.finals[0].end


def test_the_end_in_running_speech_says_all_that_was_heard() -> None:
    driver = Driver()
    driver.hear(pcm16(silence(1), speech(4.3)))
    assert driver.finals == []
    driver.apply(driver.session.end())
    (final,) = driver.finals
    assert final.end == pytest.approx(5.3, abs=0.001)
    whole = driver.requests[-1]
    assert whole.kind is Kind.FINAL
    assert final.text == " ".join(words_of(whole.audio[-round(whole.own_s * SAMPLE_RATE) :]))
    assert whole.own_s == pytest.approx(final.end - final.start, abs=0.05)


def test_endless_speech_is_cut_without_losing_a_sample() -> None:
    driver = Driver()
    driver.hear(pcm16(speech(50), silence(1)))
    assert len(driver.finals) == 3
    for before, after in zip(driver.finals, driver.finals[1:], strict=False):
        assert after.start == before.end


def test_the_window_of_partials_stays_short_in_long_speech() -> None:
    driver = Driver(options=SessionOptions(window_keep_s=3.0))
    driver.hear(pcm16(speech(18)))
    longest = max(r.duration_s for r in driver.requests if r.kind is Kind.PARTIAL)
    assert longest < driver.options.window_trim_s + 2 * driver.options.partial_step_s


def test_a_session_that_does_without_keeps_less_of_what_is_committed_in_its_window() -> None:
    longest: list[float] = []
    for waited_s in (0.0, 1.0):
        driver = Driver(waiting(waited_s))
        driver.hear(pcm16(speech(18)))
        longest.append(max(r.duration_s for r in driver.requests if r.kind is Kind.PARTIAL))
    usual, strained = longest
    assert usual > 15
    assert strained < driver.options.window_trim_s + 2 * driver.options.partial_step_s_max


def test_behind_a_partial_that_is_not_believed_the_next_hears_the_utterance_from_its_beginning() -> None:
    asked: list[DecodeRequest] = []

    def answer(request: DecodeRequest) -> DecodeResult:
        asked.append(request)
        if request.context and not any(earlier.context for earlier in asked[:-1]):
            return DecodeResult(text="a", language="en", avg_logprob=-2.0)
        return scripted(request)

    driver = Driver(answer, options=SessionOptions(window_trim_s=4.0, window_keep_s=1.0))
    driver.hear(pcm16(speech(14)))
    trimmed = next(n for n, request in enumerate(asked) if request.context)
    assert asked[trimmed].kind is Kind.PARTIAL
    assert list(asked[trimmed].audio[:9]) != list(asked[0].audio[:9]) == list(asked[trimmed + 1].audio[:9])
    assert asked[trimmed + 1].context == ""
    assert driver.partials[-1].text.startswith(asked[trimmed + 1].prefix)


def test_a_runaway_partial_is_not_shown() -> None:
    def lost(request: DecodeRequest) -> DecodeResult:
        return DecodeResult(text="and and and and", language="en", runaway=request.kind is Kind.PARTIAL)

    driver = Driver(lost)
    driver.hear(pcm16(speech(2)))
    assert driver.partials == []


def test_text_that_the_model_does_not_believe_becomes_an_empty_final() -> None:
    def breath(_: DecodeRequest) -> DecodeResult:
        return DecodeResult(text="Thank you.", language="en", no_speech_prob=0.9, avg_logprob=-1.5)

    driver = Driver(breath)
    driver.hear(pcm16(speech(1), silence(1)))
    assert [final.text for final in driver.finals] == [""]


def test_a_confident_detection_settles_the_language() -> None:
    def german(request: DecodeRequest) -> DecodeResult:
        return DecodeResult(text="guten tag zusammen", language="de", language_probability=0.95)

    driver = Driver(german)
    driver.hear(TALK)
    assert driver.requests[0].language == ""
    assert driver.requests[-1].language == "de"


def test_an_unsure_detection_does_not() -> None:
    def unsure(request: DecodeRequest) -> DecodeResult:
        return DecodeResult(text="hm", language="nn", language_probability=0.3)

    driver = Driver(unsure)
    driver.hear(TALK)
    assert {request.language for request in driver.requests} == {""}


def test_a_short_partial_in_an_unsure_language_is_not_shown() -> None:
    def unsure(request: DecodeRequest) -> DecodeResult:
        return DecodeResult(text="hm so", language="nn", language_probability=0.3)

    driver = Driver(unsure)
    driver.hear(pcm16(speech(1.4)))
    assert driver.partials == []
    driver.hear(pcm16(speech(2)))
    assert driver.partials


def test_earlier_text_is_context_until_a_long_silence_and_the_prompt_always() -> None:
    options = SessionOptions(partial_window_s=0.0)
    driver = Driver(config=SessionConfig(prompt="Names: Ada"), options=options)
    driver.hear(pcm16(speech(2), silence(1), speech(2, seed=2), silence(10), speech(2, seed=3)))
    first, second = driver.finals
    finals = [r for r in driver.requests if r.kind is Kind.FINAL]
    assert {r.prompt for r in driver.requests} == {"Names: Ada"}
    assert [(r.context, r.left) for r in finals] == [("", ""), ("", first.text)]
    partials = [r for r in driver.requests if r.kind is Kind.PARTIAL]
    assert any(r.context == first.text for r in partials)
    assert second.text
    assert driver.requests[-1].context == ""


def test_only_the_end_of_earlier_text_is_context() -> None:
    driver = Driver(options=SessionOptions(context_chars=20))
    driver.hear(pcm16(speech(9), silence(1), speech(2, seed=2)))
    (first,) = driver.finals
    assert len(first.text) > 20
    assert driver.requests[-1].kind is Kind.PARTIAL
    assert driver.requests[-1].context == first.text[-20:].strip()


def test_partials_hear_what_was_said_before_as_far_as_their_window_holds_it() -> None:
    driver = Driver(config=SessionConfig(language="en"), options=SessionOptions(partial_window_s=6.0))
    driver.hear(pcm16(speech(2), silence(1), speech(5, seed=2), silence(1)))
    first, second = driver.finals
    partials = [r for r in driver.requests if r.kind is Kind.PARTIAL and r.own_s and r.left_s]
    assert partials
    assert all(r.left == first.text and r.duration_s <= 6.0 for r in partials)
    alone = [r for r in driver.requests if r.kind is Kind.PARTIAL and not r.left]
    assert alone[-1].own_s > 3.0
    assert all(first.text not in partial.text for partial in driver.partials if partial.utterance == 1)
    assert second.text


def test_behind_a_partial_that_ran_on_the_next_comes_soon_but_only_once() -> None:
    def runs_on(request: DecodeRequest) -> DecodeResult:
        return replace(scripted(request), runaway=request.kind is Kind.PARTIAL)

    driver = Driver(runs_on, options=SessionOptions(partial_step_s=1.0, partial_retry_s=0.2))
    driver.hear(pcm16(speech(6)))
    heard = [r.duration_s for r in driver.requests]
    steps = [round(after - before, 1) for before, after in itertools.pairwise(heard)]
    assert steps == [0.2, 1.0, 1.0, 1.0, 1.0]
    assert driver.partials == []


def waiting(waited_s: float) -> Answer:
    """A device on which decodes wait."""
    return lambda request: replace(scripted(request), waited_s=waited_s)


def test_a_partial_that_had_to_wait_hears_the_newest_audio() -> None:
    session = Session(SessionConfig(), loudness_vad, options=SessionOptions())
    audio = pcm16(speech(4))
    asked = [e for e in session.audio(0, audio[: 2 * SAMPLE_RATE]) if isinstance(e, Decode)]
    assert len(asked) == 1
    ticket = asked[0].ticket
    assert session.newest(ticket) is None
    assert not any(isinstance(e, Decode) for e in session.audio(SAMPLE_RATE, audio[2 * SAMPLE_RATE :]))
    newest = session.newest(ticket)
    assert newest is not None
    assert newest.duration_s > asked[0].request.duration_s + 2.5
    assert session.newest(ticket) is None
    assert session.newest(ticket + 1) is None
    said = [e for e in session.decoded(ticket, scripted(newest)) if isinstance(e, Emit)]
    (partial,) = said[0].events
    assert isinstance(partial, Partial)
    assert partial.text == scripted(newest).text


def test_finals_are_decoded_early_only_while_decodes_need_not_wait() -> None:
    audio = pcm16(speech(2), silence(0.5), speech(2, seed=2), silence(1))
    for waited_s, count in ((0.0, 2), (1.0, 1)):
        driver = Driver(waiting(waited_s))
        driver.hear(audio)
        assert len(driver.finals) == 1
        assert sum(r.kind is Kind.FINAL for r in driver.requests) == count


def test_partials_come_less_often_while_decodes_wait() -> None:
    counts: list[int] = []
    for waited_s in (0.0, 0.5):
        driver = Driver(waiting(waited_s))
        driver.hear(pcm16(speech(12)))
        counts.append(sum(r.kind is Kind.PARTIAL for r in driver.requests))
    assert counts[1] < counts[0] / 2


def test_partials_are_as_cheap_as_can_be_while_decodes_wait() -> None:
    for waited_s, beams in ((0.0, {3}), (1.0, {1})):
        driver = Driver(waiting(waited_s), config=SessionConfig(language="en"))
        driver.hear(pcm16(speech(2), silence(1), speech(2, seed=2), silence(1)))
        partials = [r for r in driver.requests[1:] if r.kind is Kind.PARTIAL]
        assert {r.beam for r in partials} == beams
        assert any(r.left for r in partials) is not bool(waited_s)


def test_the_longer_decodes_wait_the_less_finals_and_partials_ask_for() -> None:
    talk = pcm16(*(part for n in range(8) for part in (speech(3, seed=n), silence(1))))
    cheap, dear = (Driver(waiting(s), config=SessionConfig(language="en")) for s in (1.0, 0.0))
    for driver in (cheap, dear):
        driver.hear(talk)
        assert len(driver.finals) == 8
    options = SessionOptions()
    for driver, beam in ((cheap, options.lean_final_beam), (dear, 0)):
        last = [r for r in driver.requests if r.kind is Kind.FINAL][-1]
        assert last.tight is (driver is cheap)
        assert last.beam == beam
        assert [r for r in driver.requests if r.kind is Kind.PARTIAL][-1].tight is (driver is cheap)


def test_finals_hear_as_much_of_what_was_said_before_until_the_device_is_late_with_them() -> None:
    talk = pcm16(*(part for n in range(8) for part in (speech(3, seed=n), silence(1))))
    heard: list[list[float]] = []
    for waited_s in (0.0, 0.4, 3.0):
        driver = Driver(waiting(waited_s), config=SessionConfig(language="en"))
        driver.hear(talk)
        finals = [r for r in driver.requests if r.kind is Kind.FINAL]
        heard.append([round(r.left_s, 2) for r in finals])
    assert heard[0] == heard[1]
    assert max(heard[0]) > 7
    assert 0 < heard[2][-1] < 6


def test_what_was_done_without_comes_back_once_decodes_do_not_wait() -> None:
    waits_s = itertools.chain([1.0] * 4, itertools.repeat(0.0))
    driver = Driver(lambda r: replace(scripted(r), waited_s=next(waits_s)), SessionConfig(language="en"))
    driver.hear(pcm16(*(part for n in range(20) for part in (speech(3, seed=n), silence(1)))))
    tight = [r.tight for r in driver.requests if r.kind is Kind.PARTIAL]
    assert tight[0] is False
    assert True in tight
    assert tight[-1] is False
    assert driver.requests[-1].beam == 0


def test_drafts_are_shown_and_not_committed() -> None:
    driver = Driver(lambda request: replace(scripted(request), draft=request.kind is Kind.PARTIAL))
    driver.hear(pcm16(speech(9), silence(1)))
    assert len(driver.partials) > 5
    assert {partial.committed for partial in driver.partials} == {0}
    (final,) = driver.finals
    assert final.committed == len(final.text) > 0


def test_a_final_is_decoded_with_what_was_said_just_before() -> None:
    driver = Driver(config=SessionConfig(language="en"))
    driver.hear(TALK)
    first, second = driver.finals
    request = [r for r in driver.requests if r.kind is Kind.FINAL][-1]
    assert request.left == first.text
    assert request.left_s == pytest.approx(second.start - first.start, abs=0.001)
    assert request.duration_s == pytest.approx(second.end - first.start, abs=0.001)
    assert first.text not in second.text


def test_what_is_said_after_a_long_pause_is_decoded_alone() -> None:
    driver = Driver(config=SessionConfig(language="en"))
    driver.hear(pcm16(speech(2), silence(6), speech(2, seed=2), silence(1)))
    assert {r.left for r in driver.requests} == {""}


def test_words_carry_session_times_when_asked_for() -> None:
    driver = Driver(config=SessionConfig(words=True))
    driver.hear(TALK)
    final = driver.finals[1]
    assert final.words
    assert " ".join(word.text for word in final.words) == final.text
    assert final.words[0].start == pytest.approx(final.start, abs=0.01)


def test_the_longest_session_ends_as_if_by_the_client() -> None:
    driver = Driver(options=SessionOptions(session_s_max=5.0))
    driver.hear(TALK)
    assert isinstance(driver.events[-1], Closed)
    assert driver.events[-1].reason == "limit"
    assert len(driver.finals) == 2 or driver.finals[0].end <= 5.1


def test_a_lost_answer_is_asked_for_again() -> None:
    lost = [True]

    def forgetful(request: DecodeRequest) -> DecodeResult | None:
        return None if lost and request.kind is Kind.FINAL and lost.pop() else scripted(request)

    driver = Driver(forgetful)
    driver.hear(pcm16(speech(2), silence(1)))
    assert len(driver.finals) == 1


def test_an_outdated_answer_is_ignored() -> None:
    driver = Driver()
    driver.hear(TALK)
    assert driver.session.decoded(0, DecodeResult(text="late", language="en")) == []


def test_a_gap_in_the_audio_is_refused() -> None:
    driver = Driver()
    with pytest.raises(ValueError, match="missing"):
        driver.session.audio(16, b"\0\0")


@settings(max_examples=30, deadline=None)
@given(cut_s=st.floats(0.1, 7.9), seed=st.integers(1, 3))
def test_a_successor_goes_on_where_the_owner_died(cut_s: float, seed: int) -> None:
    """Whatever was said before the death and after it is what would have been said without it."""
    talk = pcm16(silence(1), speech(3, seed), silence(1), speech(2, seed + 5), silence(1))
    whole = Driver()
    whole.hear(talk)
    whole.apply(whole.session.end())

    first = Driver()
    cut = round(cut_s * 10) * 1600 * 2
    first.hear(talk[:cut])
    committed = first.covered[-1] if first.covered else 0
    second = Driver(committed=committed, checkpoint=first.left)
    second.hear(talk[committed * 2 :])
    second.apply(second.session.end())

    events = [e for e in (*first.events, *second.events) if not isinstance(e, Partial)]
    assert [type(e) for e in events] == [type(e) for e in whole.events if not isinstance(e, Partial)]
    finals = [e for e in events if isinstance(e, Final)]
    assert [(f.utterance, f.text, f.offset) for f in finals] == [
        (f.utterance, f.text, f.offset) for f in whole.finals
    ]


def test_a_partial_is_decoded_beside_the_final_before_it_and_said_behind_it() -> None:
    session = Session(SessionConfig(language="en"), loudness_vad, options=SessionOptions())
    talk = pcm16(speech(2), silence(1), speech(2, seed=2))
    effects: list[Effect] = []
    finals: list[Decode] = []
    for i in range(0, len(talk), 3200):
        queue = session.audio(i // 2, talk[i : i + 3200])
        while queue:
            effect = queue.pop(0)
            effects.append(effect)
            if isinstance(effect, Decode) and effect.request.kind is Kind.FINAL:
                finals.append(effect)  # a slow device: not answered yet
            elif isinstance(effect, Decode):
                queue += session.decoded(effect.ticket, scripted(effect.request))

    def said(effects: list[Effect]) -> list[tuple[str, int]]:
        events = [event for effect in effects if isinstance(effect, Emit) for event in effect.events]
        return [(e.type, e.utterance) for e in events if isinstance(e, Partial | Final)]

    assert ("partial", 1) not in said(effects)
    after = session.decoded(finals[0].ticket, scripted(finals[0].request))
    assert said(after)[:2] == [("final", 0), ("partial", 1)]


def test_a_forced_final_that_lost_much_of_the_free_one_is_followed_by_its_rest() -> None:
    def answer(request: DecodeRequest) -> DecodeResult:
        if request.kind is Kind.PARTIAL:
            return DecodeResult(text="one two flour fatten three four", language="en")
        text = request.prefix or "one two flour, fat and five six seven eight"
        return DecodeResult(text=text, language="en")

    driver = Driver(answer, config=SessionConfig(language="en"), options=SessionOptions(hold_back=2))
    driver.hear(pcm16(speech(6), silence(1)))
    committed = driver.partials[-1].text[: driver.partials[-1].committed]
    assert committed == "one two flour fatten"
    assert driver.finals[0].text == "one two flour fatten and five six seven eight"


def test_what_a_filter_takes_is_not_said_and_is_told() -> None:
    def doubtful(request: DecodeRequest) -> DecodeResult:
        return DecodeResult(text="thank you", language="en", avg_logprob=-1.5)

    driver = Driver(doubtful)
    driver.hear(TALK)
    assert driver.partials == []
    assert [final.text for final in driver.finals] == ["", ""]
    assert {(d.reason, d.kind) for d in driver.dropped} == {
        (Drop.LOGPROB, Kind.PARTIAL),
        (Drop.LOGPROB, Kind.FINAL),
    }
    assert len(driver.dropped) == len(driver.requests)
    assert {(request.context, request.left) for request in driver.requests} == {("", "")}


def test_an_hour_that_the_detector_takes_for_speech_and_no_filter_believes_holds_no_more_than_a_minute() -> (
    None
):
    def song(request: DecodeRequest) -> DecodeResult:
        return DecodeResult(text="oh oh", language="en", avg_logprob=-0.9)

    driver = Driver(song)
    minute = pcm16(speech(60))
    held: list[int] = []
    for _ in range(60):
        driver.hear(minute, chunk_samples=16_000)
        held.append(held_bytes(driver.session))
        assert driver.session.received - driver.session.covered <= 30 * SAMPLE_RATE
        driver.requests.clear()
        driver.dropped.clear()
    assert max(held[1:]) <= held[0] + 30 * SAMPLE_RATE * 4
    assert {final.text for final in driver.finals} == {""}


@pytest.mark.parametrize(
    ("chunk_samples", "minutes"),
    [
        pytest.param(160, 20, marks=pytest.mark.slow),
        (80_000, 30),
        pytest.param(60 * SAMPLE_RATE, 60, marks=pytest.mark.slow),
    ],
    ids=["10 ms packets", "5 s packets", "bursts of a minute"],
)
def test_a_long_talk_holds_no_more_than_its_first_minutes(chunk_samples: int, minutes: int) -> None:
    driver = Driver(config=SessionConfig(words=True))
    minute = pcm16(*(part for n in range(4) for part in (speech(12, seed=n + 1), silence(3))))
    held: list[int] = []
    for number in range(minutes):
        driver.hear(minute, chunk_samples=chunk_samples)
        held.append(held_bytes(driver.session))
        assert driver.session.received - driver.session.covered <= 5 * SAMPLE_RATE
        assert len(driver.finals) == 4, number
        driver.requests.clear()
        driver.events.clear()
        driver.covered.clear()
    assert max(held[5:]) <= 1.1 * max(held[:5])


def test_words_behind_a_hole_in_the_speech_are_not_committed() -> None:
    def skipping(request: DecodeRequest) -> DecodeResult:
        heard = scripted(replace(request, prefix="", words=True))
        if request.kind is Kind.FINAL or request.duration_s < 4.0:
            return heard
        left = (*heard.words[:1], *heard.words[7:])
        return replace(heard, text=" ".join(word.text for word in left), words=left)

    audio = pcm16(speech(14), silence(1))
    whole = " ".join(words_of(pcm16_to_float(audio[: 14 * 32_000])))
    said: list[bool] = []
    for filters in (ALL, ALL - {Drop.HOLE}):
        options = SessionOptions(filters=filters)
        driver = Driver(skipping, config=SessionConfig(words=True), options=options)
        driver.hear(audio)
        assert (Drop.HOLE in {dropped.reason for dropped in driver.dropped}) is (Drop.HOLE in filters)
        said.append(driver.finals[0].text.startswith(whole))
    assert said == [True, False]


def test_a_session_is_at_rest_between_utterances_and_not_while_one_is_open_or_undecided() -> None:
    driver = Driver()
    session = driver.session
    assert session.at_rest
    asked: list[Decode] = []

    def hear(audio: bytes) -> None:
        for effect in session.audio(session.received, audio):
            if isinstance(effect, Decode):
                asked.append(effect)

    hear(pcm16(silence(1)))
    assert session.at_rest
    hear(pcm16(speech(2)))
    assert not session.at_rest, "open"
    hear(pcm16(silence(2)))
    assert not session.at_rest, "ended, without its final"
    for decode in asked:
        driver.apply(session.decoded(decode.ticket, scripted(decode.request)))
    assert session.at_rest


def test_a_successor_of_a_session_at_rest_has_nothing_to_hear_again() -> None:
    first = Driver()
    first.hear(pcm16(silence(1), speech(3), silence(1)))
    assert first.session.at_rest
    second = Driver(committed=first.session.covered, checkpoint=first.left)
    second.hear(pcm16(silence(1), speech(2, seed=2), silence(1)), start=first.session.covered)
    assert [final.utterance for final in second.finals] == [1]


def test_while_a_forced_final_is_decoded_the_rest_of_the_free_one_is_shown() -> None:
    def contrary(request: DecodeRequest) -> DecodeResult:
        if request.kind is Kind.FINAL and not request.prefix:
            return replace(scripted(request), text=f"oh {scripted(request).text} indeed")
        return scripted(request)

    driver = Driver(contrary)
    driver.hear(pcm16(speech(6), silence(1)))
    shown = driver.partials[-1]
    assert shown.text.startswith(shown.text[: shown.committed])
    assert shown.text.endswith(" indeed")
    assert driver.requests[-1].prefix == shown.text[: shown.committed]
    assert not driver.finals[0].text.endswith(" indeed")


@pytest.mark.parametrize(
    ("before", "partials", "said"),
    [(silence(1), True, True), (speech(0.1), True, False), (speech(0.1), False, True)],
)
def test_a_doubtful_final_is_not_said_where_no_voice_stands_above_the_room_and_partials_were_not_believed(
    before: Float32, partials: bool, said: bool
) -> None:
    def answer(request: DecodeRequest) -> DecodeResult:
        unsure = -1.5 if request.kind is Kind.PARTIAL else -0.8
        return DecodeResult(text="on the road", language="en", avg_logprob=unsure)

    driver = Driver(answer, config=SessionConfig(language="en", partials=partials))
    driver.hear(pcm16(before, speech(2)))
    driver.apply(driver.session.end())
    assert [bool(final.text) for final in driver.finals] == [said]
    finals = [request for request in driver.requests if request.kind is Kind.FINAL]
    assert len(finals) == (1 if said else 2), "what is not believed is heard once more by itself"


@pytest.mark.parametrize(("before", "shown"), [(silence(1), True), (speech(0.1), False)])
def test_a_doubtful_first_partial_is_shown_where_a_voice_stands_above_the_room(
    before: Float32, shown: bool
) -> None:
    def answer(request: DecodeRequest) -> DecodeResult:
        unsure = -0.8 if request.kind is Kind.PARTIAL else -0.2
        return DecodeResult(text="on the road", language="en", avg_logprob=unsure)

    driver = Driver(answer, config=SessionConfig(language="en"))
    driver.hear(pcm16(before, speech(2)))
    assert bool(driver.partials) is shown
    assert {partial.committed for partial in driver.partials} <= {0}
