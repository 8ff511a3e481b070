"""What a deletion leaves in SQLite's file besides rows, and how it is got rid of.

`secure_delete` zeroes what is deleted where it lies. But a row that moved to another page before leaves its
bytes in the gap of the page where it was (`services/wiping.py`), and the write-ahead log holds pages as they
were. PostgreSQL's autovacuum sees to its own.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from sqlalchemy import Engine

from webapp.database import BUSY_TIMEOUT
from webapp.models import now
from webapp.services import wiping
from webapp.turns import turn

# How often emptying the write-ahead log is tried, about half a second each, before others have their turn.
TRIES = 10
ROUNDS = 2.0  # seconds for rounds of wiping, before whoever waits for this work hears of it
_REST = 0.005  # seconds that others have between two rounds


def wipe_gaps(engine: Engine, sync_id: int) -> bool:
    """Go on wiping the gaps of the file's pages, from where this work was.

    Returns:
        Whether all are wiped; readers in the middle of something, or its length, can keep it a little longer.
    """
    if engine.dialect.name != "sqlite":
        return True
    path, until = str(engine.url.database), time.monotonic() + ROUNDS

    def note(connection: sqlite3.Connection, page: int) -> None:
        told = "UPDATE syncs SET cursor = ?, heartbeat_at = ? WHERE id = ?"
        connection.execute(told, (page, now(), sync_id))

    with _raw(engine) as connection:
        page = connection.execute("SELECT cursor FROM syncs WHERE id = ?", (sync_id,)).fetchone()[0]
    while time.monotonic() < until:
        try:
            follow = wiping.wipe(path, page, note)
        except wiping.NotInPlace:
            return _written_anew(path)
        if follow is None:
            return False
        if follow < 0:
            return True
        page = follow
        time.sleep(_REST)
    return False


def _written_anew(path: str) -> bool:
    """Let SQLite write the whole file anew: nobody else writes meanwhile. False when somebody was writing."""
    with turn(path), closing(sqlite3.connect(path, isolation_level=None, timeout=0.25)) as connection:
        try:
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            return False
    return True


def empty_log(engine: Engine) -> bool:
    """Bring the write-ahead log into the file and cut it to nothing.

    Returns:
        Whether it is empty now; readers in the middle of something can keep it a little longer.
    """
    if engine.dialect.name != "sqlite":
        return True
    for _ in range(TRIES):
        if _truncated(engine):
            return True
        time.sleep(0.25)
    return False


def _truncated(engine: Engine) -> bool:
    with _raw(engine) as connection:
        # A checkpoint asks the busy handler too; waiting here would hold up whoever waits for this work.
        connection.execute("PRAGMA busy_timeout = 250")
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    return not busy


@contextmanager
def _raw(engine: Engine) -> Iterator[Any]:
    """The driver's connection, outside any transaction."""
    with engine.connect() as connection:
        yield connection.connection.driver_connection
