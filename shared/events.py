"""What a session says: the messages from worker to edge to client.

Every class here is one message of the native protocol; docs/protocol.md is generated from the class
docstrings and the `Doc` texts. On the wire a message is a JSON object (or msgpack map) with these fields,
`type`, and `seq`: a number that rises by one from message to message of a session. Times are seconds on
the session's own audio clock (0 = the first sample); text positions are Unicode code points.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

from shared.errors import BadParameter


@dataclass(frozen=True, slots=True)
class Doc:
    """One field's meaning, for docs/protocol.md."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word of a transcript."""

    text: Annotated[str, Doc("the word with its punctuation, without surrounding space")]
    start: Annotated[float, Doc("seconds")]
    end: Annotated[float, Doc("seconds")]
    probability: Annotated[float, Doc("mean probability of the word's tokens, 0 to 1")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the server accepts from this session."""

    message_bytes_max: Annotated[int, Doc("largest binary message; a larger one closes with 1009")]
    session_s_max: Annotated[float, Doc("longest session; at the limit it is ended as if by the client")]
    resume_s: Annotated[float, Doc("how long the session waits for a lost client")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumed:
    """Where a resumed session goes on."""

    sample: Annotated[
        int,
        Doc("the sample to send from; counted per channel, in the session's own sample rate, from its start"),
    ]
    finalized: Annotated[int, Doc("how many `finalize` have arrived; those after it are to be said again")]
    ended: Annotated[bool, Doc("whether `end` has arrived, or the session is closed: nothing is to be sent")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """The session is open; audio may be sent (it may also have been sent before this). The first message of
    every connection; on one that resumes a session its `seq` is the `after` that was asked for."""

    type: ClassVar = "ready"
    session: Annotated[str, Doc("session id")]
    token: Annotated[str, Doc("resume token; keep it secret")]
    model: Annotated[str, Doc("model that will decode, as configured; empty if no worker is up yet")]
    limits: Annotated[Limits, Doc("what the server accepts")]
    resumed: Annotated[Resumed | None, Doc("on a connection that resumes a session: where it goes on")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechStart:
    """Speech began."""

    type: ClassVar = "speech_start"
    utterance: Annotated[int, Doc("number of the utterance, from 0")]
    start: Annotated[float, Doc("seconds; where the utterance's audio begins, pre-roll included")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechEnd:
    """The utterance ended; its final follows."""

    type: ClassVar = "speech_end"
    utterance: Annotated[int, Doc("number of the utterance")]
    end: Annotated[float, Doc("seconds; where the speech ended")]
    reason: Annotated[
        Literal["silence", "length", "finalize", "end"],
        Doc("what ended it: a pause, the longest utterance allowed, `finalize`, or the end of the audio"),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Partial:
    """What an open utterance says so far. A newer partial, or the final, replaces it."""

    type: ClassVar = "partial"
    text: Annotated[str, Doc("text of the utterance so far")]
    final: Annotated[Literal[False], Doc("always false")] = False
    utterance: Annotated[int, Doc("number of the utterance")]
    start: Annotated[float, Doc("seconds; where the utterance begins")]
    end: Annotated[float, Doc("seconds; how far the audio was heard for this text")]
    committed: Annotated[int, Doc("length of the prefix of `text` that will not change any more")]
    offset: Annotated[int, Doc("position of `text` in the session's transcript; see Transcript")]
    language: Annotated[str, Doc("language code, empty while it is not known")] = ""
    words: Annotated[tuple[Word, ...] | None, Doc("the words, when `words=true` was asked for")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """The text of an utterance. Comes exactly once per utterance and never changes; empty when there was
    no speech after all."""

    type: ClassVar = "final"
    text: Annotated[str, Doc("text of the utterance")]
    final: Annotated[Literal[True], Doc("always true")] = True
    utterance: Annotated[int, Doc("number of the utterance")]
    start: Annotated[float, Doc("seconds; where the utterance begins")]
    end: Annotated[float, Doc("seconds; where it ends")]
    committed: Annotated[int, Doc("length of `text`")]
    offset: Annotated[int, Doc("position of `text` in the session's transcript; see Transcript")]
    language: Annotated[str, Doc("language code")] = ""
    confidence: Annotated[float, Doc("exp of the mean token log-probability, 0 to 1")] = 0.0
    no_speech: Annotated[float, Doc("probability that nobody speaks, as the model heard it, 0 to 1")] = 0.0
    covered: Annotated[float, Doc("seconds; all audio before this is decided and its finals are sent")] = 0.0
    words: Annotated[tuple[Word, ...] | None, Doc("the words, when `words=true` was asked for")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finalized:
    """The answer to a `finalize`, in their order: all that was said before it has its final, also when that
    was nothing. No partial or final of a later utterance comes before it. Comes exactly once, unless the
    session closes first."""

    type: ClassVar = "finalized"
    number: Annotated[int, Doc("which `finalize` of the session this answers, counted from 1")]
    id: Annotated[str, Doc("the `id` that it was sent with, or empty")] = ""
    covered: Annotated[float, Doc("seconds; the audio that had arrived before it")]
    utterances: Annotated[int, Doc("how many utterances had begun before it")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """With `language=auto`: from this utterance on another language is spoken than before it."""

    type: ClassVar = "language"
    language: Annotated[str, Doc("language code")]
    previous: Annotated[str, Doc("language code of what was said before")]
    probability: Annotated[float, Doc("of the detection, 0 to 1")]
    utterance: Annotated[int, Doc("number of the utterance")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warning:
    """Something the client should know; the session goes on."""

    type: ClassVar = "warning"
    code: Annotated[str, Doc("stable word for programs")]
    message: Annotated[str, Doc("a sentence for a person")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """How far the audio has arrived, when `acks=true` was asked for: about every two seconds of audio, and at
    least every five seconds, so that its absence says that the connection is dead. It belongs to the
    connection, not to the session: its `seq` is that of the message before it."""

    type: ClassVar = "ack"
    sample: Annotated[
        int,
        Doc("audio before this sample will not be asked for again; counted as in `resumed`"),
    ]
    finalized: Annotated[int, Doc("how many `finalize` have arrived")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Error:
    """The session failed. A close follows; finals sent before this stay valid."""

    type: ClassVar = "error"
    code: Annotated[str, Doc("stable word for programs")]
    message: Annotated[str, Doc("a sentence for a person")]
    retryable: Annotated[bool, Doc("whether the same request may succeed later")] = False
    retry_after_s: Annotated[float | None, Doc("seconds to wait before trying again")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """The session is over; every final was sent. A close with code 1000 follows."""

    type: ClassVar = "closed"
    reason: Annotated[
        Literal["end", "abandoned", "limit"],
        Doc("the client ended it, the client was gone for too long, or the session was too long"),
    ]
    duration: Annotated[float, Doc("seconds of audio received; all of it is covered")]
    utterances: Annotated[int, Doc("number of utterances, and so of finals")]


Event = (
    Ready | SpeechStart | SpeechEnd | Partial | Final | Finalized | Language | Warning | Ack | Error | Closed
)
EVENT_TYPES: tuple[type[Event], ...] = (
    Ready,
    SpeechStart,
    SpeechEnd,
    Partial,
    Final,
    Finalized,
    Language,
    Warning,
    Ack,
    Error,
    Closed,
)

ACK_S = 5.0
"""Longest time between two `Ack`."""
TASKS = ("transcribe", "translate")
PROFANITY = ("keep", "mask")
NUMERALS = ("auto", "digits", "spoken")
REDACT = ("email", "phone", "card")
"""What can be left out of text."""
ENCODINGS = ("pcm16", "float32", "mulaw", "alaw")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """What the client asked for when it opened the session. Fixed for the session's life.

    Workers of other versions read it too: a field that they do not know is ignored, one that is missing has
    its default.
    """

    language: str = "auto"
    """Language code or `auto`."""
    task: str = "transcribe"
    """`transcribe`, or `translate` into English."""
    model: str = ""
    """Model that must decode; empty for whatever the workers have."""
    prompt: str = ""
    """Text that the first utterance is taken to follow."""
    hotwords: str = ""
    """Words that are likely to be spoken."""
    words: bool = False
    """Whether events carry words with times."""
    partials: bool = True
    """Whether partials are wanted."""
    languages: tuple[str, ...] = ()
    """With `auto`: the codes to choose among; empty for all."""
    endpointing_ms: int | None = None
    """Silence that ends an utterance. None, here and below: as the worker does it."""
    max_utterance_s: float | None = None
    """Endless speech is cut there."""
    partial_interval_ms: int | None = None
    """Least new audio for which a partial is decoded."""
    temperature: float = 0.0
    """Of a final's first attempt; 0: the likeliest text by beam search."""
    vad: float | None = None
    """How readily audio is taken for speech, 0 to 1."""
    profanity: str = "keep"
    """`keep`, or `mask`."""
    numerals: str = "auto"
    """`auto` as the model writes them, `digits` or `spoken`."""
    redact: tuple[str, ...] = ()
    """What is left out of the text: some of `REDACT`."""
    tenant: str = ""
    """Whose share of a device the session takes. Set by the edge, never by the client; so is `surface`."""
    surface: str = ""
    """The protocol that the client speaks."""
    trace: str | None = None
    """Seed of the session's traces (`shared.traces`), set by the edge; None: it is not traced."""


def check_redact(text: str) -> tuple[str, ...]:
    """What `redact` asks for: words of `REDACT` with commas between. Raises `BadParameter`."""
    asked = {word.strip() for word in text.split(",") if word.strip()}
    if unknown := asked.difference(REDACT):
        raise BadParameter(f"redact knows {', '.join(REDACT)}, and not {', '.join(sorted(unknown))[:100]}")
    return tuple(word for word in REDACT if word in asked)
