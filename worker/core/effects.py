"""What a session machine is made with, what it wants done, and what it leaves to a successor."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

from shared.audio.pcm import Float32
from shared.events import Closed, Event, SessionConfig
from worker.core.decode import DecodeRequest, Kind
from worker.core.endpointing import EndpointOptions
from worker.core.filters import ALL, Drop

Vad = Callable[[Float32], float]
"""Speech probability of the next frame; stateful, one per session."""
EndReason = Literal["silence", "length", "finalize", "end"]
CloseReason = Literal["end", "abandoned", "limit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """How the worker treats a session. Durations are seconds of audio."""

    endpoint: EndpointOptions = field(default_factory=EndpointOptions)
    partial_step_s: float = 0.5
    """Least new audio for which the next partial is worth a decode."""
    partial_share: float = 0.35
    """Part of one decoding thread that a session's partials may take while it speaks: where decodes are
    dear, because the machine is slow or busy, partials come less often."""
    partial_patience: float = 2.0
    """New audio that partials wait for besides, for each second that decodes have to wait: sessions share a
    busy device without knowing of each other."""
    partial_step_s_max: float = 2.5
    partial_retry_s: float = 0.2
    """New audio that a partial waits for when the one before it could not be shown."""
    early_final_s: float = 0.25
    """Silence after which the final is decoded, in the hope that the utterance is over."""
    busy_wait_s: float = 0.05
    """Wait for decodes at which a session's strain neither grows nor fades."""
    strain_gain: float = 1.0
    """What strain grows by for each second that a decode waited longer than that, and fades by for each
    second that it waited less; it goes from 0 to 1."""
    strain_least: float = 0.0
    """For experiments: strain is never less."""
    lean_from: float = 0.25
    """Strain above which finals are not decoded early, which is for nothing a third of the time, follow
    fewer hypotheses and have shorter windows, and partials are greedy and hear nothing of what was said
    before."""
    tight_from: float = 0.5
    """Strain from which partials have the shortest window, and are drafts where there is a model for them."""
    lean_final_beam: int = 3
    """Hypotheses that finals follow above `lean_from`."""
    final_window_s: float = 15.0
    """Audio that a final may be decoded with: what was said just before, as far as it fits. A short utterance
    alone is understood much worse (docs/engine.md, "Left context"), so strain does not change it."""
    late_final_s: float = 0.5
    """Wait of finals from which on they hear less, because the device does not even keep up with them; at
    twice that, they hear no more than `late_final_window_s`."""
    late_final_window_s: float = 9.0
    """What `final_window_s` comes down to then. That costs words (engine.md, "What doing without costs")."""
    partial_window_s: float = 9.0
    """The same for a partial, without strain."""
    partial_beam: int = 3
    """Hypotheses that it follows, without strain."""
    partial_tight: bool = False
    """Whether its window is as short as can be without strain, too."""
    partial_early: float = 0.0
    """Part of the audio that came last by which a partial may be early: behind a large chunk there is nothing
    to wait for but the next one. 0: there has to be as much new audio as is asked for."""
    agree_s: float = 2.5
    """Audio over which hypotheses must agree before their words are committed."""
    left_gap_s: float = 4.0
    """Longest pause between what was said before and what is heard now. Shorter is worse: at 1.5 s a point
    of WER."""
    hold_back: int = 3
    """Units at the end of a hypothesis that are not committed yet."""
    window_trim_s: float = 7.0
    """From this length on, partials have the times of their words: those with a hole are dropped, and
    committed words may be taken out of the window."""
    window_keep_s: float = 20.0
    """Audio that stays in the window however committed it is: what follows needs its surroundings. An
    utterance that is no longer keeps its whole window (docs/engine.md, "Long audio")."""
    tight_keep_s: float = 3.0
    """The same for a partial in the shortest window, if it is less: where decodes wait, hearing more makes
    words come later (docs/engine.md, "Long audio")."""
    window_keep_units: int = 3
    """Committed units that stay in it with their audio, for the decoder to go on from."""
    clear_db: float = 15.0
    """What a voice stands above the room, from which on it is taken for one talker's: then a doubtful first
    partial is believed sooner (docs/engine.md, "Invented text")."""
    silence_step_s: float = 5.0
    """How often silence is given up, so that its audio leaves Redis."""
    alone_pre_roll_s: float = 1.0
    """How much earlier a final begins that was not believed and is heard once more, by itself: the voice
    detector finds a quiet voice late (docs/engine.md, "Finals that are not believed")."""
    context_chars: int = 60
    """Earlier text that a decode is given; 1 at least. More makes a small model repeat its own mistakes
    (docs/engine.md, "Text context")."""
    context_gap_s: float = 8.0
    """Silence after which earlier text says little about what comes."""
    language_lock_s: float = 2.0
    """Speech from which a confident detection settles the session's language."""
    language_lock_probability: float = 0.8
    language_switch_probability: float = 0.9
    """Detection that changes the session's language at once (docs/engine.md, "Languages")."""
    language_rival_probability: float = 0.5
    """Detection that changes it when a second one agrees."""
    language_looks: int = 8
    """Detections of one utterance that may say nothing; then it is taken to be in the session's language."""
    filters: frozenset[Drop] = ALL
    """Reasons not to believe a text that count."""
    session_s_max: float = 4 * 3600.0


def tuned(options: SessionOptions, config: SessionConfig) -> SessionOptions:
    """The worker's options with what the client asked for in their place."""
    endpoint = options.endpoint
    if config.endpointing_ms is not None:
        silence_s = config.endpointing_ms / 1000
        endpoint = replace(endpoint, silence_s=silence_s, long_silence_s=silence_s)
    if config.max_utterance_s is not None:
        # Looking further back than half of it would cut off next to nothing.
        search_s = min(endpoint.cut_search_s, config.max_utterance_s / 2)
        endpoint = replace(endpoint, max_utterance_s=config.max_utterance_s, cut_search_s=search_s)
    if config.vad is not None:
        on = 0.9 - 0.8 * config.vad
        endpoint = replace(endpoint, on=on, off=0.7 * on)
    options = replace(options, endpoint=endpoint)
    if config.partial_interval_ms is not None:
        step_s = config.partial_interval_ms / 1000
        longest_s = max(options.partial_step_s_max, step_s)
        options = replace(options, partial_step_s=step_s, partial_step_s_max=longest_s)
    return options


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a successor must know beside the audio from the covered sample on."""

    decided: int = 0
    """Utterances that have their final; the number of the next."""
    started: int = 0
    """Utterances whose `speech_start` was said."""
    ended: int = 0
    """Utterances whose `speech_end` was said."""
    finalized: int = 0
    """Number of the last `finalize` that was answered."""
    stable: str = ""
    """What was committed of the first undecided utterance."""
    stable_until: int = 0
    """Sample before which it was said."""
    shown: str = ""
    shown_heard: int | None = None
    """How its first characters were written for the client; see `worker.core.writing.Shown`. None: as they
    were heard."""
    tail_length: int = 0
    tail_last: str = ""
    """Length and end of the transcript; see `shared.transcript.Tail`."""
    context: str = ""
    language: str = ""


@dataclass(frozen=True, slots=True)
class Decode:
    """Ask for a decode. A newer one of the same session replaces it while it waits."""

    request: DecodeRequest
    ticket: int
    """To be given back with the answer."""
    lag_s: float = 0.0
    """How long it is wanted already, in seconds of audio: since speech ended, for a final; since the oldest
    audio that no text covers was spoken, for a partial."""


@dataclass(frozen=True, slots=True)
class Emit:
    """Say events, advance what is covered, keep a checkpoint; in one transition. None and empty:
    unchanged."""

    events: tuple[Event, ...]
    covered: int | None = None
    checkpoint: bytes = b""


@dataclass(frozen=True, slots=True)
class Close:
    """Say the last event; the session is over."""

    event: Closed
    covered: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """A filter took text: for whoever counts."""

    reason: Drop
    kind: Kind


@dataclass(frozen=True, slots=True)
class Alone:
    """A final that was not believed, or what one left out, was heard by itself: for whoever counts."""

    is_believed: bool


Effect = Decode | Emit | Close | Dropped | Alone
