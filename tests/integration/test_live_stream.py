"""The native protocol against the running service, scripted engine: order, places, marks, formats."""

import asyncio
import itertools

import numpy as np
import pytest

from tests.support.encodings import encoded
from tests.support.live import raw_session, transcribe
from tests.support.service import Service
from tests.support.sound import pcm16, silence
from tests.support.speech import spoken

pytestmark = pytest.mark.anyio

TALK = spoken(gap_s=1.0)
"""Two real utterances with a pause."""


async def test_a_session_from_ready_to_closed(service: Service) -> None:
    session = await transcribe(service.ws_url, TALK)
    kinds = [m["type"] for m in session.messages if m["type"] != "partial"]
    assert kinds[0] == "ready"
    assert kinds[-1] == "closed"
    assert kinds.count("speech_start") == kinds.count("speech_end") == kinds.count("final") >= 2
    assert session.messages[-1]["utterances"] == kinds.count("final")
    assert session.messages[-1]["duration"] == pytest.approx(len(TALK) / 32000, abs=0.001)


async def test_numbers_rise_by_one_and_finals_end_what_partials_say(service: Service) -> None:
    session = await transcribe(service.ws_url, TALK)
    assert [m["seq"] for m in session.messages] == list(range(1, len(session.messages) + 1))
    for final in session.of("final"):
        later = [m for m in session.of("partial") if m["seq"] > final["seq"]]
        assert all(m["utterance"] > final["utterance"] for m in later)


async def test_every_transcript_message_has_text_and_final(service: Service) -> None:
    session = await transcribe(service.ws_url, TALK)
    for message in session.of("partial") + session.of("final"):
        assert isinstance(message["text"], str)
        assert message["final"] is (message["type"] == "final")
        assert 0 <= message["committed"] <= len(message["text"])
        assert 0 <= message["start"] <= message["end"]


async def test_finals_in_their_places_are_the_transcript(service: Service) -> None:
    session = await transcribe(service.ws_url, TALK)
    assert session.transcript == " ".join(m["text"] for m in session.of("final"))


async def test_the_alias_serves_the_same(service: Service) -> None:
    async with raw_session(service.ws_url, "/stream") as session:
        assert (await session.until("ready"))["session"]
        await session.say("end")
        assert await session.until_closed() == (1000, "")


async def test_finalize_gives_the_final_in_running_speech(service: Service) -> None:
    async with raw_session(service.ws_url) as session:
        await session.audio(TALK[: 32000 * 2])
        await session.say("finalize")
        final = await session.until("final")
        assert final["utterance"] == 0
        assert session.of("speech_end")[0]["reason"] == "finalize"


async def test_words_come_when_asked_for_and_only_then(service: Service) -> None:
    with_words = await transcribe(service.ws_url, TALK, words="true")
    final = with_words.of("final")[0]
    assert " ".join(word["text"] for word in final["words"]) == final["text"]
    without = await transcribe(service.ws_url, TALK)
    assert "words" not in without.of("final")[0]


async def test_a_shorter_endpoint_gives_more_utterances(service: Service) -> None:
    talk = spoken("en_quilter", "en_wizard", gap_s=0.6)
    counts = [
        len((await transcribe(service.ws_url, talk, endpointing_ms=ms)).of("final")) for ms in ("400", "3000")
    ]
    assert counts[0] >= 2
    assert counts[1] == 1


async def test_an_utterance_is_no_longer_than_was_asked_for(service: Service) -> None:
    talk = spoken("en_stew", "en_twain", gap_s=0.1)
    usual = await transcribe(service.ws_url, talk)
    assert max(final["end"] - final["start"] for final in usual.of("final")) > 6
    short = await transcribe(service.ws_url, talk, max_utterance_s="5")
    assert all(final["end"] - final["start"] <= 5.1 for final in short.of("final"))
    assert "length" in {end["reason"] for end in short.of("speech_end")}


async def test_partials_come_no_closer_than_was_asked_for(service: Service) -> None:
    session = await transcribe(service.ws_url, TALK, partial_interval_ms="2000")
    by_utterance: dict[int, list[float]] = {}
    for partial in session.of("partial"):
        by_utterance.setdefault(partial["utterance"], []).append(partial["end"])
    ends = {final["utterance"]: final["end"] for final in session.of("final")}
    for number, heard in by_utterance.items():
        # An early final is shown whenever it comes.
        open_ones = [at for at in heard if at < ends[number] - 0.5]
        assert all(b - a >= 1.9 for a, b in itertools.pairwise(open_ones))


async def test_a_deaf_detector_hears_less_than_a_keen_one(service: Service) -> None:
    talk = spoken()
    faint = (np.frombuffer(talk, "<i2") // 200).astype("<i2").tobytes()
    heard: list[float] = []
    for vad in ("0", "1"):
        session = await transcribe(service.ws_url, faint, vad=vad)
        heard.append(sum(final["end"] - final["start"] for final in session.of("final")))
    assert heard[0] < heard[1]


async def test_language_and_detection_s_choice_arrive(service: Service) -> None:
    among = await transcribe(service.ws_url, TALK, languages="fr,de")
    assert {final["language"] for final in among.of("final")} == {"fr"}
    alone = await transcribe(service.ws_url, TALK, languages="de")
    assert {final["language"] for final in alone.of("final")} == {"de"}
    assert among.of("language") == alone.of("language") == []


async def test_how_text_is_written_can_be_asked_for(service: Service) -> None:
    plain = await transcribe(service.ws_url, TALK, partials="false")
    for query in (
        {"numerals": "digits", "profanity": "mask", "language": "en"},
        {"numerals": "spoken"},
        {"temperature": "0.5"},
    ):
        session = await transcribe(service.ws_url, TALK, **query)
        assert session.transcript == plain.transcript  # made-up words: nothing to write otherwise
        for final in session.of("final"):
            for partial in (p for p in session.of("partial") if p["utterance"] == final["utterance"]):
                assert final["text"].startswith(partial["text"][: partial["committed"]])


async def test_partials_can_be_switched_off(service: Service) -> None:
    session = await transcribe(service.ws_url, TALK, partials="false")
    assert session.of("partial") == []
    assert session.of("final")


@pytest.mark.parametrize(
    ("encoding", "sample_rate", "channels"),
    [("pcm16", 48000, 2), ("float32", 44100, 1), ("mulaw", 8000, 1), ("alaw", 8000, 1), ("pcm16", 96000, 1)],
)
async def test_any_format_is_heard_as_speech(
    service: Service, encoding: str, sample_rate: int, channels: int
) -> None:
    audio = encoded(TALK, encoding, sample_rate, channels)
    query = {"encoding": encoding, "sample_rate": str(sample_rate), "channels": str(channels)}
    session = await transcribe(service.ws_url, audio, **query)
    assert session.messages[-1]["duration"] == pytest.approx(len(TALK) / 32000, abs=0.01)
    assert len(session.of("final")) >= 2


async def test_several_sessions_at_once_do_not_mix(service: Service) -> None:
    alone = await transcribe(service.ws_url, TALK, partials="false")
    together = await asyncio.gather(*(transcribe(service.ws_url, TALK, partials="false") for _ in range(8)))
    assert {session.transcript for session in together} == {alone.transcript}


@pytest.mark.parametrize("chunk_bytes", [320, 777, 160_000], ids=["10 ms", "odd", "5 s"])
async def test_audio_of_any_message_length_is_the_same_audio(service: Service, chunk_bytes: int) -> None:
    whole = await transcribe(service.ws_url, TALK, partials="false")
    async with raw_session(service.ws_url, partials="false") as session:
        await session.audio(TALK, chunk_bytes=chunk_bytes)
        await session.say("end")
        assert (await session.until_closed())[0] == 1000
    assert session.transcript == whole.transcript


async def test_more_audio_than_may_wait_is_slowed_down_and_all_of_it_is_decided(service: Service) -> None:
    """Minutes of speech and silence at once: the edge stops reading, and goes on as audio is covered."""
    talk = (TALK + pcm16(silence(5))) * 12
    session = await transcribe(service.ws_url, talk, partials="false")
    assert session.messages[-1]["duration"] == pytest.approx(len(talk) / 32000, abs=0.01)
    assert len(session.of("final")) >= 24
