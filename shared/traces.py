"""Traces, where they are asked for (`STENO_TRACES_URL`): spans over OTLP. docs/tracing.md says which there
are.

A trace is one utterance, or one file job. Its ids are derived from the session's seed and the utterance's
number, so that the edge, the worker, and whoever takes over from either find the same trace, and all that
travels through Redis is the seed, once. A session without a seed is not traced.

OpenTelemetry's libraries are imported here alone, and only when traces are asked for.
"""

import hashlib
import importlib
import random
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from shared.errors import BadParameter
from shared.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

Attributes = Mapping[str, str | int | float | bool]
"""What a span says beside its name and times. Never text, audio, keys or tenants."""

_SCOPE: Final = "steno"
EXPORT_S_MAX: Final = 5.0
"""Longest that one export may take: a collector that hangs keeps nothing but its own thread waiting, and a
process that stops no longer than this."""

now_ns: Final = time.time_ns
"""The clock of spans: nanoseconds of the Unix epoch, because spans of several machines stand beside each
other."""


@dataclass(frozen=True, slots=True)
class Place:
    """The span that others hang below."""

    trace_id: int
    span_id: int


def session_place(seed: str) -> Place:
    """Of a session or file job as a whole. Raises `ValueError` for what is no seed."""
    return Place(int(seed, 16), _derived(seed, "root", 8))


def utterance_place(seed: str, utterance: int) -> Place:
    """Of one utterance of the session: a trace of its own, so that a session of hours is not one trace."""
    name = f"utterance {utterance}"
    return Place(_derived(seed, name, 16), _derived(seed, name, 8))


class _Known(threading.local):
    """The place of the span that this thread is about to make, if it is known."""

    place: Place | None = None


class Traces:
    """Makes spans that have ended already, and has them sent from a thread of the exporter's. Threads may
    share it."""

    def __init__(
        self,
        exporter: "SpanExporter",
        service: str,
        *,
        share: float = 1.0,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`service` is the kind of process; `share` the part of sessions and jobs that get a seed."""
        from opentelemetry import trace
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        known = _Known()

        class Ids(RandomIdGenerator):
            """Random ids, but for a span whose place is known."""

            def generate_trace_id(self) -> int:
                return known.place.trace_id if known.place else super().generate_trace_id()

            def generate_span_id(self) -> int:
                return known.place.span_id if known.place else super().generate_span_id()

        self._api: Any = trace
        self._known = known
        # Who is traced was decided when the seed was made.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=Resource.create({"service.name": service}),
            id_generator=Ids(),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer(_SCOPE)
        self._share = share
        self._chance = chance

    def seed(self) -> str | None:
        """A new seed; None for a session or job that is not among those to be traced."""
        return secrets.token_hex(16) if self._chance() < self._share else None

    def span(
        self,
        name: str,
        below: Place,
        began_ns: int,
        ended_ns: int,
        attributes: Attributes,
    ) -> Place:
        """Record a span below another one. Returns its place."""
        api = self._api
        context = api.set_span_in_context(api.NonRecordingSpan(self._context(below)))
        span = self._tracer.start_span(name, context, attributes=attributes, start_time=began_ns)
        span.end(max(began_ns, ended_ns))
        return Place(below.trace_id, span.get_span_context().span_id)

    def root(
        self,
        name: str,
        own: Place,
        began_ns: int,
        ended_ns: int,
        attributes: Attributes,
        *,
        part_of: Place | None = None,
    ) -> None:
        """Record the span that is `own`, with a link to the trace that it is a part of."""
        from opentelemetry.context import Context

        links = [self._api.Link(self._context(part_of))] if part_of else []
        self._known.place = own
        try:
            # With an empty context, so that it has no parent whatever the caller's is.
            span = self._tracer.start_span(
                name, Context(), attributes=attributes, links=links, start_time=began_ns
            )
        finally:
            self._known.place = None
        span.end(max(began_ns, ended_ns))

    def close(self) -> None:
        """Send what is left; blocks for some seconds where no collector answers."""
        self._provider.shutdown()

    def _context(self, place: Place) -> Any:
        flags = self._api.TraceFlags(self._api.TraceFlags.SAMPLED)
        return self._api.SpanContext(place.trace_id, place.span_id, is_remote=True, trace_flags=flags)


def check_traces(settings: Settings) -> None:
    """Raises `BadParameter` when traces are asked for and the extra is missing."""
    if not settings.traces_url:
        return
    try:
        importlib.import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        raise BadParameter("STENO_TRACES_URL needs the extra otel: pip install 'steno[otel]'") from None


def open_traces(settings: Settings, service: str, *, export_s_max: float = EXPORT_S_MAX) -> Traces | None:
    """What the settings, which were checked, ask for; None when they ask for no traces, and then nothing is
    imported. `service` is the kind of process."""
    if not settings.traces_url:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    exporter = OTLPSpanExporter(endpoint=settings.traces_url, timeout=export_s_max)
    return Traces(exporter, f"steno-{service}", share=settings.traces_share)


def _derived(seed: str, name: str, length_bytes: int) -> int:
    """A number that is as good as random, and never 0, which OpenTelemetry takes for none."""
    key = bytes.fromhex(seed)
    digest = hashlib.blake2b(name.encode(), key=key, digest_size=length_bytes).digest()
    return int.from_bytes(digest, "big") or 1
