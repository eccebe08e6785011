"""Settings of an application that hears: the service's own variables, and the `STT_*` names that voice
assistants know them by."""

from typing import Any, Final, Literal, cast

from pydantic import AliasChoices, Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from client.options import DEFAULT_URL
from shared.errors import BadParameter
from shared.languages import AUTO, check_language

BACKENDS: Final = ("faster", "huggingface", "remote", "scripted")
_SAME: Final = {"faster_whisper": "faster", "faster-whisper": "faster"}


def _named(name: str, *others: str) -> AliasChoices:
    """`STENO_…` is what counts when several are set."""
    return AliasChoices(f"STENO_{name}", *(others or (f"STT_{name}",)))


class AssistantSettings(BaseSettings):
    """What `STTEngine` is made from; values given in code win over the environment."""

    model_config = SettingsConfigDict(env_prefix="STENO_", extra="ignore", populate_by_name=True, frozen=True)

    backend: str = Field("faster", validation_alias=_named("ENGINE", "STT_BACKEND"))
    """`faster`, `huggingface` or `scripted` decode in this process; `remote` asks a Steno service."""
    model: str = Field("base", validation_alias=_named("MODEL"))
    """A directory, a hub name or a packaged model. With `remote` it is the service that chooses."""
    device: Literal["auto", "cpu", "cuda"] = Field("auto", validation_alias=_named("DEVICE"))
    compute_type: str = Field("auto", validation_alias=_named("COMPUTE_TYPE"))
    """`auto` is int8 on a CPU, int8_float16 or float16 on CUDA."""
    threads: int = Field(0, ge=0, le=64, validation_alias=_named("THREADS"))
    """Decodes at once; 0: as many as there are cores, 1 on CUDA."""
    language: str = Field(AUTO, validation_alias=_named("LANGUAGE"))
    """Language code or `auto`."""
    chunk_s: float = Field(0.0, ge=0, le=10, validation_alias=_named("CHUNK_S"))
    """Least new audio, in seconds, for which text is decoded again while somebody speaks; 0: measured."""
    url: str = Field(DEFAULT_URL, validation_alias=_named("URL"))
    """Address of the service for `remote`."""
    api_key: str | None = Field(None, repr=False, validation_alias=_named("API_KEY"))
    """Its key."""

    @field_validator("backend")
    @classmethod
    def _known(cls, value: str) -> str:
        name = _SAME.get(value, value)
        if name not in BACKENDS:
            raise ValueError(f"{value!r} is none of {', '.join(BACKENDS)}")
        return name

    @field_validator("language")
    @classmethod
    def _spoken(cls, value: str) -> str:
        try:
            return check_language(value)
        except BadParameter as error:
            raise ValueError(error.message) from None


def load_assistant_settings(**given: object) -> AssistantSettings:
    """Settings from the environment; what is given and not None wins. Raises `BadParameter` that names
    everything that is wrong."""
    wanted = {name: value for name, value in given.items() if value is not None}
    try:
        return AssistantSettings(**cast(dict[str, Any], wanted))
    except ValidationError as error:
        faults = [
            f"{_said(str(fault['loc'][0]))}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        ]
        raise BadParameter("; ".join(faults)) from None


def _said(place: str) -> str:
    """A setting as it is called in code, or with the variables that it is read from."""
    for field in AssistantSettings.model_fields.values():
        choices = cast(AliasChoices, field.validation_alias).choices
        if place in choices:
            return " or ".join(map(str, choices))
    return place
