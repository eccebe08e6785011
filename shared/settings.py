"""All settings of all processes, from `STENO_*` environment variables.

Read once, in each process's `__main__` or command; everything else receives values as arguments.
docs/settings.md is made from this module: the text below a field is what is said of it there.
"""

import ipaddress
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import BadParameter
from shared.secret_files import PREFIX, from_files, variable_of


def _default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "steno"


class Settings(BaseSettings):
    """Settings with their defaults and bounds. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", populate_by_name=True)

    host: str = "127.0.0.1"
    """Address that the edge listens on. On any but this machine's own it asks for keys: see `STENO_OPEN`."""
    port: int = Field(8000, ge=1, le=65535)
    """Its port."""
    api_keys: str = Field("", repr=False)
    """Keys that the edge lets in: `key`, `tenant:key` or `tenant/scope+scope:key`, with commas or line ends
    between; a key may be given as `sha256:` and its digest in hex. Scopes are `live`, `files` and `read`
    ([operations.md](operations.md#keys-and-tls)); a key that names none has all."""
    api_keys_file: Path | None = None
    """File that holds those keys instead. The edge looks at it every 5 s: keys that were added are let in,
    and keys that are gone are not, without a restart ([operations.md](operations.md#keys-and-tls))."""
    token_secret: str = Field("", repr=False)
    """Goes into the signatures of short-lived keys: without it, whoever reads digests of keys can make such
    keys. The same for all edges."""
    open: bool = False
    """Let everyone in although the edge can be reached from other machines. Without it an edge that listens
    there does not start without keys."""
    origins: str = ""
    """Web pages that may speak to the edge, `https://host[:port]` with commas between, `*` for all; empty:
    the edge's own, and with keys all ([security.md](security.md#web-pages))."""
    operators: str = ""
    """Names of tenants, with commas between, that see what the whole service does: [system.md](system.md)."""
    tls_cert: Path | None = None
    """Certificate (chain) of the edge, PEM; with `STENO_TLS_KEY` the edge speaks TLS, and nothing else."""
    tls_key: Path | None = None
    """Its private key, PEM."""
    wyoming_port: int = Field(0, ge=0, le=65535)
    """Port on which the edge speaks Wyoming, for Home Assistant (usually 10300); 0: none. `steno wyoming`
    serves it alone. Wyoming knows no keys: whoever reaches the port is let in."""
    wyoming_name: str = Field("", max_length=63)
    """Name under which that is announced on the local network by zeroconf (needs the extra `wyoming`); empty:
    not announced."""
    wyoming_tenant: str = ""
    """Whose the sessions of that port are; needed beside keys unless only this machine reaches it."""
    rtc_port: int = Field(0, ge=0, le=65535)
    """UDP port of WebRTC, one for all peers ([rtc.md](rtc.md); needs the extra `rtc`); 0: there is none."""
    rtc_addresses: str = ""
    """IP addresses at which clients reach that port, with commas between, where they are not the machine's
    own: behind a NAT, in a container; empty: `STENO_HOST`, or all addresses of the machine when that is a
    wildcard."""
    rtc_peers_max: int = Field(32, ge=1, le=4096)
    """WebRTC peers of one edge; some fifty are a core."""
    rtc_connect_s: float = Field(15.0, ge=0.5, le=120)
    """How long a WebRTC peer may take from its offer to its open data channel."""
    rtc_servers: str = ""
    """STUN and TURN servers that the edge asks, `stun:host:port`, `turn:host:port?transport=udp`, with commas
    between, one of each kind: for an edge behind a NAT that has no address of its own outside; empty:
    none."""
    rtc_turn_user: str = ""
    """Its name at the TURN server."""
    rtc_turn_password: str = Field("", repr=False)
    """And its password there."""
    queue_s: float = Field(10.0, ge=0.1, le=600)
    """How long a new session waits for a worker before it is refused with 1013; also the retry time that
    refusals name."""
    resume_s: float = Field(30.0, ge=1, le=3600)
    """How long a session waits for a client that is gone, or an edge that died, before it is finalised: at
    least so long, and up to two fifths longer."""
    tenants_file: Path | None = None
    """What each tenant may have (sessions, requests, audio, jobs, bytes), and how long its data is kept, as
    TOML: [operations.md](operations.md#what-tenants-may-have). The edge looks at it every 5 s."""
    audit_entries: int = Field(10_000, ge=0, le=10_000_000)
    """How many deeds the audit log keeps in Redis, about 200 bytes each ([privacy.md](privacy.md#audit-log));
    0: none, only lines in the edge's log."""
    tenant_sessions_max: int = Field(0, ge=0)
    """Most live sessions of one tenant, over all edges; others are refused: `quota_exceeded`; 0: no bound."""
    session_s_max: float = Field(4 * 3600, ge=1)
    """Longest session."""

    redis_url: str = Field("", repr=False)
    """Redis or Valkey: `redis://`, `rediss://`, `unix://`,
    `redis+sentinel://[:password@]host:port,host:port/service`, or
    `redis+cluster://[:password@]host:port,host:port` (`rediss+cluster://`). Without it `steno up` starts an
    embedded Valkey on a Unix socket."""
    jobs_redis_url: str = Field("", repr=False)
    """Where RQ keeps file jobs, if not at `STENO_REDIS_URL`: a single server or Sentinel. Without it there
    are no file jobs on a Redis Cluster."""
    shards: int = Field(1, ge=1, le=256)
    """Slots that sessions are spread over; more than one on Redis Cluster. The same for all processes."""
    data_dir: Path = Field(default_factory=_default_data_dir)
    """Uploads, results and the embedded server's append-only file."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """Least of what is logged."""
    log_format: Literal["text", "json"] = "text"
    """Lines for people, or a JSON object a line ([operations.md](operations.md#logs))."""

    engine: str = Field("faster", validation_alias=AliasChoices("STENO_ENGINE", "STT_BACKEND", "engine"))
    """`faster` (also `faster_whisper`), `huggingface` to go back to
    ([engine.md](engine.md#another-backend)), or `scripted` for tests without a model; alias `STT_BACKEND`."""
    model: str = "base"
    """A directory, a hub name, or a packaged model; `steno models list`."""
    model_aliases: str = ""
    """More names that clients may ask for: `alias=model` with commas between, `alias` alone for whatever is
    served, `-alias` takes one of OpenAI's names away ([compat.md](compat.md))."""
    draft_model: str = ""
    """A smaller model that decodes partials while the device is busy; finals are the model's own. Loaded
    beside it by every worker ([engine.md](engine.md#many-sessions)); empty: none."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """What decodes."""
    compute_type: str = "auto"
    """`auto` is int8 on a CPU, int8_float16 or float16 on CUDA."""
    workers: int = Field(1, ge=0, le=64)
    """Workers that `steno up` starts."""
    threads: int = Field(0, ge=0, le=64)
    """Decodes at once in one worker; 0: the machine's cores shared between its workers, 1 on CUDA."""
    batch_max: int = Field(0, ge=0, le=256)
    """Most decodes of one batch; 0: 4 on a CPU, 16 on CUDA. Less for a while where the device's memory does
    not suffice."""
    worker_sessions: int = Field(64, ge=1, le=4096)
    """Live sessions that one worker takes."""
    worker_load_max: float = Field(0.0, ge=0, le=100)
    """Part of its device that the sessions of a worker may want, by measured costs, before new ones are
    refused; 1 is all of it, 0: only their number counts. Sessions of a worker that died are taken over all
    the same."""
    lease_s: float = Field(1.5, ge=0.2, le=60)
    """Silence after which a worker's sessions go to another; with the look for them, within 2 s."""
    drain_s: float = Field(5.0, ge=0, le=600)
    """How long a worker that is asked to stop waits for its sessions' endpoints before it hands them over in
    mid-utterance."""
    recycle_h: float = Field(0.0, ge=0)
    """Hours after which a worker hands over and ends, to be started anew, give or take a tenth; 0: never."""
    recycle_rss_bytes: int = Field(0, ge=0)
    """Resident memory at which it does the same; 0: never."""
    metrics_host: str = "127.0.0.1"
    """Address that workers serve their metrics on."""
    metrics_port: int = Field(0, ge=0, le=65535)
    """Port of the first worker's metrics; the workers that `steno up` starts beside it take the ports above.
    0: not served."""
    canary_s: float = Field(60.0, ge=0)
    """After so long without any decode a worker decodes a sentence whose words it knows, and says in its
    readiness whether it understood it; 0: never ([operations.md](operations.md#health))."""
    traces_url: str = Field("", pattern=r"^(https?://\S+)?$", repr=False)
    """Where edges, workers and job workers send traces: OTLP over HTTP, as `http://collector:4318/v1/traces`
    (needs the extra `otel`; [tracing.md](tracing.md)); empty: none are made."""
    traces_share: float = Field(1.0, ge=0, le=1)
    """Part of sessions and file jobs that are traced; the edge draws it for each."""
    event_log: Path | None = None
    """Directory in which every worker keeps an event log ([operations.md](operations.md#event-log)); none is
    kept without it."""

    job_workers: int = Field(2, ge=0, le=64)
    """Job workers that `steno up` starts: so many files are cut and put together at once, whatever decodes
    them. One more takes `interactive` jobs only, so that a short file never waits for long ones; 0: none."""
    job_ttl_s: int = Field(24 * 3600, ge=60)
    """How long an ended job and its result are kept."""
    job_timeout_s: int = Field(6 * 3600, ge=10)
    """Longest run of one attempt of a job."""
    job_silence_s: int = Field(20, ge=4, le=600)
    """A job whose job worker gave no sign of life for this long is begun again by another one; it is found
    within a quarter more."""
    jobs_waiting_max: int = Field(20_000, ge=1)
    """Most jobs of one priority that wait; more are refused with 503 `no_capacity`."""
    upload_bytes_max: int = Field(2 * 1024**3, ge=1024)
    """Largest file that is uploaded or fetched."""
    audio_s_max: float = Field(24 * 3600, ge=1)
    """Most audio of one file, whatever its size."""
    storage_url: str = Field("", repr=False)
    """Where files of jobs are kept: `file:///path`, `s3://bucket/path` (needs the extra `s3`); empty:
    `STENO_DATA_DIR/jobs`."""
    storage_bytes_max: int = Field(0, ge=0)
    """Bound of all files of jobs together; uploads beyond it get 507; 0: none."""
    fetch_hosts: str = ""
    """Hosts that files may be fetched from, comma-separated, `*.example.com` for all below; empty: none."""
    fetch_private: bool = False
    """Whether those hosts may have private, loopback or link-local addresses."""
    fetch_s_max: float = Field(600, ge=1)
    """Longest that fetching one file may take."""
    webhook_secret: str = Field("", repr=False)
    """Signs webhooks: `whsec_` and base64 of 24 to 64 bytes; without it jobs with a webhook are refused."""
    webhook_private: bool = False
    """Whether webhooks may go to private, loopback or link-local addresses."""

    @property
    def has_tls(self) -> bool:
        """Whether the edge speaks TLS."""
        return self.tls_cert is not None

    @property
    def jobs_url(self) -> str:
        """Where files of jobs are kept."""
        return self.storage_url or f"file://{self.data_dir.absolute() / 'jobs'}"

    @field_validator("engine")
    @classmethod
    def _engine_alias(cls, value: str) -> str:
        return {"faster": "faster_whisper", "faster-whisper": "faster_whisper"}.get(value, value)


Check = Callable[[Settings], object]
"""Raises `BadParameter` for settings that can't be."""


def load_settings(*checks: Check, **overrides: object) -> Settings:
    """Settings from the environment; `overrides` that are not None win. `checks` is what the process asks of
    them beside their bounds. Raises `BadParameter` that names everything that is wrong, at once."""
    given = {name: value for name, value in overrides.items() if value is not None}
    secrets, faults = from_files(os.environ, given)
    try:
        settings = Settings(**cast(dict[str, Any], given | secrets))
    except ValidationError as error:
        wrong = {str(found["loc"][0]).removeprefix(PREFIX).lower(): found["msg"] for found in error.errors()}
        faults += [f"{variable_of(name)}: {message}" for name, message in wrong.items()]
        # What is wrong is taken as if it were not set, so that the checks see the rest.
        fields = Settings.model_fields
        defaults = {name: fields[name].get_default(call_default_factory=True) for name in wrong}
        settings = Settings(**cast(dict[str, Any], given | secrets | defaults))
    for check in (_check_tls, *checks):
        try:
            check(settings)
        except BadParameter as error:
            faults.append(error.message)
    if len(faults) > 1:
        raise BadParameter(f"{len(faults)} settings are wrong:\n  " + "\n  ".join(faults))
    if faults:
        raise BadParameter(faults[0])
    return settings


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_open(settings: Settings) -> None:
    """Raises `BadParameter` for an edge that would let everyone in from everywhere, unless that was asked
    for."""
    if settings.api_keys or settings.open or is_loopback(settings.host):
        return
    raise BadParameter(
        f"STENO_HOST is {settings.host}, which other machines reach, and there are no keys: set "
        "STENO_API_KEYS or STENO_API_KEYS_FILE, or STENO_OPEN=true to let everyone in"
    )


def check_redis_is_given(settings: Settings) -> None:
    """Raises `BadParameter` where a process that `steno up` would give a server has none."""
    if not settings.redis_url:
        raise BadParameter("STENO_REDIS_URL is not set; 'steno up' starts an embedded server")


def _check_tls(settings: Settings) -> None:
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise BadParameter("STENO_TLS_CERT and STENO_TLS_KEY go together")
