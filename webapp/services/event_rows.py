"""Writing the events of many calls into the inbox and counting them, in few statements.

Whether an event was received before is found out when it is drained (`services/repeats.py`). The statements
go straight to the driver: see `database.run`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain
from operator import itemgetter

from sqlalchemy import Connection

from webapp.database import run
from webapp.models import Event
from webapp.models.source import MICROS_PER_HOUR
from webapp.services.arrays import pack
from webapp.services.rows import parts_of

Row = tuple[int, int, bytes]
FEW, LARGEST = 32, 128  # rows in one statement of SQLite
MOST = 50_000
"""Rows in one statement of PostgreSQL, which is ended after some seconds (`ingest.impatient`)."""
WRITERS = 16
"""Numbers, from 0, under which processes that receive keep their tallies."""
DRAIN = WRITERS
"""The number under which drains keep theirs."""
_WHEN = itemgetter(0, 1)


def insert_events(connection: Connection, rows: list[Row], writer: int) -> None:
    """Insert events that wait to be drained, and count them in the hour in which they came.

    Args:
        rows: source id, instant of receipt and body of each, in the order of receipt.
        writer: the number under which this process keeps its tallies.
    """
    if connection.dialect.name == "postgresql":
        for begin in range(0, len(rows), MOST):
            columns = zip(*rows[begin : begin + MOST], strict=True)
            arrays = (pack(type_, column) for type_, column in zip(_TYPES, columns, strict=True))
            run(connection, _INSERT_ARRAYS, (*arrays, writer))
        return
    # The driver lets go of Python's lock at every statement, and then queues for it behind the threads that
    # answer calls; so few statements take many rows.
    for some in parts_of(rows, FEW, LARGEST):
        run(connection, _inserting(len(some)), tuple(chain.from_iterable(some)))
    came: Counter[tuple[int, int]] = Counter()
    for when, number in Counter(map(_WHEN, rows)).items():  # few, since a call's events came at one instant
        came[hour_of(*when)] += number
    tell(connection, ((*place, writer, number, 0) for place, number in sorted(came.items())))


def hour_of(source_id: int, received_at: int) -> tuple[int, int]:
    """Where an event is counted: its source, and the first microsecond of the hour in which it came."""
    return source_id, received_at // MICROS_PER_HOUR * MICROS_PER_HOUR


def tell(connection: Connection, tallies: Iterable[Sequence[int]]) -> None:
    """Add to tallies.

    Args:
        tallies: source id, hour, writer, and how many events were received, and found to be duplicates; in
            the order of these.
    """
    statement = _tally("%s" if connection.dialect.name == "postgresql" else "?")
    for tally in tallies:
        run(connection, statement, tuple(tally))


@lru_cache
def _inserting(count: int) -> str:
    """SQLite's statement for so many events."""
    rows = ", ".join(["(?, ?, ?, 0)"] * count)
    return f"INSERT INTO events (source_id, received_at, body, state) VALUES {rows}"  # noqa: S608


_INTO_TALLIES = "INSERT INTO tallies (source_id, hour, writer, received, duplicates)"
_ADD_UP = """
ON CONFLICT (source_id, hour, writer) DO UPDATE SET
    received = tallies.received + excluded.received, duplicates = tallies.duplicates + excluded.duplicates
"""


@lru_cache
def _tally(mark: str) -> str:
    return f"{_INTO_TALLIES} VALUES ({', '.join([mark] * 5)}) {_ADD_UP}"


def counting(came: str, writer: str) -> str:
    """SQL of PostgreSQL that counts events that came in their hours.

    Args:
        came: what to count, with `source_id` and `received_at`, and any condition.
        writer: mark of the number under which it is kept.
    """
    return f"""{_INTO_TALLIES}
    SELECT source_id, received_at / {MICROS_PER_HOUR} * {MICROS_PER_HOUR} AS hour, {writer}, count(*), 0
    FROM {came} GROUP BY source_id, hour ORDER BY source_id, hour {_ADD_UP}"""  # noqa: S608


# Ids are given in the order of the arrays.
_INSERT_ARRAYS = f"""
WITH came AS MATERIALIZED (
    SELECT * FROM unnest(%s, %s, %s) AS one (source_id, received_at, body)
), stored AS (
    INSERT INTO events (source_id, received_at, body, state) SELECT source_id, received_at, body, 0 FROM came
)
{counting("came", "%s")}
"""  # noqa: S608
_TYPES = tuple(Event.__table__.c[name].type for name in ("source_id", "received_at", "body"))
