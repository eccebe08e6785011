"""What the load generator makes of Wyoming's events."""

import pytest

from api.dialect import Send
from api.wyoming.catalog import Catalog
from api.wyoming.dialect import WyomingDialect
from api.wyoming.framing import Deframer, WyomingEvent, to_bytes
from bench.latency import Arrival, broken_promises, transcript
from bench.surface_wyoming import Wyoming
from shared.codec import event_from_map
from shared.events import Closed, Final, Partial

TEXTS = ("Turn on the light.", "And now", "the lamp", "Thanks.")


def test_it_speaks_what_the_server_understands_and_chunks_become_finals() -> None:
    surface, dialect, deframer = Wyoming(10300), WyomingDialect(Catalog("tiny.en")), Deframer()
    assert surface.address("ws://h:8000/v1/stream", {}) == "tcp://h:10300"
    acts = []
    for sent in (*surface.opening({"language": "en"}), surface.audio(b"\1\0" * 1600), *surface.end()):
        assert isinstance(sent, bytes)
        acts += [act for event in deframer.push(sent) for act in dialect.received(event)]
    key, offset = 1, 0
    for text in TEXTS:
        said = Partial(text=text, utterance=0, start=0, end=1, committed=len(text) // 2, offset=offset)
        acts += dialect.said(key, 1, said)
        acts += dialect.said(
            key, 1, Final(text=text, utterance=0, start=0, end=1, committed=len(text), offset=offset)
        )
        offset += len(text) + 1
    acts += dialect.said(key, 1, Closed(reason="end", duration=1.0, utterances=4))
    frames = b"".join(to_bytes(act.frame) for act in acts if isinstance(act, Send))
    told = [message for at in range(len(frames)) for message in surface.received(frames[at : at + 1])]
    kinds = [message["type"] for message in told if message["type"] != "partial"]
    assert kinds == ["ready", "final", "final", "closed"]
    arrivals = [Arrival(0.0, event_from_map(message | {"seq": n})) for n, message in enumerate(told, 1)]
    assert broken_promises(arrivals) == []
    assert transcript(arrivals) == " ".join(TEXTS)


@pytest.mark.parametrize(
    "event",
    [
        WyomingEvent("error", {"text": "no room", "code": "no_capacity"}),
        WyomingEvent("transcript", {"text": "what no chunk said"}),
    ],
)
def test_what_is_wrong_is_an_error(event: WyomingEvent) -> None:
    (told,) = Wyoming(1).received(to_bytes(event))
    assert told["type"] == "error"
