"""SQLite's own: what every connection to it is told, its one write lock, and when a commit is on the disk.

What is imported here holds for every engine of SQLAlchemy, PostgreSQL's aside.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, NamedTuple, cast

from sqlalchemy import Connection, Engine, event

from webapp.turns import Place

# Milliseconds that a SQLite connection waits for another writer before it gives up.
BUSY_TIMEOUT = 10_000
# Statements that a SQLite connection of a worker keeps prepared: some have a size for each number of rows.
STATEMENTS = 500
# Bytes of the file that a `Mapped` connection maps; SQLite takes as much of it as it was built for, 2 GiB.
_MAPPED = 1 << 40

CROWDED = "crowded"
"""In a connection's `info`: whether others were writing, or waiting for it, when its transaction began."""
_PLACE, _PATIENCE, _DURABLE = "place", "patience", "durable"
_PAUSE = 0.001  # seconds between two looks at SQLite's lock

# For what is no number and no text the driver looks through several attributes that None and bytes have not,
# which takes five times as long as to bind them. What it is told of before, it takes as it is.
sqlite3.register_adapter(type(None), cast(Any, {}.get))
sqlite3.register_adapter(bytes, bytearray)


class Way(NamedTuple):
    """How a transaction writes.

    Attributes:
        late: it takes SQLite's lock when it first writes, not when it begins.
        again: whoever does this work would do it again, so its commit need not be on the disk at once.
    """

    late: bool = False
    again: bool = False


# A transaction that will write says so before it begins (see `writing`): SQLite must take its lock at
# BEGIN, since a deferred transaction that reads first is turned away when it writes.
_way: ContextVar[Way | None] = ContextVar("way", default=None)


class Mapped(sqlite3.Connection):
    """A connection that reads the file where the system keeps it in memory, instead of copies of its pages.

    A search of some ten thousand rows takes half the time: its pages are more than a connection's own cache
    holds, and that is emptied whenever somebody else wrote.
    """


@contextmanager
def writing(way: Way | None = None) -> Iterator[None]:
    """Inside this block every transaction that begins takes SQLite's write lock at once, or as a way says."""
    token = _way.set(way or Way())
    try:
        yield
    finally:
        _way.reset(token)


def is_busy(error: Any) -> bool:
    """Whether SQLite refused something since somebody else was writing, or has written."""
    return (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF == sqlite3.SQLITE_BUSY


@event.listens_for(Engine, "connect")
def _prepare(dbapi_connection: Any, _record: Any) -> None:
    if not isinstance(dbapi_connection, sqlite3.Connection):
        return
    _, _, path = dbapi_connection.execute("PRAGMA database_list").fetchone()
    if path and os.path.exists(path) and not os.access(path, os.W_OK):
        # SQLite would open it for reading, for the whole life of the process, whatever comes of the volume.
        dbapi_connection.close()
        raise sqlite3.OperationalError("attempt to open a database that can only be read")
    # The driver's own transaction handling begins too late; `_begin` does it.
    dbapi_connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "secure_delete = ON",
        f"busy_timeout = {BUSY_TIMEOUT}",
        "temp_store = MEMORY",
        "cache_size = -65536",
    ):
        dbapi_connection.execute(f"PRAGMA {pragma}")
    if isinstance(dbapi_connection, Mapped):
        dbapi_connection.execute(f"PRAGMA mmap_size = {_MAPPED}")


@event.listens_for(Engine, "begin")
def _begin(connection: Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    way = _way.get()
    _have_durable(connection, way is None or not way.again)
    if way is None:
        connection.exec_driver_sql("BEGIN")
        return
    place = connection.info.get(_PLACE)
    if place is None:
        place = connection.info[_PLACE] = Place(str(connection.engine.url.database))
    with place.turn() as others_wait:
        others_wrote = _take_the_lock(connection)
    connection.info[CROWDED] = others_wait or others_wrote
    if way.late:
        connection.exec_driver_sql("ROLLBACK")
        connection.exec_driver_sql("BEGIN")


def _have_durable(connection: Connection, durable: bool) -> None:
    """Have a connection's commits wait for the disk, or not."""
    if connection.info.get(_DURABLE, True) != durable:
        connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        connection.info[_DURABLE] = durable


def _take_the_lock(connection: Connection) -> bool:
    """Begin as soon as whoever writes has committed, or fail after the connection's patience.

    Left to itself SQLite looks again after 1, 2, 5, 10, 15 ms and so on, up to 100.

    Returns:
        Whether somebody was writing.
    """
    driver: Any = connection.connection.dbapi_connection
    patience = connection.info.get(_PATIENCE)
    if patience is None:
        (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
        connection.info[_PATIENCE] = patience
    deadline, was_taken = time.monotonic() + patience / 1000, False
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while time.monotonic() < deadline:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return was_taken
            except sqlite3.OperationalError as error:
                if not is_busy(error):
                    break
            was_taken = True
            time.sleep(_PAUSE)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails as everything else does
        return was_taken
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}")


@event.listens_for(Engine, "close")
def _give_up(_dbapi_connection: Any, record: Any) -> None:
    place = record.info.pop(_PLACE, None)
    if place is not None:
        place.close()
