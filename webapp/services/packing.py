"""What a deletion leaves in SQLite's file besides rows, and how it is got rid of.

`secure_delete` zeroes what is deleted where it lies. But a row that moved to another page before leaves its
bytes in the gap of the page where it was, and the write-ahead log holds pages as they were. Only a file that
is written anew, and a log that is empty, have nothing left. PostgreSQL's autovacuum sees to its own.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from sqlalchemy import Engine

from webapp.database import BUSY_TIMEOUT

# How often emptying the write-ahead log is tried, about half a second each, before others have their turn.
TRIES = 10

log = structlog.get_logger(__name__)


def pack(engine: Engine) -> bool:
    """Write the whole file anew, without what was deleted. Writers wait meanwhile, readers do not.

    Returns:
        Whether it is done; another writer, or a full disk, can be in the way.
    """
    if engine.dialect.name != "sqlite":
        return True
    with _raw(engine) as connection:
        connection.execute("PRAGMA temp_store = FILE")  # a large file would not fit into memory
        try:
            connection.execute("VACUUM")
        except sqlite3.OperationalError as error:
            log.warning("packing.postponed", code=error.sqlite_errorname)
            return False
        finally:
            connection.execute("PRAGMA temp_store = MEMORY")
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
