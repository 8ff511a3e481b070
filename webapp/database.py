"""The database engine: one set of rules for SQLite and PostgreSQL, usable with and without Flask."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection

from webapp import checkpoints
from webapp.config import Settings
from webapp.sqlite import BUSY_TIMEOUT as BUSY_TIMEOUT
from webapp.sqlite import CROWDED as CROWDED
from webapp.sqlite import STATEMENTS, Mapped, Way, is_busy
from webapp.sqlite import writing as writing

_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(float_hook=Decimal)

# Classes of PostgreSQL's errors that are about the server: connections, transactions that gave way, a full
# disk or too many connections, locks, an operator's hand, the machine.
_ABOUT_THE_SERVER = ("08", "40", "53", "55", "57", "58")
_ONLY_READS = "25006"
_KEPT = 1.0  # seconds for which an unused connection counts as alive


class Overtaken(Exception):
    """Somebody else wrote while a transaction read that was about to write. It wrote nothing: do it again."""


class CannotMigrate(Exception):
    """The tables cannot be brought up to date; the text says why, and what would do."""


def json_dumps(value: Any) -> str:
    """JSON text for a JSON column; decimals stay numbers with the digits they came with."""
    return _encoder.encode(value).decode()


def json_loads(text: str | bytes) -> Any:
    """What a JSON column holds; a number with a fraction comes back as a Decimal."""
    return _decoder.decode(text)


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
        options |= {"connect_args": {"factory": Mapped} if mapped else {"cached_statements": STATEMENTS}}
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
def begin(engine: Engine) -> Iterator[Connection]:
    """One write transaction: committed at the end of the block, rolled back when it raises."""
    with writing(), engine.begin() as connection:
        yield connection
    _committed(engine)


@contextmanager
def begin_work(engine: Engine, late: bool = False) -> Iterator[Connection]:
    """One write transaction of work that is done again when the machine stops before it is on the disk.

    On SQLite its commit does not wait for the disk; the next that does brings both there, in their order.

    Args:
        late: let others write until this first does, which is only possible if none of them did meanwhile.

    Raises:
        Overtaken: one did.
    """
    try:
        with writing(Way(late, again=True)), engine.begin() as connection:
            yield connection
    except OperationalError as error:
        if late and is_busy(error.orig):
            raise Overtaken from error
        raise
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


@event.listens_for(Engine, "handle_error")
def _leave_a_standby(context: ExceptionContext) -> None:
    """Give up all connections to a server that only reads; new ones lead to the one that took over."""
    if _only_reads(context.original_exception):
        context.is_disconnect = True


def _only_reads(error: BaseException) -> bool:
    return getattr(error, "sqlstate", None) == _ONLY_READS
