"""A PostgreSQL server of the tests' own: made in a temporary folder, on a Unix socket, gone afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from jobs.lifeline import die_with_parent

# Nothing here outlives the tests, so nothing has to reach the disk.
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
    "shared_buffers": "64MB",
    "autovacuum": "off",
}


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, the newest version first; None when it is not installed."""
    for folder in sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_version, reverse=True):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    found = shutil.which("initdb")
    return Path(found).resolve().parent if found else None


class Server:
    """A server that hands out databases.

    Attributes:
        home: its folder, with the Unix socket and, in `data`, everything that it keeps.
        port: which its socket is named after; it listens on the network only where a setting says so.
    """

    def __init__(self, home: Path, programs: Path, settings: Mapping[str, str]) -> None:
        """Args:
        home: an empty folder.
        programs: see `programs`.
        settings: of the server.
        """
        self.home = home
        self.port = int(settings.get("port", "5432"))
        self._programs = programs
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._kept: psycopg.Connection | None = None
        # Several times faster where nothing waits for the disk; PostgreSQL 15 and later can be asked for it.
        self._strategy = "STRATEGY FILE_COPY" if _version(programs) >= 15 else ""
        self._made = 0
        # PostgreSQL refuses to run as root; a package of it brings a user.
        self._who: dict[str, Any] = {}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(home, user.pw_uid, user.pw_gid)
            self._who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}

    def make(self) -> None:
        """Make its files."""
        where = ["-D", self.home / "data", "-U", "tributary", "-A", "trust", "--no-sync"]
        _quietly([self._programs / "initdb", *where, *_locale(self._programs)], cwd=self.home, **self._who)

    def start(self) -> None:
        """Run it, and wait until it lets us in."""
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        with open(self.home / "log", "ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", self.home / "data", "-k", self.home, *options],
                stdout=log,
                stderr=log,
                cwd=self.home,
                preexec_fn=partial(die_with_parent, os.getpid()),
                **self._who,
            )
        deadline = time.monotonic() + 30
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {(self.home / 'log').read_text()}")
            time.sleep(0.05)

    def crash(self) -> None:
        """End it at once, as `pg_ctl stop --mode=immediate` does: everybody is cut off; it has to recover."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(timeout=20)

    def url(self, database: str) -> str:
        """What `DATABASE_URL` says for one of its databases."""
        return f"postgresql+psycopg://tributary@/{database}?host={self.home}&port={self.port}"

    def create(self, template: str = "template0", more: str = "") -> str:
        """Make a database, as a copy of `template`; its name. `more` is added to the statement."""
        self._made += 1
        name = f"test_{self._made}"
        self._run_often(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {self._strategy} {more}')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._run_often(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def answers(self) -> bool:
        """Whether it lets us in."""
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def run(self, statement: str) -> None:
        """Do something that is about the whole server."""
        with self._connect() as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    def _run_often(self, statement: str) -> None:
        """The same, over a connection that is kept: to connect takes longer than to do it."""
        if self._kept is None or self._kept.closed:
            self._kept = self._connect()
        self._kept.execute(statement)  # type: ignore[call-overload]

    def _connect(self) -> psycopg.Connection:
        where: Any = {"host": str(self.home), "port": self.port, "user": "tributary", "dbname": "postgres"}
        return psycopg.connect(**where, autocommit=True)


@contextmanager
def running(folder: Path, more: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a server from `folder` (see `programs`) as long as the block lasts; `more` are settings of it."""
    home = Path(tempfile.mkdtemp(prefix="tributary-postgres-"))
    try:
        server = Server(home, folder, {**_OPTIONS, **(more or {})})
        server.make()
        try:
            server.start()
            yield server
        finally:
            server.crash()
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _locale(folder: Path) -> list[str]:
    """Words are sorted as people sort them, not as bytes, where PostgreSQL can (15 and later)."""
    plain = ["-E", "UTF8", "--locale=C.UTF-8"]
    return [*plain, "--locale-provider=icu", "--icu-locale=en-US"] if _version(folder) >= 15 else plain


def _quietly(command: list[Any], **options: Any) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stdout}{done.stderr}")


def _version(folder: Path) -> int:
    digits = folder.parent.name.split(".")[0]
    return int(digits) if digits.isdigit() else 0
