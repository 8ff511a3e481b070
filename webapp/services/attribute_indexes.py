"""Indexes of custom attributes, made and dropped while Tributary runs, for tables to sort and filter by.

Nobody knows beforehand which keys a source tells, nor which of them people look at, and each index makes
every write a little dearer. So an attribute gets one when somebody sees it as a column of a large table, or
sorts or filters by it, up to MOST for each table; when there is no room, the one that nobody sorted or
filtered by of late makes way for one that somebody does.

The index is of an expression (`tables/expressions.custom_key`) that depends on the attribute's type: when the
type widens, the old one is of no use any more and another is made. PostgreSQL makes them beside the work of
others (CONCURRENTLY). SQLite holds writers up meanwhile, two to three seconds for a million rows; senders
wait so long, and past four seconds are told to come again, which they do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, delete, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from webapp.database import begin
from webapp.models import AttributeIndex, AttributeSighting, now
from webapp.models.attribute import BUILDING, ENTITIES, FAILED, READY, WANTED
from webapp.services import attributes, counting
from webapp.services.tables.expressions import custom_key

MOST = 12
"""Indexes for each of the two tables."""
WORTHWHILE = 5_000
"""Rows past which a table is slow without."""
DAY = 86_400 * 1_000_000
SETTLED = 7 * DAY
"""An index that was asked for within this time does not make way for another."""
KEPT = 90 * DAY
"""An index that nobody asked for within this time is dropped."""
AGAIN = DAY // 24
"""After so long an index that could not be made is tried again."""
# Any number will do but that of the migrations.
_LOCK = 7_461_220_932

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Wish:
    """An index as it should be.

    Attributes:
        id: of its row.
        entity: `customer` or `contact`.
        key: of the attribute.
        shape: what it sorts values as.
        state: how far it is, as its row says.
        in_place: whether the database has it just so.
    """

    id: int
    entity: str
    key: str
    shape: str
    state: str
    in_place: bool

    @property
    def name(self) -> str:
        return _prefix(self.entity) + str(self.id)


def ask(
    engine: Engine,
    entity: str,
    keys: Iterable[str],
    shown: Iterable[str] = (),
    reading: Connection | None = None,
) -> None:
    """Remember that somebody sorts or filters by custom attributes; once a day for each is enough.

    Whoever sees a column may sort by it next, so it gets an index while there is room. It counts as if it was
    asked for a week ago, so that it makes way for the first that is sorted by.

    Args:
        engine: to write with, in a transaction of its own.
        entity: `customer` or `contact`.
        keys: of the attributes.
        shown: keys of attributes that are columns of the page.
        reading: a connection that is open already, to read with.
    """
    row, at = AttributeIndex, now()
    wanted = dict.fromkeys(shown, at - SETTLED) | dict.fromkeys(keys, at)
    if not wanted:
        return
    with nullcontext(reading) if reading is not None else engine.connect() as connection:
        query = select(row.key, row.state, row.asked_at).where(row.entity == entity)
        known = {each.key: each for each in connection.execute(query)}
        old = _not_asked_of_late(wanted, known, at)
        if not old or not _is_large(connection, entity):
            return
    with begin(engine) as connection:
        for key in old:
            same = (row.entity == entity, row.key == key)
            if connection.execute(update(row).where(*same).values(asked_at=wanted[key])).rowcount:
                continue
            values = {"entity": entity, "key": key, "asked_at": wanted[key], "changed_at": at}
            connection.execute(insert(row).values(state=WANTED, **values))


def _not_asked_of_late(wanted: Mapping[str, int], known: Mapping[str, Any], at: int) -> list[str]:
    """The keys whose wish has to be written down, of what is wanted by key and since when."""
    room = MOST - len(known)
    found = []
    for key, moment in sorted(wanted.items(), key=lambda each: (-each[1], each[0])):
        row = known.get(key)
        if row is None and (moment == at or room > 0):
            room -= 1
            found.append(key)
        # What is only seen keeps the index that it has; to let it take another's would go round for ever.
        elif row is not None and row.asked_at < moment - DAY and (moment == at or row.state == READY):
            found.append(key)
    return found


def states(connection: Connection, entity: str) -> dict[str, str]:
    """How far the index of each attribute is that was asked for, by key (`models/attribute`)."""
    row = AttributeIndex
    return dict(connection.execute(select(row.key, row.state).where(row.entity == entity)).all())


def tend(engine: Engine, stop: Callable[[], bool] = lambda: False) -> bool:
    """Make the first index that is missing, and drop those that are of no use any more.

    One at a time, so that on SQLite whoever waited for it to be made has a turn before the next. May be
    called by several processes at once: one works, the others come back later. One that died halfway leaves
    nothing behind on SQLite, and on PostgreSQL an index that is known to be unfinished.

    Args:
        stop: asked before an index is made.

    Returns:
        Whether one was made, so that there may be another.
    """
    with _alone(engine) as alone:
        for entity in ENTITIES if alone else ():
            wishes = _wishes(engine, entity)
            _drop_others(engine, entity, {wish.name for wish in wishes if wish.in_place})
            for wish in wishes:
                if wish.in_place and wish.state != READY:
                    _enter(engine, wish, READY)
            missing = next((wish for wish in wishes if not wish.in_place), None)
            if missing is not None and not stop() and _make(engine, missing):
                return True
    return False


def forget(connection: Connection) -> None:
    """Forget the attributes that no source tells any more; SQLite's file keeps no word of them."""
    row = AttributeIndex
    told = select(AttributeSighting.id).where(
        AttributeSighting.entity == row.entity, AttributeSighting.key == row.key
    )
    gone = connection.execute(select(row.id, row.entity).where(~told.exists())).all()
    connection.execute(delete(row).where(row.id.in_([each.id for each in gone])))
    if connection.dialect.name == "sqlite":  # PostgreSQL would have everybody wait: `tend` drops it there
        for each in gone:
            connection.exec_driver_sql(f"DROP INDEX IF EXISTS {_prefix(each.entity)}{each.id}")


def _prefix(entity: str) -> str:
    return f"ix_{entity}s_custom_"


def _is_large(connection: Connection, entity: str) -> bool:
    model = attributes.MODELS[entity]
    if len(counting.ids(connection, model)) <= WORTHWHILE:
        return False
    return counting.number(connection, select(model.id), WORTHWHILE) > WORTHWHILE


def _wishes(engine: Engine, entity: str) -> list[_Wish]:
    """The indexes that there should be; the rows of all others say so from now on, or go."""
    row, at = AttributeIndex, now()
    with engine.connect() as connection:
        rows = connection.execute(select(row.__table__).where(row.entity == entity)).all()
        shapes = {known.key: known.shape for known in attributes.offered(connection, entity)}
        there = _there(connection, entity)
    useful = [each for each in rows if each.key in shapes and each.asked_at > at - KEPT]
    useful.sort(key=lambda each: each.asked_at, reverse=True)
    useful.sort(key=lambda each: each.state != READY or each.asked_at <= at - SETTLED)
    waiting = [each.id for each in useful[MOST:] if each.state != WANTED]
    gone = [each.id for each in rows if each not in useful]
    if waiting or gone:
        with begin(engine) as connection:
            over = update(row).where(row.id.in_(waiting))
            connection.execute(over.values(state=WANTED, shape=None, changed_at=at))
            connection.execute(delete(row).where(row.id.in_(gone)))
    return [
        _Wish(each.id, entity, each.key, shapes[each.key], each.state, in_place)
        for each in useful[:MOST]
        for in_place in [there.get(_prefix(entity) + str(each.id), False) and each.shape == shapes[each.key]]
        if in_place or each.state != FAILED or each.changed_at < at - AGAIN
    ]


def _there(connection: Connection, entity: str) -> dict[str, bool]:
    """The indexes of custom attributes that the database has, and whether each is finished."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, 1 FROM sqlite_master WHERE type = 'index' AND tbl_name = :table"
    else:
        query = (
            "SELECT relname, indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid "
            "WHERE indrelid = CAST(:table AS regclass)"
        )
    rows = connection.execute(text(query), {"table": f"{entity}s"})
    return {name: bool(valid) for name, valid in rows if name.startswith(_prefix(entity))}


def _drop_others(engine: Engine, entity: str, kept: set[str]) -> None:
    with engine.connect() as connection:
        there = _there(connection, entity)
    for name in sorted(there.keys() - kept):
        with _changing(engine) as connection:
            concurrently = "" if engine.dialect.name == "sqlite" else "CONCURRENTLY"
            connection.exec_driver_sql(f"DROP INDEX {concurrently} IF EXISTS {name}")


def _make(engine: Engine, wish: _Wish) -> bool:
    _enter(engine, wish, BUILDING)
    try:
        with _changing(engine) as connection:
            connection.exec_driver_sql(_statement(engine, wish))
            if engine.dialect.name == "postgresql":  # only now it can tell what the expression's values are
                connection.exec_driver_sql(f"ANALYZE {wish.entity}s")
    except DBAPIError as error:
        log.warning("attribute_index.failed", id=wish.id, error=type(error.orig).__name__)
        _enter(engine, wish, FAILED)
        return False
    _enter(engine, wish, READY)
    log.info("attribute_index.made", id=wish.id)
    return True


def _statement(engine: Engine, wish: _Wish) -> str:
    key = custom_key(attributes.MODELS[wish.entity], wish.key, wish.shape, engine.dialect.name)
    options = {"literal_binds": True, "include_table": False}
    expression = key.compile(dialect=engine.dialect, compile_kwargs=options)
    concurrently = "" if engine.dialect.name == "sqlite" else "CONCURRENTLY"
    return f"CREATE INDEX {concurrently} {wish.name} ON {wish.entity}s (({expression}), id)"


def _enter(engine: Engine, wish: _Wish, state: str) -> None:
    shape = wish.shape if state == READY else None
    with begin(engine) as connection:
        mine = update(AttributeIndex).where(AttributeIndex.id == wish.id)
        connection.execute(mine.values(state=state, shape=shape, changed_at=now()))


@contextmanager
def _changing(engine: Engine) -> Iterator[Connection]:
    """For one change of the schema: PostgreSQL makes and drops indexes beside others' work only outside of a
    transaction, and SQLite must have its write lock from the beginning.
    """
    if engine.dialect.name == "sqlite":
        with begin(engine) as connection:
            yield connection
    else:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            yield connection


@contextmanager
def _alone(engine: Engine) -> Iterator[bool]:
    """Whether no other process is at this work; SQLite lets only one write anyhow."""
    if engine.dialect.name == "sqlite":
        yield True
        return
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        got = bool(connection.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LOCK}))
        try:
            yield got
        finally:
            if got:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LOCK})
