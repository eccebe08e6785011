"""Data folders become passages, and passages become what sessions play."""

import json
from pathlib import Path

import pytest

from bench.baseline import Baseline, Heard, gold_of, gold_words, keep, kept
from bench.dataset import BUNDLED, PAUSE_S, BadData, Passage, everything, load, programs
from bench.latency import GoldWord


def passage(name: str, seconds: float, text: str = "") -> Passage:
    return Passage(name=name, language="en", text=text, pcm16=bytes(round(seconds * 16_000) * 2))


def test_the_bundled_clips_are_a_data_folder():
    """Clips, gaps and references are joined in the order that streams.jsonl gives."""
    demo, readers = load(BUNDLED)
    assert (demo.name, readers.name) == ("demo", "readers")
    assert demo.duration_s == pytest.approx(13.97)
    assert readers.duration_s == pytest.approx(5.855 + 10.435 + 4.905 + 8.94 + 3 * 0.8)
    assert readers.text.startswith("mister quilter")
    assert readers.text.endswith("fainting fit")


def test_a_folder_without_the_language_is_refused():
    """The message names what was looked for."""
    with pytest.raises(BadData, match="'sv'"):
        load(BUNDLED, language="sv")


def test_a_stream_of_clips_already_played_is_left_out(tmp_path: Path):
    """Otherwise a folder's long stream, made of the short ones, would play everything twice."""
    (tmp_path / "clip.flac").symlink_to(BUNDLED / "en_wizard.flac")
    clip = {"audio": "clip.flac", "text": "he began", "language": "en"}
    (tmp_path / "manifest.jsonl").write_text(json.dumps(clip))
    streams = [{"stream": name, "gap_s": 0.5, "files": ["clip.flac"]} for name in ("one", "again")]
    (tmp_path / "streams.jsonl").write_text("\n".join(map(json.dumps, streams)))
    assert [p.name for p in load(tmp_path)] == ["one"]


def test_everything_is_each_clip_of_the_language_once(tmp_path: Path):
    """Streams, then recordings, then what is left by source; a recording whose text is another is not used,
    and what the normaliser would leave out as a remark is read aloud."""
    names = ["stream/a.flac", "alone/b.flac", "alone/c.flac", "long/d.flac", "long/e.flac", "alone/f.flac"]
    rows = [{"audio": name, "text": name[0], "language": "en", "duration_s": 4.9} for name in names]
    rows[1]["text"] = "the (red) fox"
    rows[3] |= {"duration_s": 120.0}
    rows[4] |= {"duration_s": 120.0, "ref_note": "the narrator leaves out half"}
    rows[5]["language"] = "de"
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).symlink_to(BUNDLED / "en_wizard.flac")
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "streams.jsonl").write_text(json.dumps({"stream": "s", "gap_s": 0, "files": names[:1]}))
    english = everything(tmp_path, language="en")
    assert [(p.name, len(p.clips_s)) for p in english] == [("s", 1), ("alone en", 2), ("long/d.flac", 1)]
    assert english[1].text.split() == ["the", "red", "fox", "a"]
    (german,) = everything(tmp_path, language="de")
    assert (german.name, german.language) == ("alone de", "de")
    with pytest.raises(BadData, match="'sv'"):
        everything(tmp_path, language="sv")


@pytest.mark.parametrize(
    ("streams", "message"),
    [
        (None, "can't be read"),
        ("{", "not JSON lines"),
        ('{"stream": "s", "gap_s": 0, "files": ["x"]}', "names x"),
    ],
)
def test_a_broken_folder_is_named(tmp_path: Path, streams: str | None, message: str):
    """Each way to be broken says which file it is."""
    (tmp_path / "manifest.jsonl").write_text("")
    if streams is not None:
        (tmp_path / "streams.jsonl").write_text(streams)
    with pytest.raises(BadData, match=message):
        load(tmp_path)


def test_sessions_start_with_different_passages():
    """They go round until they are long enough, with a pause behind each passage."""
    three = [passage("a", 10), passage("b", 20), passage("c", 30)]
    first, second, third, fourth = programs(three, count=4, seconds=25)
    names = [[p.name for p in program.passages] for program in (first, second, third)]
    assert names == [["a", "b"], ["b", "c"], ["c"]]
    assert fourth is first
    assert first.duration_s == 30 + 2 * PAUSE_S
    assert [start_s for start_s, _ in first.starts()] == [0.0, 10 + PAUSE_S]


def test_a_program_never_plays_a_passage_twice():
    """Then the passages together are the longest program."""
    (program,) = programs([passage("a", 10), passage("b", 20)], count=1, seconds=1000)
    assert [p.name for p in program.passages] == ["a", "b"]


def heard(name: str, *words: tuple[str, float]) -> Heard:
    timed = tuple(GoldWord(word, end_s) for word, end_s in words)
    return Heard(name, " ".join(word for word, _ in words), timed, cpu_s=2.0, wall_s=1.0, audio_s=10.0)


def test_reference_words_take_the_times_of_what_was_heard():
    """A misheard word has its time too; a word that was not heard has none."""
    said = passage("a", 10, "the cat sat down")
    words = gold_words(said, heard("a", (" The", 1.0), (" cap", 1.5), (" sat.", 2.0)))
    assert [word.end_s for word in words] == [1.0, 1.5, 2.0, None]


def test_times_are_moved_to_where_the_passage_is_played():
    """The second passage starts after the first and a pause."""
    a, b = passage("a", 10, "one"), passage("b", 10, "two")
    baseline = Baseline("base", "int8", 2, (heard("a", ("one", 3.0)), heard("b", ("two", 4.0))))
    (program,) = programs([a, b], count=1, seconds=15)
    assert gold_of(program, baseline) == [GoldWord("one", 3.0), GoldWord("two", 10 + PAUSE_S + 4.0)]
    assert baseline.cpu_per_audio_s == pytest.approx(0.2)


def test_a_kept_baseline_serves_the_same_audio_and_model_only(tmp_path: Path):
    """Anything else must be measured again."""
    path = tmp_path / "baseline.json"
    baseline = Baseline("base", "int8", 2, (heard("a", ("one", 3.0)),))
    assert kept(path, [passage("a", 10)], model="base", compute_type="int8") is None
    keep(baseline, path)
    assert kept(path, [passage("a", 10)], model="base", compute_type="int8") == baseline
    assert kept(path, [passage("a", 11)], model="base", compute_type="int8") is None
    assert kept(path, [passage("b", 10)], model="base", compute_type="int8") is None
    assert kept(path, [passage("a", 10)], model="tiny", compute_type="int8") is None
