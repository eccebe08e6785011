"""What a directory with a Whisper must hold, CTranslate2's or the transformers library's, and what its files
say about the model."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from shared.errors import ModelUnavailable

_REQUIRED: Final = ("model.bin", "config.json", "tokenizer.json")
_TRANSFORMERS_WEIGHTS: Final = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
_VOCABULARIES: Final = ("vocabulary.json", "vocabulary.txt")
MULTILINGUAL_TOKENS: Final = 51_865
"""Whisper's multilingual vocabularies have at least this many tokens and its English ones fewer. This is
CTranslate2's own rule, so both always agree."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model that is on this machine: the `name` it was asked for by, and the directory with its files."""

    name: str
    path: Path
    multilingual: bool


def missing_files(path: Path) -> list[str]:
    """What a directory lacks to be a CTranslate2 Whisper model; empty when it has all."""
    lacking = [name for name in _REQUIRED if not _has(path / name)]
    if not any(_has(path / name) for name in _VOCABULARIES):
        lacking.append("vocabulary.txt or vocabulary.json")
    return lacking


def is_transformers(path: Path) -> bool:
    """Whether the directory holds a model of the transformers library, whole as far as names tell."""
    weights = any(_has(path / name) for name in _TRANSFORMERS_WEIGHTS)
    return weights and _has(path / "tokenizer.json") and _config(path).get("model_type") == "whisper"


def describe(name: str, path: Path) -> ModelFiles:
    """Read what the files in `path` say. Raises `ModelUnavailable` when they are not a model's."""
    if is_transformers(path):
        return ModelFiles(name, path, int(_config(path).get("vocab_size", 0)) >= MULTILINGUAL_TOKENS)
    if lacking := missing_files(path):
        raise ModelUnavailable(
            f"{path} is not a CTranslate2 Whisper model: it lacks {', '.join(lacking)}; convert the model "
            "with ct2-transformers-converter --copy_files tokenizer.json preprocessor_config.json"
        )
    return ModelFiles(name, path, vocabulary_size(path) >= MULTILINGUAL_TOKENS)


def vocabulary_size(path: Path) -> int:
    """Tokens of a CTranslate2 model. Raises `ModelUnavailable` where its file can't be read."""
    try:
        if _has(path / "vocabulary.json"):
            tokens = json.loads((path / "vocabulary.json").read_bytes())
            return len(cast(list[str], tokens))
        # Some tokens hold characters that str.splitlines takes for line ends, so bytes are counted.
        lines = (path / "vocabulary.txt").read_bytes().removesuffix(b"\n")
        return lines.count(b"\n") + 1
    except (OSError, ValueError, TypeError) as error:
        raise ModelUnavailable(f"the vocabulary in {path} can't be read ({error}); fetch it anew") from error


def _has(path: Path) -> bool:
    return path.is_file() and path.stat().st_size > 0


def _config(path: Path) -> dict[str, Any]:
    try:
        return cast(dict[str, Any], json.loads((path / "config.json").read_bytes()))
    except (OSError, ValueError):
        return {}
