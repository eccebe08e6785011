"""What is typed for finals: committed text, joining, replacements, commands. Pure."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.dictation.core.chords import Chord, parse_chord
from client.dictation.core.commands import COMMANDS, Spoken, obey
from client.dictation.core.committed import Committed, tail
from client.dictation.core.graphemes import clusters, common_prefix, parts, utf16_units
from client.dictation.core.recording import BYTES_PER_S, Recording
from client.dictation.core.target import Rule, Rules, Target
from client.dictation.core.writing import HOTWORDS_MAX, hotwords, substitute
from shared.errors import BadParameter
from shared.events import Final
from shared.transcript import Tail

LETTERS = st.one_of(
    st.sampled_from("abz éßñ .,!?界日本ไทยЖ한글אב"),
    st.sampled_from(["e\u0301", "👩\u200d👩\u200d👧", "🇩🇪", "👍🏽", "क्ष", "\u0301", "\u200d"]),
    st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]),
)
WORDS = st.lists(LETTERS, max_size=12).map(lambda letters: "".join(letters).strip())


def finals_of(texts: list[str]) -> list[Final]:
    """Finals as the server numbers them."""
    end, finals = Tail(), list[Final]()
    for number, text in enumerate(texts):
        place = end.offset_of(text)
        finals.append(Final(utterance=number, text=text, start=0, end=0, committed=len(text), offset=place))
        end = end.after(text)
    return finals


@given(st.lists(WORDS, max_size=8), st.data())
def test_each_final_is_due_once_and_all_together_are_the_transcript(
    texts: list[str], data: st.DataObject
) -> None:
    finals = finals_of(texts)
    again = data.draw(st.lists(st.sampled_from(finals), max_size=6)) if finals else []
    due, committed = "", Committed()
    for final in finals:
        committed, text = committed.take(final)
        due += text
        for old in (f for f in again if f.utterance <= final.utterance):
            assert committed.take(old) == (committed, "")
    assert unicodedata.normalize("NFC", due) == unicodedata.normalize("NFC", committed.text)
    assert committed.divergences == 0


def test_a_server_that_contradicts_itself_takes_nothing_back() -> None:
    first, second = finals_of(["one two", "three"])
    committed, _ = Committed().take(first)
    committed, due = committed.take(Final(utterance=1, text="twenty", start=0, end=0, committed=6, offset=4))
    assert (due, committed.divergences) == ("enty", 1)
    assert committed.take(second) == (committed, "")  # number 1 is taken


@given(WORDS, WORDS)
def test_a_tail_begins_at_a_cluster_unless_its_mark_belongs_to_what_is_there(before: str, after: str) -> None:
    if after.startswith(before):
        joined = unicodedata.normalize("NFC", before) + tail(before, after)
        assert unicodedata.normalize("NFC", joined) == unicodedata.normalize("NFC", after)
    else:
        normal = unicodedata.normalize("NFC", after)
        due = tail(before, after)
        assert normal.endswith(due)
        kept = len(normal) - len(due)
        assert clusters(normal)[: len(clusters(normal[:kept]))] == clusters(normal[:kept])


@given(st.text(), st.integers(2, 20))
def test_parts_are_short_and_whole(text: str, units: int) -> None:
    cut = list(parts(text, units))
    assert "".join(cut) == text
    assert all(utf16_units(part) <= units for part in cut)
    edges = {0}
    for cluster in clusters(text):
        edges.add(max(edges) + len(cluster))
    place = 0
    for part in cut:
        inside = next((c for c in clusters(text) if utf16_units(c) > units), None)
        assert place in edges or inside is not None
        place += len(part)


def test_a_family_is_one_cluster() -> None:
    assert clusters("a👩‍👩‍👧🇩🇪e\u0301") == ["a", "👩‍👩‍👧", "🇩🇪", "e\u0301"]
    assert common_prefix("cafe", "cafe\u0301") == "caf"


@pytest.mark.parametrize(
    ("heard", "language", "written"),
    [
        ("Hello world, new line, second line.", "en", "Hello world\nSecond line."),
        ("Hello comma world full stop it works.", "en", "Hello, world. It works."),
        ("First. New paragraph. second", "en", "First.\n\nSecond"),
        ("Is this right, question mark?", "en", "Is this right?"),
        ("We scratch that itch.", "en", "We scratch that itch."),
        ("Hallo Komma Welt. Neue Zeile. Ende.", "de", "Hallo, Welt.\nEnde."),
        ("Bonjour virgule ça va point d’interrogation", "fr", "Bonjour, ça va ?"),
        ("hola coma mundo nueva línea", "es", "hola, mundo\n"),
        ("new line", "fi", "new line"),
        ("new line", "", "new line"),
        ("", "en", ""),
    ],
)
def test_spoken_commands(heard: str, language: str, written: str) -> None:
    assert obey(heard, language) == Spoken(written)


def test_scratch_that() -> None:
    assert obey("Scratch that.", "en") == Spoken("", takes_back=True)
    assert obey("No I meant, scratch that.", "en") == Spoken("")


@given(st.sampled_from(sorted(COMMANDS)), st.lists(st.text(max_size=9), max_size=9))
def test_commands_take_any_text(language: str, words: list[str]) -> None:
    obey(" ".join(words), language)


def test_replacements_are_whole_words_in_any_case_and_only_once() -> None:
    replacements = {
        "steno": "Steno",
        "redis": "steno",
        "my address": "1 Main St.",
        "语": "語",
        "c++": "C plus",
    }
    text = "STENO, stenographer, Redis and my address; C++! 汉语"
    assert substitute(text, replacements) == "Steno, stenographer, steno and 1 Main St.; C plus! 汉語"
    assert substitute("a\\1b", {"a\\1b": r"\g<0>"}) == r"\g<0>"
    assert substitute("Straße", {"STRASSE": "street"}) == "street"


def test_the_vocabulary_becomes_hotwords() -> None:
    assert hotwords((" Valkey ", "", "CTranslate2")) == "Valkey, CTranslate2"
    with pytest.raises(BadParameter, match="vocabulary"):
        hotwords(("x" * HOTWORDS_MAX, "y"))


def test_chords() -> None:
    assert parse_chord("Ctrl + Option+D") == Chord("d", frozenset({"ctrl", "alt"}))
    assert str(parse_chord("super+shift+f9")) == "shift+super+f9"
    assert parse_chord("ctrl++") == Chord("+", frozenset({"ctrl"}))
    for wrong in ("", "d", "shift+d", "hyper+d", "ctrl+", "ctrl+delete", "ctrl+ab"):
        with pytest.raises(BadParameter):
            parse_chord(wrong)


def test_the_first_rule_that_matches_counts() -> None:
    rules = Rules((Rule(match="*Slack*", newline="shift-return"), Rule(match="*", insert="paste")))
    assert rules.of(Target(app="slack")).newline == "shift-return"
    assert rules.of(Target(app="XTerm")).insert == "paste"
    assert Rules().of(Target()).insert == "type"


@given(st.lists(st.one_of(st.integers(1, 3000), st.just("send"), st.just("cover"), st.just("new"))))
def test_every_sample_reaches_a_session_and_what_is_covered_no_second_one(steps: list[object]) -> None:
    recording, count = Recording(kept_s_max=1e6), 0
    said = bytearray()
    session = bytearray()  # what this session was sent
    first = 0  # where in `said` it begins
    covered = 0  # of `said`, by finals
    for step in steps:
        if isinstance(step, int):
            audio = b"".join((count + n).to_bytes(2, "little") for n in range(step % 50 + 1))
            count = (count + step % 50 + 1) % 60000
            said += audio
            recording.add(audio)
        elif step == "send":
            session += recording.due()
        elif step == "cover":
            recording.cover(len(session) / BYTES_PER_S)
            covered = max(covered, first + len(session))
        else:
            recording.begin_session()
            first, session = covered, bytearray()
        assert session == said[first : first + len(session)]
    recording.begin_session()
    assert recording.due() == said[covered:]


def test_a_recording_has_a_bound() -> None:
    recording = Recording(kept_s_max=1.0)
    recording.add(b"a" * BYTES_PER_S)
    assert recording.due() == b"a" * BYTES_PER_S
    recording.add(b"b" * BYTES_PER_S)
    assert recording.dropped_s == 0.0  # what went had been sent
    recording.add(b"c" * BYTES_PER_S)
    assert recording.dropped_s == 1.0
    assert recording.due() == b"c" * BYTES_PER_S
    recording.cover(2.0)  # the second of `b` never came to this session
    recording.begin_session()
    assert recording.due() == b""
    recording.cover(99.0)  # more than it was ever sent
    recording.add(b"dd")
    assert recording.due() == b"dd"
