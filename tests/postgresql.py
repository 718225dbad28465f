"""A real PostgreSQL server on loopback, for the duration of a `with` block."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import psycopg

from tests.running import ROOT, free_port

# Where Debian puts the programs, and where `scripts/setup.sh` unpacks them.
_FOLDERS = (Path("/usr/lib/postgresql"), ROOT / ".cache/servers/usr/lib/postgresql")
_NUMBERS = itertools.count()


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    found_in = [path for folder in _FOLDERS for path in folder.glob(f"*/bin/{name}")]
    assert found_in, "PostgreSQL is missing; run scripts/setup.sh test"
    return str(found_in[0])


class RunningPostgresql:
    """port: of the server. If the tests run as root, it runs as nobody, because it refuses root.

    It writes nothing through to the disk when a transaction ends.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="postgresql-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        libraries = [str(path) for path in (ROOT / ".cache/servers/usr/lib").glob("*-linux-gnu")]
        self._environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries), "LC_ALL": "C.UTF-8"}

    def __enter__(self) -> Self:
        if self._user:
            shutil.chown(self._folder, self._user)
        data = self._folder / "data"
        command = [_program("initdb"), "-D", str(data), "-U", "ocr", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(
            command, check=True, capture_output=True, cwd="/", env=self._environment, user=self._user
        )
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        """Start the server and return when it answers; fail if it ends instead."""
        options = {"listen_addresses": "127.0.0.1", "port": self.port, "fsync": "off"}
        # Statistics would change a plan in the middle of a test that counts rows.
        options |= {"autovacuum": "off", "unix_socket_directories": ""}
        settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        self._log = (self._folder / "log").open("ab")
        self._process = subprocess.Popen(
            [_program("postgres"), "-D", str(self._folder / "data"), *settings],
            stdout=self._log,
            stderr=self._log,
            cwd="/",
            env=self._environment,
            user=self._user,
        )
        self._wait()

    def kill(self) -> None:
        """Stop the server at once, as in a crash: SIGQUIT ends all its processes without a checkpoint."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(timeout=120)
        self._log.close()

    def new_database(self) -> str:
        """Create an empty database and return its URL."""
        name = f"jobs_{next(_NUMBERS)}"
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self._url(name)

    def _url(self, database: str) -> str:
        return f"postgresql://ocr@127.0.0.1:{self.port}/{database}"

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while True:
            try:
                psycopg.connect(self._url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline and self._process.poll() is None, self._logged()
                time.sleep(0.05)

    def _logged(self) -> str:
        return (self._folder / "log").read_text()
