"""Where utterances begin and end, from probabilities alone."""

from hypothesis import given
from hypothesis import strategies as st

from shared.audio.pcm import to_samples
from worker.core.endpointing import Boundary, Ended, Endpointer, EndpointOptions, Started
from worker.core.framing import FRAME_SAMPLES, frames_in

OPTIONS = EndpointOptions()


def run(*spans: tuple[float, int], options: EndpointOptions = OPTIONS, origin: int = 0) -> list[Boundary]:
    """Boundaries for (probability, frames) spans."""
    machine = Endpointer(options, origin)
    return [b for p, count in spans for _ in range(count) for b in machine.push(p)]


def test_speech_between_silence_is_one_utterance_with_its_surroundings() -> None:
    started, ended = run((0.0, 50), (0.9, 40), (0.0, 50))
    assert started == Started((50 - frames_in(OPTIONS.pre_roll_s)) * FRAME_SAMPLES)
    assert ended == Ended((90 + frames_in(OPTIONS.post_roll_s)) * FRAME_SAMPLES)


def test_a_click_is_no_speech() -> None:
    assert run((0.0, 20), (0.9, 2), (0.0, 50)) == []


def test_a_pause_shorter_than_the_endpoint_does_not_end_an_utterance() -> None:
    frames = to_samples(OPTIONS.silence_s) // FRAME_SAMPLES - 1
    boundaries = run((0.9, 30), (0.0, frames), (0.9, 30), (0.0, 50))
    assert [type(b) for b in boundaries] == [Started, Ended]


def test_the_longer_an_utterance_the_shorter_the_pause_that_ends_it() -> None:
    pause = to_samples(0.6) // FRAME_SAMPLES
    for speech_s, ends in ((4.0, False), (6.0, False), (9.0, True), (15.0, True)):
        frames = to_samples(speech_s) // FRAME_SAMPLES
        boundaries = run((0.9, frames), (0.0, pause))
        assert [type(b) for b in boundaries] == ([Started, Ended] if ends else [Started]), speech_s


def test_a_pause_that_is_asked_for_ends_long_utterances_too() -> None:
    for silence_s in (0.2, 2.0):
        options = EndpointOptions(silence_s=silence_s, long_silence_s=silence_s)
        frames = to_samples(silence_s) // FRAME_SAMPLES
        boundaries = run((0.9, 500), (0.0, frames - 1), (0.9, 1), (0.0, frames + 1), options=options)
        assert [type(b) for b in boundaries] == [Started, Ended]


def test_between_the_thresholds_speech_goes_on_but_does_not_begin() -> None:
    assert run((0.4, 100)) == []
    assert run((0.9, 10), (0.4, 100)) == [Started(0)]


def test_pre_roll_does_not_reach_into_the_utterance_before() -> None:
    options = EndpointOptions(silence_s=0.1, post_roll_s=0.1, pre_roll_s=1.0)
    _, first, second, _ = run((0.9, 30), (0.0, 8), (0.9, 30), (0.0, 40), options=options)
    assert isinstance(first, Ended)
    assert isinstance(second, Started)
    assert second.start == first.end


def test_endless_speech_is_cut_at_the_likeliest_pause_and_goes_on_there() -> None:
    options = EndpointOptions(max_utterance_s=10.0, cut_search_s=4.0)
    frames = to_samples(10.0) // FRAME_SAMPLES
    _, cut, again = run((0.9, frames - 60), (0.5, 1), (0.9, 70), options=options)[:3]
    assert isinstance(cut, Ended)
    assert cut.cut
    assert again == Started(cut.end)
    assert abs(cut.end - (frames - 60) * FRAME_SAMPLES) <= FRAME_SAMPLES


def test_committed_text_is_not_cut_off_its_audio() -> None:
    """The likeliest pause lies before what text was committed of, so the cut comes behind it."""
    options = EndpointOptions(max_utterance_s=10.0, cut_search_s=4.0)
    frames = to_samples(10.0) // FRAME_SAMPLES
    machine = Endpointer(options, 0)
    for _ in range(frames - 60):
        machine.push(0.9)
    machine.push(0.4)
    committed_until = machine.position + 10 * FRAME_SAMPLES
    machine.keep_whole(committed_until)
    boundaries = [boundary for _ in range(70) for boundary in machine.push(0.9)]
    (cut,) = [boundary for boundary in boundaries if isinstance(boundary, Ended)]
    assert cut.end >= committed_until


def test_closing_in_running_speech_ends_at_the_last_sample() -> None:
    machine = Endpointer(OPTIONS, 0)
    for _ in range(20):
        machine.push(0.9)
    assert machine.close(20 * FRAME_SAMPLES + 100) == [Ended(20 * FRAME_SAMPLES + 100)]
    assert machine.close(20 * FRAME_SAMPLES + 100) == []


@given(
    st.lists(st.floats(0, 1), max_size=400),
    st.integers(0, 10**6),
    st.floats(1.0, 5.0),
)
def test_utterances_are_ordered_disjoint_and_bounded(
    probabilities: list[float], origin: int, limit_s: float
) -> None:
    options = EndpointOptions(max_utterance_s=limit_s, silence_s=0.2, cut_search_s=0.5)
    machine = Endpointer(options, origin)
    position, start = origin, None
    for probability in probabilities:
        for boundary in machine.push(probability):
            if isinstance(boundary, Started):
                assert start is None
                assert boundary.start >= position
                start = boundary.start
            else:
                assert start is not None
                assert start < boundary.end <= machine.position
                assert boundary.end - start <= to_samples(limit_s) + 2 * FRAME_SAMPLES
                position, start = boundary.end, None
