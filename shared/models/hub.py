"""Weights from the model hub, through its own client and its own cache (`HF_HOME`), which other programs
on the machine share. The only importer of `huggingface_hub`."""

import logging
from pathlib import Path
from typing import Final

from shared.errors import ModelUnavailable
from shared.models.files import missing_files

_log = logging.getLogger(__name__)
_FILES: Final = ["config.json", "preprocessor_config.json", "model.bin", "tokenizer.json", "vocabulary.*"]


def cached(repo: str) -> Path | None:
    """The repository's directory in the hub's cache, if it is there and has all files."""
    try:
        path = _snapshot(repo, local_only=True)
    except ModelUnavailable:
        return None
    return None if missing_files(path) else path


def fetch(repo: str) -> Path:
    """Download the repository. Raises `ModelUnavailable` with the reason."""
    _log.info("downloading %s from the model hub", repo)
    path = _snapshot(repo, local_only=False)
    if lacking := missing_files(path):
        raise ModelUnavailable(f"{repo} on the hub is not a CTranslate2 model: it lacks {', '.join(lacking)}")
    return path


def _snapshot(repo: str, *, local_only: bool) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise ModelUnavailable("the hub client is not installed (pip install 'steno[worker]')") from None
    try:
        return Path(snapshot_download(repo, allow_patterns=_FILES, local_files_only=local_only))
    except Exception as error:  # the client's errors have no common base, and all mean the same here
        raise ModelUnavailable(f"the hub gave no {repo} ({_brief(error)})") from error


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
