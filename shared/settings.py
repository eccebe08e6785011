"""All settings of all processes, from `STENO_*` environment variables.

Read once, in each process's `__main__` or command; everything else receives values as arguments.
docs/operations.md lists them.
"""

from pathlib import Path
from typing import Literal, Self

from pydantic import AliasChoices, Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from shared.errors import BadParameter


def _default_data_dir() -> Path:
    return Path.home() / ".local" / "share" / "steno"


class Settings(BaseSettings):
    """Settings with their defaults and bounds. Durations are seconds."""

    model_config = SettingsConfigDict(env_prefix="STENO_", extra="ignore", populate_by_name=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    api_keys: str = Field("", repr=False)
    """Keys that the edge lets in, `key` or `tenant:key`, with commas between; empty: everyone."""
    operators: str = ""
    """Names of tenants that see what the whole service does, with commas between."""
    tls_cert: Path | None = None
    """Certificate (chain) of the edge in PEM; with `tls_key` the edge speaks TLS, and nothing else."""
    tls_key: Path | None = None
    wyoming_port: int = Field(0, ge=0, le=65535)
    """Where the edge speaks Wyoming, for Home Assistant; 0: nowhere."""
    wyoming_name: str = Field("", max_length=63)
    """Name under which that is announced on the local network; empty: not announced."""
    wyoming_tenant: str = ""
    """Whose the sessions of that port are; needed beside `api_keys` unless only this machine reaches it."""
    redis_url: str = ""
    """Empty: `steno up` starts the embedded Valkey."""
    jobs_redis_url: str = ""
    """Where RQ keeps file jobs; empty: on the same server as all else, which must not be a cluster then."""
    data_dir: Path = Field(default_factory=_default_data_dir)
    """Uploads, results and the embedded server's files."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(0, ge=0, le=65535)
    """Where the first worker of a machine serves its metrics, the next ones on the ports above it; 0: not at
    all."""
    event_log: Path | None = None
    """Directory for event logs; none are kept without it."""

    engine: str = Field("faster", validation_alias=AliasChoices("STENO_ENGINE", "STT_BACKEND", "engine"))
    model: str = "base"
    model_aliases: str = ""
    """More names for models, for clients that have others built in."""
    draft_model: str = ""
    """A smaller model for the partials of a busy device; empty: none."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    compute_type: str = "auto"
    """`auto` picks int8 on a CPU and int8_float16 or float16 on CUDA."""
    workers: int = Field(1, ge=0, le=64)
    """Worker processes that `steno up` starts."""
    job_workers: int = Field(2, ge=0, le=64)
    """Job workers that `steno up` starts: files cut at once. One for `interactive` jobs comes on top."""
    threads: int = Field(0, ge=0, le=64)
    """Decodes that run at once in one worker; 0: one per core on a CPU, shared between the workers of this
    machine; one on CUDA."""
    worker_sessions: int = Field(64, ge=1, le=4096)
    """Live sessions that one worker takes."""

    shards: int = Field(1, ge=1, le=256)
    lease_s: float = Field(1.5, ge=0.2, le=60)
    """Silence after which a worker's sessions go to another: with the wait between two looks, within 2 s."""
    drain_s: float = Field(5.0, ge=0, le=600)
    """How long a worker that is asked to stop waits for its sessions' endpoints before it hands them over in
    mid-utterance."""
    recycle_h: float = Field(0.0, ge=0)
    """Hours after which a worker hands its sessions over and ends, to be started anew; 0: never."""
    recycle_rss_bytes: int = Field(0, ge=0)
    """Resident memory at which it does the same; 0: never."""
    queue_s: float = Field(10.0, ge=0.1, le=600)
    """How long a new session waits for a worker before it is refused."""
    resume_s: float = Field(30.0, ge=1, le=3600)
    """How long a session waits for a client that is gone, or an edge that died."""
    session_s_max: float = Field(4 * 3600, ge=1)

    job_ttl_s: int = Field(24 * 3600, ge=60)
    """How long a finished job and its result are kept."""
    job_timeout_s: int = Field(6 * 3600, ge=10)
    job_silence_s: int = Field(20, ge=4, le=600)
    """A job whose job worker gave no sign of life for this long is begun again elsewhere."""
    jobs_waiting_max: int = Field(20_000, ge=1)
    """Most jobs of one priority that wait."""
    upload_bytes_max: int = Field(2 * 1024**3, ge=1024)
    """Largest file that is uploaded or fetched."""
    audio_s_max: float = Field(24 * 3600, ge=1)
    """Most audio of one file, whatever its size."""
    storage_url: str = ""
    """Where files of jobs are kept, as fsspec names it; empty: in the data directory."""
    storage_bytes_max: int = Field(0, ge=0)
    """Bound of all files of jobs together; 0: none."""
    fetch_hosts: str = ""
    """Hosts that files may be fetched from, with commas between; `*.example.com` is every host below that."""
    fetch_private: bool = False
    """Whether those hosts may have private addresses."""
    fetch_s_max: float = Field(600, ge=1)
    webhook_secret: str = Field("", repr=False)
    """Signs webhooks, `whsec_` and base64; empty: no webhooks."""
    webhook_private: bool = False
    """Whether webhooks may go to private addresses."""

    @property
    def has_tls(self) -> bool:
        """Whether the edge speaks TLS."""
        return self.tls_cert is not None

    @property
    def jobs_url(self) -> str:
        """Where files of jobs are kept."""
        return self.storage_url or f"file://{self.data_dir.absolute() / 'jobs'}"

    @model_validator(mode="after")
    def _tls_is_whole(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("STENO_TLS_CERT and STENO_TLS_KEY go together")
        return self

    @field_validator("engine")
    @classmethod
    def _engine_alias(cls, value: str) -> str:
        return {"faster": "faster_whisper", "faster-whisper": "faster_whisper"}.get(value, value)


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment; `overrides` that are not None win. Raises `BadParameter` naming what
    is wrong."""
    try:
        return Settings(**{k: v for k, v in overrides.items() if v is not None})  # pyright: ignore[reportArgumentType]
    except ValidationError as error:
        first = error.errors()[0]
        if not first["loc"]:  # several settings that do not go together
            raise BadParameter(str(first["msg"]).removeprefix("Value error, ")) from None
        name = "STENO_" + str(first["loc"][0]).removeprefix("STENO_").upper()
        raise BadParameter(f"{name}: {first['msg']}") from None
