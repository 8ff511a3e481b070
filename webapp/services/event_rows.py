"""Writing the events of many calls into the inbox, in few statements."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import chain, groupby
from operator import itemgetter

from sqlalchemy import Connection

from webapp.models import Event
from webapp.services.arrays import pack

Row = tuple[int, bytes, int, bytes]
FEW, LARGEST = 32, 128  # rows in one statement of SQLite


def insert_events(connection: Connection, rows: list[Row]) -> Counter[int]:
    """Insert events that wait to be drained; one that is there already stays as it is.

    Args:
        rows: source id, digest, instant of receipt and body of each, in the order of receipt.

    Returns:
        How many of each source were new.
    """
    if connection.dialect.name == "postgresql":
        return _insert_arrays(connection, rows)
    stored: Counter[int] = Counter()
    # Sorting is stable, so ids follow the order of the body.
    for source_id, group in groupby(sorted(rows, key=itemgetter(0)), key=itemgetter(0)):
        waiting = list(group)
        while waiting:
            count = _next_of(len(waiting))
            some, waiting = waiting[:count], waiting[count:]
            values = tuple(chain.from_iterable(some))
            stored[source_id] += connection.exec_driver_sql(_inserting(count), values).rowcount
    return stored


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


# Two writers that insert the same digests in different order would lock each other out, so rows go in by
# digest; their ids are drawn before that, so that these still follow the order of receipt.
_INSERT_ARRAYS = """
WITH told AS MATERIALIZED (
    SELECT nextval(pg_get_serial_sequence('events', 'id')) AS id, one.* FROM unnest(%s, %s, %s, %s)
    WITH ORDINALITY AS one (source_id, digest, received_at, body, place)
)
INSERT INTO events (id, source_id, digest, received_at, body, state)
SELECT id, source_id, digest, received_at, body, 0 FROM told ORDER BY source_id, digest, place
ON CONFLICT (source_id, digest) DO NOTHING RETURNING source_id
"""
_TYPES = tuple(Event.__table__.c[name].type for name in ("source_id", "digest", "received_at", "body"))


def _insert_arrays(connection: Connection, rows: list[Row]) -> Counter[int]:
    columns = zip(*rows, strict=True)
    arrays = tuple(pack(type_, column) for type_, column in zip(_TYPES, columns, strict=True))
    return Counter(connection.exec_driver_sql(_INSERT_ARRAYS, arrays).scalars())
