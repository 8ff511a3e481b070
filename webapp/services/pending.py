"""What waits in a source's inbox to be projected.

The statements are put together once: that takes longer than to run them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, bindparam, exists, func, literal_column, select

from webapp.models import Event
from webapp.models.event import PENDING
from webapp.services.pacing import MOST_BYTES, MOST_VALUES, within

# A literal lets both databases see at once that the small index of what waits will do.
_WAITS = (Event.source_id == bindparam("source"), Event.state == literal_column(str(PENDING)))
_LATER = (*_WAITS, Event.id > bindparam("after"))
_SIZES = select(Event.id, func.length(Event.body)).where(*_LATER).order_by(Event.id).limit(bindparam("size"))
_EVENTS = (
    select(Event.id, Event.received_at, Event.body, Event.digest)
    .where(*_LATER, Event.id <= bindparam("last"))
    .order_by(Event.id)
)
_IDS = select(Event.id).where(*_WAITS).order_by(Event.id).limit(bindparam("size"))
_MORE = select(exists().where(*_WAITS))


def fitting(
    connection: Connection, sizes: Any, events: Any, where: Mapping[str, int], size: int
) -> list[Row[Any]]:
    """The next of some events, by id, but no more than fit into memory; one always does.

    Args:
        sizes: statement for ids and lengths of bodies, `size` at most.
        events: statement for the same events up to the id `last`, with `id` and `body`.
        where: the parameters of both.
        size: how many at most.
    """
    # All at once: one row after the other takes several times as long.
    last = within(connection.execute(sizes, {**where, "size": size}).tuples().all(), MOST_BYTES)
    rows: list[Any] = [*connection.execute(events, {**where, "last": last}).all()]
    last = within(((row.id, row.body.count(b",")) for row in rows), MOST_VALUES)
    return [row for row in rows if row.id <= last]


def first(connection: Connection, source_id: int, size: int, after: int = 0) -> list[Row[Any]]:
    """The events that wait first, but no more than fit into memory; one always does.

    Args:
        size: how many at most.
        after: an event's id; only later ones.

    Returns:
        Rows of `id, received_at, body, digest`, by id.
    """
    return fitting(connection, _SIZES, _EVENTS, {"source": source_id, "after": after}, size)


def one(connection: Connection, source_id: int, event_id: int) -> list[Row[Any]]:
    """A single event as `first` gives it; none when it waits no more."""
    only: list[Any] = [
        *connection.execute(_EVENTS, {"source": source_id, "after": event_id - 1, "last": event_id})
    ]
    return only


def are_first(connection: Connection, source_id: int, events: Sequence[Any]) -> bool:
    """Whether just these events wait first."""
    ids = connection.scalars(_IDS, {"source": source_id, "size": len(events)})
    return [*ids] == [event.id for event in events]


def is_more(engine: Engine, source_id: int) -> bool:
    """Whether events of a source wait. Asked without the lock of a batch, which others may be waiting for."""
    with engine.connect() as connection:
        return bool(connection.scalar(_MORE, {"source": source_id}))
