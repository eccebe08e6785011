"""`steno listen`: a file, standard input or the microphone as a live session, its text as it comes."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import Generator
from typing import Annotated, Final, Literal

import typer

from client.cli import asking
from client.cli.render import Output, choose_output, printable
from client.errors import SessionOver
from client.options import StreamOptions
from client.resuming import ConnectionChange
from client.sources import Feed, Source, open_source, paced
from client.stream import LiveSession, connect
from shared.errors import BadParameter, StenoError
from shared.events import check_redact
from shared.languages import check_languages

Encoding = Literal["pcm16", "float32", "mulaw", "alaw"]
Profanity = Literal["keep", "mask"]
Numerals = Literal["auto", "digits", "spoken"]
RAW_HELP = "Of raw audio from standard input."
INTERRUPTED_STATUS: Final = 130
"""As shells have it for a command that Ctrl-C ended."""


def listen(  # noqa: PLR0913 - one per flag
    source: Annotated[str, typer.Argument(metavar="FILE|-|mic", help="Media file, raw audio on -, or mic.")],
    url: asking.Url = None,
    key: asking.Key = None,
    speed: Annotated[str, typer.Option(help="Times real time; 0 or max: as fast as is accepted.")] = "1",
    as_json: Annotated[bool, typer.Option("--json", help="Print every message as a line of JSON.")] = False,
    language: asking.Language = "auto",
    task: asking.TaskFlag = "transcribe",
    model: asking.ModelAsked = "",
    prompt: asking.Prompt = "",
    hotwords: asking.Hotwords = "",
    words: asking.Words = False,
    sample_rate: Annotated[int | None, typer.Option(help=RAW_HELP + " [default: 16000]")] = None,
    encoding: Annotated[Encoding | None, typer.Option(help=RAW_HELP + " [default: pcm16]")] = None,
    channels: Annotated[int | None, typer.Option(help=RAW_HELP + " [default: 1]")] = None,
    languages: Annotated[str, typer.Option(help="What --language auto chooses among: de,en.")] = "",
    endpointing_ms: Annotated[int | None, typer.Option(help="Silence that ends an utterance.")] = None,
    max_utterance_s: Annotated[float | None, typer.Option(help="Where endless speech is cut.")] = None,
    partial_interval_ms: Annotated[int | None, typer.Option(help="Least time between partials.")] = None,
    temperature: Annotated[float, typer.Option(help="Of a final's first attempt, 0 to 1.")] = 0.0,
    vad: Annotated[float | None, typer.Option(help="Sensitivity to speech, 0 to 1.")] = None,
    profanity: Annotated[Profanity, typer.Option(help="Keep profanity, or mask it.")] = "keep",
    numerals: Annotated[Numerals, typer.Option(help="How numbers are written.")] = "auto",
    redact: Annotated[str, typer.Option(help="What to leave out: email,phone,card.")] = "",
) -> None:
    """Transcribe live: a media file, raw audio from standard input (-), or the microphone (mic).

    On a terminal the text appears while it is spoken; in a pipe each final is a line. Ctrl-C ends the
    session and prints its last final; a second one leaves at once.
    """
    pace = _parse_speed(speed)
    if source != "-" and (sample_rate or encoding or channels):
        raise BadParameter("--sample-rate, --encoding and --channels are for raw audio from standard input")
    output = choose_output(as_json=as_json)
    options = StreamOptions(
        language=language,
        task=task,
        model=model,
        prompt=prompt,
        hotwords=hotwords,
        words=words,
        partials=output.wants_partials,
        sample_rate=sample_rate or 16_000,
        encoding=encoding or "pcm16",
        channels=channels or 1,
        languages=check_languages(languages) if languages else (),
        endpointing_ms=endpointing_ms,
        max_utterance_s=max_utterance_s,
        partial_interval_ms=partial_interval_ms,
        temperature=temperature,
        vad=vad,
        profanity=profanity,
        numerals=numerals,
        redact=check_redact(redact),
    )
    server, opened = asking.server(url, key), open_source(source, options, say_loss)
    try:
        with output:
            asyncio.run(_listen(server, options, opened, pace, output))
    except asyncio.CancelledError:
        raise typer.Exit(INTERRUPTED_STATUS) from None


async def _listen(
    server: asking.Server, options: StreamOptions, source: Source, speed: float, output: Output
) -> None:
    opening = connect(server.url, api_key=server.key, options=options, on_connection=_note_connection)
    async with opening as session:
        feed = Feed(source)
        with _first_interrupt_closes(feed):
            await follow(session, feed, speed=0.0 if source.is_live else speed, output=output)


def say_loss(what: str) -> None:
    """Say what was wrong with the audio."""
    print(f"steno: {what}", file=sys.stderr)


def _note_connection(change: ConnectionChange) -> None:
    if change.is_up:
        print(f"steno: connected again after {change.down_s:.1f} s; nothing was lost", file=sys.stderr)
    else:
        print(f"steno: {printable(change.reason)}; connecting again", file=sys.stderr)


async def follow(session: LiveSession, feed: Feed, *, speed: float, output: Output) -> None:
    """Send the whole feed at `speed` times real time (0: as fast as it is accepted), and show what comes
    back, to the session's end. Raises what was wrong with the session, else with the source."""
    sending = asyncio.create_task(_send(session, feed, speed), name="sending")
    try:
        async for event in session:
            output.show(session.last_seq, event)
    finally:
        feed.close()
        sending.cancel()
        await asyncio.wait([sending])
    if not sending.cancelled():
        sending.result()  # what was wrong with the source, said after what it had to say


async def _send(session: LiveSession, feed: Feed, speed: float) -> None:
    try:
        async for chunk in paced(feed, bytes_per_s=session.options.bytes_per_s, speed=speed):
            await session.send(chunk)
    except SessionOver:
        pass  # the server ended it; the reader sees why
    finally:
        with contextlib.suppress(StenoError):  # the reader raises it
            await session.end()


@contextlib.contextmanager
def _first_interrupt_closes(feed: Feed) -> Generator[None, None, None]:
    """The first SIGINT or SIGTERM ends the source; a second one cancels this task."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def stop() -> None:
        feed.close()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    try:
        yield
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _parse_speed(text: str) -> float:
    try:
        speed = 0.0 if text == "max" else float(text)
    except ValueError:
        speed = -1.0
    if not 0 <= speed < 1e6:
        raise BadParameter("--speed must be a number from 0, or max")
    return speed
