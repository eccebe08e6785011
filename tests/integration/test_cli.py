"""The `steno` command: help, flags, and errors before anything starts."""

import inspect
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.cli.up import up
from shared.settings import Settings
from tests.support.service import Service

STENO = Path(sys.executable).with_name("steno")


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def steno(*words: object, **environment: object) -> subprocess.CompletedProcess[str]:
    """Run the command without any `STENO_` variable but those given."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("STENO_", "STT_"))}
    given = {name: str(value) for name, value in environment.items()}
    return subprocess.run(
        [str(STENO), *map(str, words)],
        env=clean | given,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess[str], *words: object) -> None:
    """One line on stderr, with these words, and status 2; nothing was started or printed."""
    assert (done.returncode, done.stdout) == (2, ""), done
    assert done.stderr.startswith("steno: ")
    assert done.stderr.count("\n") == 1, done.stderr
    for word in words:
        assert str(word) in done.stderr


def test_help_lists_the_commands() -> None:
    done = steno("--help")
    assert done.returncode == 0
    for command in (
        "up",
        "api",
        "wyoming",
        "worker",
        "jobs",
        "job-worker",
        "transcribe",
        "listen",
        "demo",
        "models",
        "top",
        "doctor",
    ):
        assert f"\n  {command} " in done.stdout


def test_the_version_is_the_project_s() -> None:
    assert steno("--version").stdout.startswith("steno 0.")


@pytest.mark.parametrize(
    "command", ["up", "api", "wyoming", "worker", "job-worker", "models", "top", "doctor"]
)
def test_each_command_has_its_own_help(command: str) -> None:
    done = steno(command, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: steno {command}")


@pytest.mark.parametrize("name", ["host", "port", "model", "workers", "device", "redis_url", "data_dir"])
def test_each_setting_of_up_is_a_flag_too(name: str) -> None:
    assert name in Settings.model_fields
    assert name in inspect.signature(up).parameters


def test_a_wrong_flag_is_a_usage_error() -> None:
    done = steno("up", "--bogus")
    assert done.returncode == 2
    assert "No such option: --bogus" in done.stderr


def test_a_wrong_value_in_the_environment_is_named() -> None:
    assert_refused(steno("up", STENO_PORT="99999"), "STENO_PORT")


def test_a_flag_overrides_the_environment(taken_port: int, free_port: int, tmp_path: Path) -> None:
    done = steno("up", "--port", taken_port, STENO_PORT=free_port, STENO_DATA_DIR=tmp_path)
    assert_refused(done, taken_port)


def test_a_port_in_use_is_said_before_anything_starts(taken_port: int, tmp_path: Path) -> None:
    done = steno("up", STENO_PORT=taken_port, STENO_DATA_DIR=tmp_path / "data")
    assert_refused(done, taken_port, "--port", "STENO_PORT")
    assert not (tmp_path / "data").exists()


def test_a_wyoming_port_in_use_is_said_before_anything_starts(
    taken_port: int, free_port: int, tmp_path: Path
) -> None:
    done = steno("up", STENO_PORT=free_port, STENO_WYOMING_PORT=taken_port, STENO_DATA_DIR=tmp_path)
    assert_refused(done, taken_port, "STENO_WYOMING_PORT")


def test_an_unknown_model_is_said_before_anything_starts(free_port: int, tmp_path: Path) -> None:
    done = steno("up", "--port", free_port, "--model", "bose", "--data-dir", tmp_path / "data")
    assert_refused(done, "bose", "STENO_MODEL")
    assert not (tmp_path / "data" / "valkey").exists()


def test_a_redis_that_does_not_answer_is_said_without_its_password(free_port: int, tmp_path: Path) -> None:
    url = f"redis://:hush@127.0.0.1:{free_port}/0"
    done = steno("up", "--port", free_port, "--redis-url", url, "--data-dir", tmp_path)
    assert_refused(done, "STENO_REDIS_URL", f"127.0.0.1:{free_port}")
    assert "hush" not in done.stderr


def test_a_redis_url_that_is_none_is_said(free_port: int, tmp_path: Path) -> None:
    done = steno("up", "--port", free_port, "--redis-url", "nonsense", "--data-dir", tmp_path)
    assert_refused(done, "STENO_REDIS_URL")


def test_a_data_directory_that_can_t_be_made_is_said(free_port: int, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = steno("up", "--port", free_port, "--data-dir", tmp_path / "file" / "data")
    assert_refused(done, "STENO_DATA_DIR")


def test_models_list_has_the_packaged_ones() -> None:
    lines = steno("models", "list").stdout.splitlines()
    packaged = {line.split()[0] for line in lines if "package index" in line}
    assert packaged == {"base", "tiny.en"}


def test_pulling_an_unknown_model_is_refused() -> None:
    done = steno("models", "pull", "bose")
    assert_refused(done, "bose")


def test_doctor_finds_no_fault_in_a_good_setup(free_port: int, tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("model.bin", "config.json", "tokenizer.json", "vocabulary.txt"):
        (model / name).write_text("x")
    done = steno("doctor", "--json", "--port", free_port, "--data-dir", tmp_path, "--model", model)
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert done.returncode == 0, rows
    assert {rows[name]["status"] for name in ("port", "data", "redis", "cpu", "device", "model")} == {"ok"}


def test_doctor_fails_with_a_remedy_for_each_fault(taken_port: int, tmp_path: Path) -> None:
    done = steno("doctor", "--json", "--port", taken_port, "--data-dir", tmp_path, "--model", "bose")
    failed = {row["name"]: row["remedy"] for row in json.loads(done.stdout) if row["status"] == "fail"}
    assert done.returncode == 1
    assert set(failed) == {"port", "model"}
    assert all(failed.values())


def test_doctor_says_that_steno_runs_here_already(service: Service, tmp_path: Path) -> None:
    done = steno("doctor", "--json", "--port", service.port, "--data-dir", tmp_path, "--model", "bose")
    rows = {row["name"]: row for row in json.loads(done.stdout)}
    assert (rows["port"]["status"], rows["port"]["detail"][:13]) == ("warn", "Steno answers")


def test_models_as_json() -> None:
    rows = json.loads(steno("models", "list", "--json").stdout)
    assert {row["name"] for row in rows if row["packaged"]} == {"base", "tiny.en"}
    assert {type(row["here"]) for row in rows} == {bool}


def complete(shell: str, *words: str) -> list[str]:
    """What a shell is offered for the last word."""
    line = " ".join(("steno", *words))
    asked = {"COMP_WORDS": line, "COMP_CWORD": len(words), "_TYPER_COMPLETE_ARGS": line}
    done = steno(**asked, _STENO_COMPLETE=f"complete_{shell}", _TYPER_COMPLETE_FISH_ACTION="get-args")
    assert done.stderr == ""
    return done.stdout.split()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_and_their_flags_are_completed(shell: str) -> None:
    assert "transcribe" in " ".join(complete(shell, "tr"))
    flags = " ".join(complete(shell, "listen", "--pro"))
    assert "--prompt" in flags
    assert "--profanity" in flags


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_for_a_shell_is_printed(shell: str) -> None:
    done = steno(_STENO_COMPLETE=f"source_{shell}")
    assert (done.returncode, done.stderr) == (0, "")
    assert "steno" in done.stdout
    assert "_STENO_COMPLETE" in done.stdout


def test_bash_takes_the_script(tmp_path: Path) -> None:
    script = tmp_path / "steno.bash"
    script.write_text(steno(_STENO_COMPLETE="source_bash").stdout)
    done = subprocess.run(
        ["bash", "--norc", "-c", f"source {script}; complete -p steno"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "steno" in done.stdout


@pytest.mark.parametrize("words", [("models", "list"), ("doctor", "--model", "bose"), ("--help",)])
def test_a_pipe_gets_no_colour(words: tuple[str, ...]) -> None:
    assert "\x1b" not in steno(*words).stdout
