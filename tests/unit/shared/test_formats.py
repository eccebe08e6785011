"""Transcripts as files: nothing lost, times right, readers not confused."""

import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.errors import BadParameter
from shared.events import Word
from shared.formats import FORMATS, format_named, to_json, to_srt, to_tsv, to_txt, to_verbose_json, to_vtt
from shared.subtitles import Layout, cues
from shared.transcript import Segment, Transcript

EMPTY = Transcript(language="", duration=2.5, segments=())


def spoken(text: str, *, start: float = 0.0, pace_s: float = 0.3) -> Segment:
    """A segment whose words follow each other at `pace_s`."""
    words = tuple(
        Word(text=word, start=start + i * pace_s, end=start + (i + 1) * pace_s, probability=0.9)
        for i, word in enumerate(text.split())
    )
    return Segment(start=start, end=start + len(words) * pace_s, text=text, words=words)


def transcript(*segments: Segment) -> Transcript:
    return Transcript(language="en", duration=segments[-1].end, segments=segments)


def test_srt_has_numbers_times_and_text() -> None:
    made = to_srt(
        transcript(Segment(start=0, end=1.5, text="Hello."), Segment(start=2, end=3, text="There & then."))
    )
    assert made == (
        "1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n00:00:02,000 --> 00:00:03,000\nThere & then.\n"
    )


def test_vtt_escapes_what_would_be_markup_or_a_timing_line() -> None:
    made = to_vtt(transcript(Segment(start=0, end=1, text="a < b --> c & d")))
    assert made == "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na &lt; b --&gt; c &amp; d\n"


@pytest.mark.parametrize(
    ("seconds", "stamp"),
    [
        (0.0, "00:00:00,000"),
        (59.9996, "00:01:00,000"),
        (3599.999, "00:59:59,999"),
        (3661.5, "01:01:01,500"),
        (36_000.0, "10:00:00,000"),
        (360_000.25, "100:00:00,250"),
    ],
)
def test_times_are_right_past_one_hour(seconds: float, stamp: str) -> None:
    made = to_srt(transcript(Segment(start=seconds, end=seconds + 1, text="x")))
    assert made.split("\n")[1].startswith(f"{stamp} --> ")


def test_an_empty_transcript_is_valid_in_every_format() -> None:
    assert to_srt(EMPTY) == ""
    assert to_vtt(EMPTY) == "WEBVTT\n"
    assert to_txt(EMPTY) == ""
    assert json.loads(to_json(EMPTY)) == {"text": "", "language": "", "duration": 2.5, "segments": []}


def test_a_long_segment_is_cut_at_word_times() -> None:
    segment = spoken("one two three four five six seven eight nine ten " * 4, pace_s=0.2)
    made = cues(transcript(segment))
    assert len(made) > 1
    boundaries = {round(w.start * 1000) for w in segment.words} | {round(w.end * 1000) for w in segment.words}
    for cue in made:
        assert {cue.start_ms, cue.end_ms} <= boundaries
        assert len(cue.lines) <= 2
        assert all(len(line) <= 42 for line in cue.lines)
        assert cue.end_ms - cue.start_ms <= 7000


def test_two_lines_are_of_about_the_same_length() -> None:
    (cue,) = cues(transcript(spoken("The quick brown fox jumps over the lazy dog today.", pace_s=0.1)))
    first, second = cue.lines
    assert abs(len(first) - len(second)) <= 10


def test_a_pause_ends_a_cue() -> None:
    words = (
        Word(text="Yes.", start=0, end=0.4, probability=1),
        Word(text="No.", start=3, end=3.4, probability=1),
    )
    made = cues(transcript(Segment(start=0, end=3.4, text="Yes. No.", words=words)))
    assert [(cue.start_ms, cue.end_ms, cue.lines) for cue in made] == [
        (0, 400, ("Yes.",)),
        (3000, 3400, ("No.",)),
    ]


def test_a_long_segment_without_words_stays_one_cue() -> None:
    (cue,) = cues(transcript(Segment(start=1, end=20, text="one two three four five " * 10)))
    assert (cue.start_ms, cue.end_ms) == (1000, 20_000)
    assert all(len(line) <= 42 for line in cue.lines)


def test_words_that_are_not_the_text_are_not_trusted() -> None:
    words = (Word(text="other", start=0, end=1, probability=1),)
    (cue,) = cues(transcript(Segment(start=0, end=2, text="the text", words=words)))
    assert cue.lines == ("the text",)


def test_lines_are_as_long_and_as_many_as_was_asked_for() -> None:
    segment = spoken("one two three four five six seven eight nine ten " * 4, pace_s=0.2)
    for layout in (Layout(20, 1), Layout(16, 3), Layout(80, 2)):
        made = cues(transcript(segment), layout)
        assert max(len(cue.lines) for cue in made) == layout.max_lines
        assert all(len(line) <= layout.max_line_chars for cue in made for line in cue.lines)
        assert "".join("".join(cue.lines) for cue in made).replace(" ", "") == segment.text.replace(" ", "")


@pytest.mark.parametrize("wrong", [(9, 2), (201, 2), (42, 0), (42, 11)])
def test_a_layout_that_nobody_can_read_is_refused(wrong: tuple[int, int]) -> None:
    with pytest.raises(BadParameter, match="max_line"):
        Layout(*wrong)


def test_speakers_stand_before_their_text() -> None:
    made = transcript(
        Segment(start=0, end=1, text="Hello.", speaker="S1", channel=0),
        Segment(start=1, end=2, text="You there?", speaker="S1", channel=0),
        Segment(start=2, end=3, text="Yes.", speaker="S2", channel=1),
    )
    assert to_txt(made) == "S1: Hello. You there?\nS2: Yes.\n"
    assert "\nS2: Yes.\n" in to_srt(made)
    assert "\n<v S2>Yes.\n" in to_vtt(made)
    assert to_tsv(made).splitlines()[3] == "2000\t3000\tS2: Yes."
    row = json.loads(to_json(made))["segments"][2]
    assert row == {"start": 2, "end": 3, "text": "Yes.", "speaker": "S2", "channel": 1}


def test_tsv_is_as_whisper_writes_it() -> None:
    made = to_tsv(transcript(Segment(start=0.5, end=1.25, text="a\ttab and\na line")))
    assert made == "start\tend\ttext\n500\t1250\ta tab and a line\n"


def test_verbose_json_has_what_the_decoder_thought() -> None:
    segment = Segment(start=0, end=1, text="Hi", avg_logprob=-0.25, no_speech_prob=0.01)
    made = Transcript(
        language="en", duration=1.5, segments=(segment, spoken("oh no", start=1)), task="translate"
    )
    document = json.loads(to_verbose_json(made))
    assert (document["task"], document["language"], document["duration"]) == ("translate", "en", 1.5)
    first = document["segments"][0]
    assert (first["id"], first["avg_logprob"], first["no_speech_prob"]) == (0, -0.25, 0.01)
    assert [word["word"] for word in document["words"]] == ["oh", "no"]


def test_scripts_without_spaces_are_joined_without_spaces() -> None:
    words = tuple(
        Word(text=char, start=i * 0.1, end=i * 0.1 + 0.1, probability=1)
        for i, char in enumerate("今日は天気")
    )
    (cue,) = cues(transcript(Segment(start=0, end=0.5, text="今日は天気", words=words)))
    assert cue.lines == ("今日は天気",)


def test_json_has_words_only_where_there_are_any() -> None:
    rows = json.loads(to_json(transcript(Segment(start=0, end=1, text="a"), spoken("b c", start=1))))
    assert "words" not in rows["segments"][0]
    assert [word["text"] for word in rows["segments"][1]["words"]] == ["b", "c"]
    assert rows["text"] == "a b c"


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(BadParameter, match="json, verbose_json, srt, vtt, tsv, txt"):
        format_named("pdf")
    assert all(format_named(name) is FORMATS[name] for name in FORMATS)


# Letters, line breaks of every kind, markup, a script without spaces.
TEXT = st.text(st.sampled_from("abcdefgh   ,.\n\r\t\x1f\x85\u2028<>&--é今日"), max_size=300)
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
TIME = st.floats(min_value=0, max_value=500_000, allow_nan=False)


@st.composite
def transcripts(draw: st.DrawFn) -> Transcript:
    segments: list[Segment] = []
    for _ in range(draw(st.integers(0, 6))):
        text, start, with_words = draw(TEXT), draw(TIME), draw(st.booleans())
        if with_words:
            segments.append(spoken(text, start=start, pace_s=draw(st.floats(0, 3))))
        else:
            segments.append(Segment(start=start, end=draw(TIME), text=text))
    return Transcript(language="en", duration=1.0, segments=tuple(segments))


def ms(stamp: str) -> int:
    hours, minutes, seconds, rest = map(int, re.split("[:,.]", stamp))
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + rest


def letters(text: str) -> str:
    return "".join(text.split())


@relaxed
@given(transcripts())
def test_srt_times_rise_and_no_text_is_lost(made: Transcript) -> None:
    blocks = [block.split("\n") for block in to_srt(made).split("\n\n")] if to_srt(made) else []
    before = 0
    text = ""
    for number, (head, timing, *lines) in enumerate(blocks, start=1):
        assert int(head) == number
        start, end = map(ms, timing.split(" --> "))
        assert before <= start < end
        before = end
        assert any(line.strip() for line in lines)
        text += "".join(lines)
    assert letters(text) == letters("".join(segment.text for segment in made.segments))


@relaxed
@given(transcripts())
def test_vtt_has_no_markup_and_no_text_is_lost(made: Transcript) -> None:
    head, *blocks = to_vtt(made).split("\n\n")
    assert head.strip() == "WEBVTT"
    text = "".join(line for block in blocks for line in block.split("\n")[1:])
    assert "<" not in text
    assert ">" not in text
    unescaped = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert letters(unescaped) == letters("".join(segment.text for segment in made.segments))


@relaxed
@given(transcripts())
def test_json_and_txt_hold_the_whole_text(made: Transcript) -> None:
    document = json.loads(to_json(made))
    assert document["text"] == made.text
    assert [row["text"] for row in document["segments"]] == [segment.text for segment in made.segments]
    assert letters(to_txt(made)) == letters(made.text)
