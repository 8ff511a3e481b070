"""The database engine: one set of rules for SQLite and PostgreSQL, usable with and without Flask."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, cast

import msgspec
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from webapp import checkpoints
from webapp.config import Settings
from webapp.turns import Place

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)

# A transaction that will write says so before it begins (see `writing`): SQLite must take its lock at
# BEGIN, since a deferred transaction that reads first is turned away, or loses updates, when it writes.
_will_write: ContextVar[bool] = ContextVar("will_write", default=False)

# Milliseconds that a SQLite connection waits for another writer before it gives up.
BUSY_TIMEOUT = 10_000

# Classes of PostgreSQL's errors that are about the server: connections, transactions that gave way, a full
# disk or too many connections, locks, an operator's hand, the machine.
_ABOUT_THE_SERVER = ("08", "40", "53", "55", "57", "58")
_ONLY_READS = "25006"

# Statements that a SQLite connection of a worker keeps prepared: some have a size for each number of rows.
_STATEMENTS = 500
# Bytes of the file that a `Mapped` connection maps; SQLite takes as much of it as it was built for, 2 GiB.
_MAPPED = 1 << 40

CROWDED = "crowded"
"""In a connection's `info`: whether others were writing, or waiting for it, when its transaction began."""
_PLACE, _PATIENCE = "place", "patience"
_PAUSE = 0.001  # seconds between two looks at SQLite's lock
_KEPT = 1.0  # seconds for which an unused connection counts as alive


# For what is no number and no text the driver looks through several attributes that None and bytes have not,
# which takes five times as long as to bind them. What it is told of before, it takes as it is.
sqlite3.register_adapter(type(None), cast(Any, {}.get))
sqlite3.register_adapter(bytes, bytearray)


class CannotMigrate(Exception):
    """The tables cannot be brought up to date; the text says why, and what would do."""


def json_dumps(value: Any) -> str:
    """JSON text for a JSON column; decimals stay numbers with the digits they came with."""
    return _encoder.encode(value).decode()


def json_loads(text: str | bytes) -> Any:
    """What a JSON column holds; a number with a fraction comes back as a Decimal."""
    return _decoder.decode(text)


class Mapped(sqlite3.Connection):
    """A connection that reads the file where the system keeps it in memory, instead of copies of its pages.

    A search of some ten thousand rows takes half the time: its pages are more than a connection's own cache
    holds, and that is emptied whenever somebody else wrote.
    """


def engine_options(settings: Settings, mapped: bool = False) -> dict[str, Any]:
    """Arguments of `create_engine` that Flask-SQLAlchemy and `make_engine` share.

    Args:
        settings: of this installation.
        mapped: for who reads much here and there, as pages do; a process seems larger by what it maps.
    """
    options: dict[str, Any] = {
        "json_serializer": json_dumps,
        "json_deserializer": json_loads,
        "hide_parameters": True,  # errors are logged, and what people told must not be
    }
    if settings.database_url.startswith("sqlite"):
        options |= {"connect_args": {"factory": Mapped} if mapped else {"cached_statements": _STATEMENTS}}
    else:
        options |= {
            "pool_pre_ping": True,
            "pool_size": 10,
            "max_overflow": 20,
            "pool_timeout": 5,
            # A server that goes silent is given up after some seconds instead of a quarter of an hour, and
            # instead of two hours when it went while we were waiting for its answer.
            "connect_args": {
                "connect_timeout": 3,
                "tcp_user_timeout": 10_000,
                "keepalives_idle": 5,
                "keepalives_interval": 2,
                "keepalives_count": 3,
            },
        }
    return options


def make_engine(settings: Settings) -> Engine:
    """An engine of its own, for the webhook, the jobs and the tests."""
    engine = create_engine(settings.database_url, **engine_options(settings))
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _leave_checkpoints)
    return engine


def _leave_checkpoints(connection: sqlite3.Connection, _record: Any) -> None:
    checkpoints.leave_to_a_thread(connection)


def _committed(engine: Engine) -> None:
    if engine.dialect.name == "sqlite":
        checkpoints.look(str(engine.url.database))


def is_away(error: Exception) -> bool:
    """Whether the database is away, busy, full or read-only, rather than refusing what was asked of it."""
    if isinstance(error, OperationalError | NoConnection):
        return True
    state = getattr(getattr(error, "orig", None), "sqlstate", None) or ""
    return isinstance(error, DBAPIError) and (
        error.connection_invalidated or state.startswith(_ABOUT_THE_SERVER)
    )


@contextmanager
def writing() -> Iterator[None]:
    """Inside this block every transaction that begins takes SQLite's write lock at once."""
    token = _will_write.set(True)
    try:
        yield
    finally:
        _will_write.reset(token)


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """One write transaction: committed at the end of the block, rolled back when it raises."""
    with writing(), engine.begin() as connection:
        yield connection
    _committed(engine)


class Line:
    """A connection that is kept for the next transaction, for who writes one after the other.

    Asking the pool for one, which asks the server whether it is still there, can take longer than to write.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._kept: Connection | None = None
        self._used_at = 0.0

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One write transaction, as `begin`; after one that failed, or a pause, the pool is asked again."""
        if time.monotonic() - self._used_at > _KEPT:
            self.hang_up()
        connection, self._kept = self._kept or self._engine.connect(), None
        try:
            with writing(), connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        self._kept, self._used_at = connection, time.monotonic()
        _committed(self._engine)

    def hang_up(self) -> None:
        """Give the connection back."""
        connection, self._kept = self._kept, None
        if connection is not None:
            connection.close()


def run(connection: Connection, statement: str, values: Sequence[Any] | Mapping[str, Any]) -> DBAPICursor:
    """Run one of the driver's own statements, without the layers above it, and return the driver's cursor.

    For the few statements that every call of the webhook waits for: what SQLAlchemy makes of their results
    takes as long as they do. A connection that is lost is given up as SQLAlchemy would.

    Raises:
        DBAPIError: the driver's error, wrapped.
    """
    cursor = connection.connection.cursor()
    try:
        cursor.execute(statement, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise _wrapped(connection, error, cursor) from error
    return cursor


def _wrapped(connection: Connection, error: Exception, cursor: DBAPICursor) -> BaseException:
    dialect, engine = connection.dialect, connection.engine
    driver = connection.connection.dbapi_connection
    is_lost = dialect.is_disconnect(error, driver, cursor) or _only_reads(error)  # type: ignore[arg-type]
    if is_lost:
        connection.invalidate(error)
        engine.dispose()  # what one connection has lost, its neighbours have too
    return DBAPIError.instance(
        "one of the driver's own",
        None,
        error,
        dialect.loaded_dbapi.Error,
        hide_parameters=True,
        connection_invalidated=is_lost,
        dialect=dialect,
    )


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
    if not _will_write.get():
        connection.exec_driver_sql("BEGIN")
        return
    place = connection.info.get(_PLACE)
    if place is None:
        place = connection.info[_PLACE] = Place(str(connection.engine.url.database))
    with place.turn() as others_wait:
        others_wrote = _take_the_lock(connection)
    connection.info[CROWDED] = others_wait or others_wrote


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
    deadline, is_busy = time.monotonic() + patience / 1000, False
    driver.execute("PRAGMA busy_timeout = 0")
    try:
        while time.monotonic() < deadline:
            try:
                driver.execute("BEGIN IMMEDIATE")
                return is_busy
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                    break
            is_busy = True
            time.sleep(_PAUSE)
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # fails as everything else does
        return is_busy
    finally:
        driver.execute(f"PRAGMA busy_timeout = {patience}")


@event.listens_for(Engine, "close")
def _give_up(_dbapi_connection: Any, record: Any) -> None:
    place = record.info.pop(_PLACE, None)
    if place is not None:
        place.close()


@event.listens_for(Engine, "handle_error")
def _leave_a_standby(context: ExceptionContext) -> None:
    """Give up all connections to a server that only reads; new ones lead to the one that took over."""
    if _only_reads(context.original_exception):
        context.is_disconnect = True


def _only_reads(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) == _ONLY_READS
