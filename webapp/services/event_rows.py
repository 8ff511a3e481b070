"""Writing the events of many calls into the inbox and counting them, in few statements.

They go straight to the driver: see `database.run`.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter

from sqlalchemy import Connection

from webapp.database import run
from webapp.models import Event
from webapp.models.source import MICROS_PER_HOUR
from webapp.services.arrays import pack

Row = tuple[int, bytes, int, bytes]
FEW, LARGEST = 32, 128  # rows in one statement of SQLite
_SOURCE, _RECEIVED_AT = itemgetter(0), itemgetter(2)


def insert_events(connection: Connection, rows: list[Row], writer: int) -> Counter[int]:
    """Insert events that wait to be drained; one that is there already stays as it is, and is counted.

    New ones and duplicates are counted in the hour of each source's latest call.

    Args:
        rows: source id, digest, instant of receipt and body of each, in the order of receipt.
        writer: the number under which this process keeps its tallies.

    Returns:
        How many of each source were new.
    """
    if connection.dialect.name == "postgresql":
        return _insert_arrays(connection, rows, writer)
    stored: Counter[int] = Counter()
    tallies: list[tuple[int, int, int, int, int]] = []
    # Sorting is stable, so ids follow the order of the body.
    for source_id, group in groupby(sorted(rows, key=_SOURCE), key=_SOURCE):
        some = list(group)
        new = stored[source_id] = _insert(connection, some)
        hour = max(map(_RECEIVED_AT, some)) // MICROS_PER_HOUR * MICROS_PER_HOUR
        tallies.append((source_id, hour, writer, new, len(some) - new))
    for tally in tallies:
        run(connection, _TALLY, tally)
    return stored


def _insert(connection: Connection, rows: list[Row]) -> int:
    """How many were new."""
    new = 0
    while rows:
        count = _next_of(len(rows))
        values = tuple(chain.from_iterable(rows[:count]))
        new += run(connection, _inserting(count), values).rowcount
        rows = rows[count:]
    return new


def _next_of(waiting: int) -> int:
    """How many of the rows that wait go into the next statement of SQLite.

    The driver lets go of Python's lock at every statement, and then queues for it behind the threads that
    answer calls; so few statements take many rows. Few sizes there are, so that it knows them again.
    """
    return waiting if waiting <= FEW else min(LARGEST, 1 << (waiting.bit_length() - 1))


@lru_cache
def _inserting(count: int) -> str:
    """SQLite's statement for so many events."""
    rows = ", ".join(["(?, ?, ?, ?, 0)"] * count)
    return (
        f"INSERT INTO events (source_id, digest, received_at, body, state) VALUES {rows} "  # noqa: S608
        "ON CONFLICT (source_id, digest) DO NOTHING"
    )


_ADD_UP = """
ON CONFLICT (source_id, hour, writer) DO UPDATE SET
    received = tallies.received + excluded.received, duplicates = tallies.duplicates + excluded.duplicates
"""
_TALLY = (
    f"INSERT INTO tallies (source_id, hour, writer, received, duplicates) VALUES (?, ?, ?, ?, ?) {_ADD_UP}"  # noqa: S608
)

# Two writers that insert the same digests in different order would lock each other out, so rows go in by
# digest; their ids are drawn before that, so that these still follow the order of receipt. What is counted
# is known when all of them are in, so tallies come after events here, too. The sequence is looked for in a
# query of its own, or it would be for each row.
_INSERT_ARRAYS = f"""
WITH told AS MATERIALIZED (
    SELECT nextval((SELECT pg_get_serial_sequence('events', 'id')::regclass)) AS id, one.*
    FROM unnest(%s, %s, %s, %s) WITH ORDINALITY AS one (source_id, digest, received_at, body, place)
), new AS (
    INSERT INTO events (id, source_id, digest, received_at, body, state)
    SELECT id, source_id, digest, received_at, body, 0 FROM told ORDER BY source_id, digest, place
    ON CONFLICT (source_id, digest) DO NOTHING RETURNING source_id
), counted AS MATERIALIZED (
    SELECT source_id, max(received_at) AS latest, count(*) AS came,
        (SELECT count(*) FROM new WHERE new.source_id = told.source_id) AS stored
    FROM told GROUP BY source_id
), tallied AS (
    INSERT INTO tallies (source_id, hour, writer, received, duplicates)
    SELECT source_id, latest / {MICROS_PER_HOUR} * {MICROS_PER_HOUR}, %s, stored, came - stored
    FROM counted ORDER BY source_id {_ADD_UP}
)
SELECT source_id, stored FROM counted
"""  # noqa: S608
_TYPES = tuple(Event.__table__.c[name].type for name in ("source_id", "digest", "received_at", "body"))


def _insert_arrays(connection: Connection, rows: list[Row], writer: int) -> Counter[int]:
    columns = zip(*rows, strict=True)
    arrays = (pack(type_, column) for type_, column in zip(_TYPES, columns, strict=True))
    return Counter(dict(run(connection, _INSERT_ARRAYS, (*arrays, writer)).fetchall()))
