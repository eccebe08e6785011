"""What every engine must do, whatever it runs on."""

from collections.abc import Generator
from dataclasses import replace

import numpy as np
import pytest

from shared.audio.pcm import SAMPLE_RATE, Float32
from shared.errors import BadParameter
from shared.models import resolve
from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.sound import silence
from worker.core.decode import DecodeRequest, Kind
from worker.engine.api import ENGINES, WITHOUT_WEIGHTS, Engine, EngineOptions, check_engine, make_engine

CLIP = clip("en_quilter")
MARKS = {
    "scripted": (),
    "huggingface": (pytest.mark.model, pytest.mark.huggingface, pytest.mark.timeout(600)),
}
ALL = [pytest.param(name, marks=MARKS.get(name, pytest.mark.model)) for name in sorted(ENGINES)]


@pytest.fixture(scope="module", params=ALL)
def engine(request: pytest.FixtureRequest) -> Generator[Engine]:
    """Each engine there is; a new one is tested by being listed in ENGINES."""
    path = None if request.param in WITHOUT_WEIGHTS else resolve("tiny.en").path
    made = make_engine(request.param, EngineOptions(model="tiny.en", path=path, device="cpu", threads=2))
    made.prepare()
    yield made
    made.close()


def ask(audio: Float32, kind: Kind = Kind.FINAL, **options: object) -> DecodeRequest:
    return DecodeRequest(kind=kind, audio=audio, language="en", **options)  # type: ignore[arg-type]


def _words(text: str) -> list[str]:
    return [word.strip(".,").lower() for word in text.split()]


def test_capabilities_are_known_before_the_first_decode(engine: Engine) -> None:
    assert "en" in engine.info.languages
    assert engine.info.parallel == 2
    assert engine.info.batch_max >= 1
    assert engine.info.multilingual is (len(engine.info.languages) > 1)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_request_gets_a_result_of_its_language(engine: Engine, kind: Kind) -> None:
    (result,) = engine.decode([ask(CLIP.samples(), kind)])
    assert result.text == result.text.strip() != ""
    assert result.language == "en"
    assert result.avg_logprob <= 0
    assert not result.runaway


def test_results_come_in_the_order_of_the_requests(engine: Engine) -> None:
    audio = [CLIP.samples(), clip("en_wizard").samples(), CLIP.samples()[: 2 * SAMPLE_RATE]]
    alone = [engine.decode([ask(a)])[0].text for a in audio]
    together = [result.text for result in engine.decode([ask(a) for a in audio])]
    assert together == alone


def test_the_same_request_gets_the_same_result(engine: Engine) -> None:
    assert engine.decode([ask(CLIP.samples())]) == engine.decode([ask(CLIP.samples())])


def test_a_result_begins_with_the_prefix(engine: Engine) -> None:
    prefix = " ".join(engine.decode([ask(CLIP.samples())])[0].text.split()[:3])
    for kind in (Kind.PARTIAL, Kind.FINAL):
        assert engine.decode([ask(CLIP.samples(), kind, prefix=prefix)])[0].text.startswith(prefix)
    odd = engine.decode([ask(CLIP.samples(), prefix="Zebra crossing,")])[0].text
    assert odd.startswith("Zebra crossing,")


def test_a_prefix_that_the_engine_would_say_changes_nothing_behind_it(engine: Engine) -> None:
    for name in ("en_quilter", "en_wizard"):
        audio = clip(name).samples()
        (free,) = engine.decode([ask(audio, Kind.PARTIAL)])
        words = free.text.split()
        for count in (1, len(words) // 2, len(words)):
            prefix = " ".join(words[:count])
            (forced,) = engine.decode([ask(audio, Kind.PARTIAL, prefix=prefix)])
            assert forced.text == free.text, count


def test_prefixes_of_different_lengths_can_be_asked_for_together(engine: Engine) -> None:
    audio = CLIP.samples()
    words = engine.decode([ask(audio, Kind.PARTIAL)])[0].text.split()
    earlier = "It is a long story, and it was told before by many who were there. They liked it."
    requests = [
        ask(audio, Kind.PARTIAL, prefix=" ".join(words[:count]), context=earlier) for count in (0, 3, 5, 8)
    ]
    together = engine.decode(requests)
    alone = [engine.decode([request])[0] for request in requests]
    # How much earlier text is cut depends on what is decoded with it, and a comma may depend on that.
    assert [_words(r.text) for r in together] == [_words(r.text) for r in alone]


def test_what_was_said_before_is_heard_and_not_said_again(engine: Engine) -> None:
    first, second = clip("en_wizard"), CLIP
    before = engine.decode([ask(first.samples())])[0].text
    audio = np.concatenate((first.samples(), second.samples()))
    left_s = len(first.samples()) / SAMPLE_RATE
    (result,) = engine.decode([ask(audio, left=before, left_s=left_s, words=True)])
    assert not result.text.startswith(before)
    assert result.words[0].start >= left_s - 0.5
    assert " ".join(word.text for word in result.words) == result.text
    if engine.info.name not in ("scripted",):
        assert wer(second.text, result.text) <= 0.15


def test_words_are_the_text_in_order_and_within_the_audio(engine: Engine) -> None:
    (result,) = engine.decode([ask(CLIP.samples(), words=True)])
    assert " ".join(word.text for word in result.words) == result.text
    starts = [word.start for word in result.words]
    assert starts == sorted(starts)
    assert all(0 <= word.start <= word.end <= CLIP.duration_s + 0.6 for word in result.words)
    assert engine.decode([ask(CLIP.samples())])[0].words == ()


@pytest.mark.parametrize("seconds", [0.0, 0.01, 0.1, 30.0, 35.0])
def test_any_length_is_taken(engine: Engine, seconds: float) -> None:
    (result,) = engine.decode([ask(silence(seconds), words=True)])
    assert isinstance(result.text, str)


def test_an_empty_batch_is_answered_with_nothing(engine: Engine) -> None:
    assert engine.decode([]) == []


def test_detection_chooses_among_the_languages_that_are_allowed(engine: Engine) -> None:
    if not engine.info.multilingual:
        pytest.skip("one language leaves nothing to choose")
    for allowed in (("fr", "en"), ("de",)):
        request = DecodeRequest(kind=Kind.PARTIAL, audio=CLIP.samples(), languages=allowed)
        (result,) = engine.decode([request])
        assert result.detected == result.language in allowed


def test_an_open_language_is_told(engine: Engine) -> None:
    (result,) = engine.decode([DecodeRequest(kind=Kind.PARTIAL, audio=CLIP.samples())])
    assert result.detected == result.language == "en"


def test_detection_beside_a_given_language_is_told_and_changes_nothing(engine: Engine) -> None:
    plain, told = engine.decode([ask(CLIP.samples()), ask(CLIP.samples(), detect=True)])
    assert (plain.detected, told.detected) == ("", "en")
    assert told.text == plain.text


def test_a_first_attempt_may_be_sampled(engine: Engine) -> None:
    (result,) = engine.decode([ask(CLIP.samples(), temperature=0.3)])
    assert result.text
    if engine.info.name not in ("scripted",):
        assert wer(CLIP.text, result.text) <= 0.3


@pytest.fixture(scope="module")
def base() -> Generator[Engine]:
    """The default model, which knows many languages."""
    path = resolve("base").path
    made = make_engine("faster_whisper", EngineOptions(model="base", path=path, device="cpu"))
    yield made
    made.close()


@pytest.mark.model
@pytest.mark.slow
def test_a_language_is_told_from_its_sound_among_all_and_among_some(base: Engine) -> None:
    for name in ("en_quilter", "de_zeit", "fr_course"):
        spoken = clip(name)
        asked = DecodeRequest(kind=Kind.PARTIAL, audio=spoken.samples()[: 4 * SAMPLE_RATE])
        among_all, among_some = base.decode([asked, replace(asked, languages=("de", "en", "fr"))])
        for result in (among_all, among_some):
            assert result.language == result.detected == spoken.language
        assert 0 < among_all.language_probability <= among_some.language_probability <= 1
    request = DecodeRequest(kind=Kind.PARTIAL, audio=clip("de_zeit").samples(), languages=("en", "fr"))
    assert base.decode([request])[0].language in ("en", "fr")


@pytest.mark.model
def test_another_language_behind_what_was_said_before_is_told(base: Engine) -> None:
    before, after = clip("en_wizard"), clip("de_zeit")
    left = base.decode([ask(before.samples())])[0].text
    left_s = len(before.samples()) / SAMPLE_RATE
    audio = np.concatenate((before.samples(), after.samples()[: 5 * SAMPLE_RATE]))
    (result,) = base.decode([ask(audio, left=left, left_s=left_s, detect=True)])
    assert (result.language, result.detected) == ("en", "de")


@pytest.mark.model
def test_numbers_are_spelled_out_where_digits_are_not_wanted(base: Engine) -> None:
    audio = clip("en_years").samples()
    (spoken,) = base.decode([ask(audio, no_digits=True)])
    assert not any(c.isdigit() for c in spoken.text)
    assert "thirty" in spoken.text.lower()


@pytest.mark.model
def test_real_speech_is_understood() -> None:
    engine = make_engine(
        "faster_whisper", EngineOptions(model="tiny.en", path=resolve("tiny.en").path, device="cpu")
    )
    for name in ("en_quilter", "en_stew", "en_wizard"):
        text = engine.decode([ask(clip(name).samples())])[0].text
        assert wer(clip(name).text, text) <= 0.15
    engine.close()


@pytest.mark.model
def test_a_final_is_decoded_with_the_beam_that_is_asked_for() -> None:
    engine = make_engine(
        "faster_whisper", EngineOptions(model="tiny.en", path=resolve("tiny.en").path, device="cpu")
    )
    audio = clip("en_stew").samples()
    (greedy,) = engine.decode([ask(audio, Kind.PARTIAL)])
    wide, narrow, same = engine.decode([ask(audio), ask(audio, beam=1), ask(audio, beam=5)])
    assert (narrow.text, narrow.avg_logprob) == (greedy.text, pytest.approx(greedy.avg_logprob, abs=1e-3))
    assert wide.avg_logprob == pytest.approx(same.avg_logprob, abs=1e-3)
    assert wide.avg_logprob != pytest.approx(narrow.avg_logprob, abs=1e-3)
    engine.close()


def test_an_unknown_engine_lists_the_known_ones() -> None:
    with pytest.raises(BadParameter, match="one of faster, huggingface, scripted"):
        check_engine("magic")
