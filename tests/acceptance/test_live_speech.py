"""Real speech through the running service with real weights, scored against the references."""

import asyncio
import re

import pytest

from tests.support.accuracy import wer
from tests.support.data import clip
from tests.support.live import RawSession, raw_session, transcribe
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken

pytestmark = [pytest.mark.anyio, pytest.mark.model]

ENGLISH = ("en_quilter", "en_stew", "en_wizard", "en_twain")
REFERENCE = " ".join(clip(name).text for name in ENGLISH)


async def at_once(session: RawSession, pcm16: bytes) -> None:
    """Send audio at the speed of speech."""
    clock = asyncio.get_running_loop().time
    start = clock()
    for i in range(0, len(pcm16), 3200):
        await session.socket.send(pcm16[i : i + 3200])
        await asyncio.sleep(max(0.0, start + (i + 3200) / 32000 - clock()))


async def test_english_is_understood(english: Service) -> None:
    session = await transcribe(english.ws_url, spoken(*ENGLISH), language="en")
    assert wer(REFERENCE, session.transcript) <= 0.12
    assert {final["language"] for final in session.of("final")} == {"en"}


async def test_partials_come_while_the_person_speaks_and_commit_what_the_final_keeps(
    english: Service,
) -> None:
    async with raw_session(english.ws_url, words="true") as session:
        await at_once(session, clip("en_stew").pcm16())
        assert session.messages == []  # nothing was read yet: what follows was said during the speech
        await session.say("end")
        assert (await session.until_closed())[0] == 1000
    partials, finals = session.of("partial"), session.of("final")
    assert len(partials) >= 5
    for final in finals:
        for partial in (p for p in partials if p["utterance"] == final["utterance"]):
            assert final["text"].startswith(partial["text"][: partial["committed"]])
    assert max(p["committed"] for p in partials) > 20


async def test_words_lie_in_order_within_the_speech(english: Service) -> None:
    session = await transcribe(english.ws_url, spoken("en_wizard"), words="true")
    final = session.of("final")[0]
    times = [(word["start"], word["end"]) for word in final["words"]]
    assert times == sorted(times)
    assert all(final["start"] - 0.1 <= start <= end <= final["end"] + 0.1 for start, end in times)
    assert all(0 < word["probability"] <= 1 for word in final["words"])
    assert wer(clip("en_wizard").text, " ".join(word["text"] for word in final["words"])) <= 0.15


async def test_nothing_is_heard_in_noise_music_and_silence(english: Service) -> None:
    for audio in (clip("noise").pcm16() * 2, clip("music").pcm16(), pcm16(silence(10))):
        session = await transcribe(english.ws_url, audio)
        assert session.transcript == ""


async def test_an_english_model_refuses_another_language_and_translation(english: Service) -> None:
    for query, name in (({"language": "de"}, "language"), ({"task": "translate"}, "task")):
        async with raw_session(english.ws_url, **query) as session:
            assert (await session.until_closed())[0] == 1008
        assert name in session.messages[-1]["message"]


@pytest.mark.parametrize(("name", "bound"), [("de_zeit", 0.35), ("fr_course", 0.45)])
async def test_the_language_is_found_and_kept(multilingual: Service, name: str, bound: float) -> None:
    spoken_clip = clip(name)
    session = await transcribe(multilingual.ws_url, spoken(name))
    assert {final["language"] for final in session.of("final")} == {spoken_clip.language}
    assert wer(spoken_clip.text, session.transcript, language=spoken_clip.language) <= bound


async def test_english_through_the_default_model(multilingual: Service) -> None:
    session = await transcribe(multilingual.ws_url, spoken(*ENGLISH))
    assert wer(REFERENCE, session.transcript) <= 0.10


async def test_german_is_translated_into_english(multilingual: Service) -> None:
    session = await transcribe(multilingual.ws_url, spoken("de_zeit"), task="translate", language="de")
    words = set(session.transcript.lower().replace(",", " ").split())
    assert {"people", "men", "women", "time", "many", "the"} & words
    assert not {"und", "die", "oder"} & words


@pytest.mark.slow
async def test_each_speaker_is_understood_in_their_language(multilingual: Service) -> None:
    names = ("en_stew", "de_zeit", "fr_course", "en_twain")
    audio = spoken(*names, gap_s=1.2)
    session = await transcribe(multilingual.ws_url, audio, languages="de,en,fr")
    assert [final["language"] for final in session.of("final")] == ["en", "de", "fr", "en"]
    for name, final in zip(names, session.of("final"), strict=True):
        assert wer(clip(name).text, final["text"], language=clip(name).language) <= 0.45
    said = [(m["previous"], m["language"]) for m in session.of("language")]
    assert said == [("en", "de"), ("de", "fr"), ("fr", "en")]
    assert all(m["probability"] >= 0.5 for m in session.of("language"))


@pytest.mark.slow
async def test_a_change_of_language_is_heard_without_partials_too(multilingual: Service) -> None:
    audio = spoken("en_stew", "de_zeit", gap_s=1.2)
    session = await transcribe(multilingual.ws_url, audio, partials="false")
    assert [final["language"] for final in session.of("final")] == ["en", "de"]


@pytest.mark.slow
async def test_a_translation_goes_on_when_the_language_changes(multilingual: Service) -> None:
    audio = spoken("de_zeit", "fr_course", gap_s=1.2)
    session = await transcribe(multilingual.ws_url, audio, task="translate")
    assert [final["language"] for final in session.of("final")] == ["de", "fr"]
    words = session.transcript.lower().split()
    assert {"the", "and", "of"} & set(words)
    assert not {"und", "oder", "la", "sa", "le"} & set(words)


@pytest.mark.slow
async def test_a_shorter_endpoint_gives_more_utterances(english: Service) -> None:
    audio = spoken("en_quilter", "en_wizard", "en_twain", gap_s=0.7)
    counts = [
        len((await transcribe(english.ws_url, audio, endpointing_ms=ms)).of("final"))
        for ms in ("400", "3000")
    ]
    assert counts[0] >= 3
    assert counts[1] <= 2


@pytest.mark.slow
async def test_numbers_are_written_as_asked(multilingual: Service) -> None:
    audio = spoken("en_years")
    digits = await transcribe(multilingual.ws_url, audio, language="en", numerals="digits", words="true")
    aloud = await transcribe(multilingual.ws_url, audio, language="en", numerals="spoken")
    assert re.search("25( to |-)30 year", digits.transcript)
    assert "thirty year" in aloud.transcript.lower()
    assert not any(c.isdigit() for c in aloud.transcript)
    for final in digits.of("final"):
        # "25-30" are two words, as the model parts them.
        assert "".join(word["text"] for word in final["words"]) == final["text"].replace(" ", "")
        for partial in (p for p in digits.of("partial") if p["utterance"] == final["utterance"]):
            assert final["text"].startswith(partial["text"][: partial["committed"]])


@pytest.mark.slow
async def test_numbers_that_the_model_writes_as_words_become_digits(multilingual: Service) -> None:
    """A prompt makes the model write numbers out, as it does by itself with small ones."""
    style = (
        "He was forty-two years old, she was thirty-five, and it took them twenty-one to twenty-two years."
    )
    query = {"language": "en", "prompt": style}
    heard = await transcribe(multilingual.ws_url, spoken("en_years"), **query, numerals="spoken")
    written = await transcribe(multilingual.ws_url, spoken("en_years"), **query, numerals="digits")
    assert "five to thirty" in heard.transcript.lower()
    assert "25 to 30" in written.transcript


async def test_hotwords_change_how_a_name_is_written(multilingual: Service) -> None:
    """The clip says a name that sounds like a common word; hotwords and prompt reach the decoder."""
    plain = await transcribe(multilingual.ws_url, spoken("en_quilter"), language="en")
    helped = await transcribe(multilingual.ws_url, spoken("en_quilter"), language="en", hotwords="Kwylter")
    assert "kwylter" not in plain.transcript.lower()
    assert "kwylter" in helped.transcript.lower()
