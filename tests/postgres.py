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
    """A running server that hands out databases.

    Attributes:
        socket: folder of its Unix socket.
    """

    def __init__(self, socket: Path, version: int) -> None:
        self.socket = socket
        # Several times faster where nothing waits for the disk; PostgreSQL 15 and later can be asked for it.
        self._strategy = "STRATEGY FILE_COPY" if version >= 15 else ""
        self._made = 0

    def url(self, database: str) -> str:
        """What `DATABASE_URL` says for one of its databases."""
        return f"postgresql+psycopg://tributary@/{database}?host={self.socket}"

    def create(self, template: str = "template0") -> str:
        """Make a database, as a copy of `template`; its name."""
        self._made += 1
        name = f"test_{self._made}"
        self._run(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {self._strategy}')
        return name

    def drop(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def answers(self) -> bool:
        """Whether it lets us in."""
        try:
            self._run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, statement: str) -> None:
        parameters: Any = {"host": str(self.socket), "user": "tributary", "dbname": "postgres"}
        with psycopg.connect(**parameters, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]


@contextmanager
def running(folder: Path, more: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run a server from `folder` (see `programs`) as long as the block lasts; `more` are settings of it."""
    home = Path(tempfile.mkdtemp(prefix="tributary-postgres-"))
    # PostgreSQL refuses to run as root; a package of it brings a user.
    who: dict[str, Any] = {}
    if os.geteuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(home, user.pw_uid, user.pw_gid)
        who = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
    data = home / "data"
    try:
        _quietly(
            [folder / "initdb", "-D", data, "-U", "tributary", "-A", "trust", "--no-sync", *_locale(folder)],
            cwd=home,
            **who,
        )
        options = [
            part for name, value in {**_OPTIONS, **(more or {})}.items() for part in ("-c", f"{name}={value}")
        ]
        with open(home / "log", "wb") as log:
            process = subprocess.Popen(
                [folder / "postgres", "-D", data, "-k", home, *options],
                stdout=log,
                stderr=log,
                cwd=home,
                preexec_fn=partial(die_with_parent, os.getpid()),
                **who,
            )
        try:
            server = Server(home, _version(folder))
            deadline = time.monotonic() + 30
            while not server.answers():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {(home / 'log').read_text()}")
                time.sleep(0.05)
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=20)
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
