"""The limit of the webhook: the same server, and nothing but one transaction for all bodies that wait.

No token, no limit, no JSON, no digest, no tally: the raw body goes into a table of one column. As in
Tributary, the threads of the process share commits, and a request is answered after its own.
"""

from __future__ import annotations

import os
import sqlite3
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.log import LogLevels
from granian.server import Server
from sqlalchemy import make_url

Write = Callable[[list[bytes]], None]
_waiting: list[tuple[bytes, threading.Event]] = []
_changed = threading.Condition()
_threads: list[threading.Thread] = []


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: 200 once the body is committed."""
    done = threading.Event()
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    with _changed:
        if not _threads:
            _threads.append(threading.Thread(target=_run, daemon=True))
            _threads[0].start()
        _waiting.append((body, done))
        _changed.notify()
    done.wait()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]


def _run() -> None:
    write = _writer(os.environ["DATABASE_URL"])
    while True:
        with _changed:
            while not _waiting:
                _changed.wait()
            taken = _waiting[:]
            _waiting.clear()
        write([body for body, _ in taken])
        for _, done in taken:
            done.set()


def _writer(url: str) -> Write:
    if url.startswith("sqlite"):
        return _sqlite(sqlite3.connect(make_url(url).database or "", isolation_level=None))
    import psycopg

    return _postgresql(psycopg.connect(url.replace("+psycopg", "")))


def _sqlite(connection: sqlite3.Connection) -> Write:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("CREATE TABLE IF NOT EXISTS bodies (id INTEGER PRIMARY KEY, body BLOB)")

    def write(bodies: list[bytes]) -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO bodies (body) VALUES (?)", [(body,) for body in bodies])
        connection.execute("COMMIT")

    return write


def _postgresql(connection: Any) -> Write:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS bodies (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)"
    )
    connection.commit()

    def write(bodies: list[bytes]) -> None:
        with connection.transaction():
            copying = connection.cursor().copy("COPY bodies (body) FROM STDIN (FORMAT binary)")
            with copying as copy:
                copy.set_types(["bytea"])
                for body in bodies:
                    copy.write_row((body,))

    return write


if __name__ == "__main__":
    Server(
        "bench.baselines.group_commit:app",
        address="127.0.0.1",
        port=int(sys.argv[1]),
        interface=Interfaces.WSGI,
        http=HTTPModes.auto,
        websockets=False,
        workers=1,
        blocking_threads=32,
        backlog=1024,
        log_access=False,
        log_level=LogLevels.error,
    ).serve()
