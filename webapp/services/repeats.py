"""Events that were received before: known by their digest when they are drained, counted, and kept once.

The webhook stores whatever comes, and neither works digests out nor looks for them: that takes as long as
storing an event does, and a drain does it for many at once. Nobody else gives digests to what waits, since a
drain holds its source's lock; what an archive brings has its own already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select

from webapp.domain.batch import digested
from webapp.models import Event
from webapp.services.event_rows import hour_of, tell
from webapp.services.rows import delete_in, select_in, update_by_id

DRAIN = 16
"""The number under which drains keep their tallies, beside those of the processes that receive."""

Events = Sequence[Row[Any]]
_KNOWN = select(Event.digest).where(Event.source_id == bindparam("source"), Event.digest.is_not(None))


def once(
    connection: Connection, source_id: int, events: Events, digests: Mapping[int, bytes] | None = None
) -> tuple[Events, Mapping[int, bytes]]:
    """Leave out those of some events that are the very same as one before, and count them as duplicates.

    Args:
        events: rows of `id, received_at, body, digest` that wait, by id.
        digests: of all of them, by id, where they are known.

    Returns:
        The others, and the digests; of an event that has none nobody can tell, so it is one of them.
    """
    if digests is None:
        digests = digested(map(tuple, events))
    repeated = _repeated(connection, source_id, events, digests)
    if not repeated:
        return events, digests
    gone = {event.id for event in repeated}
    delete_in(connection, Event, Event.id, gone)
    found = Counter(hour_of(source_id, event.received_at) for event in repeated)
    tell(connection, ((*place, DRAIN, 0, number) for place, number in sorted(found.items())))
    return [event for event in events if event.id not in gone], digests


def _repeated(
    connection: Connection, source_id: int, events: Events, digests: Mapping[int, bytes]
) -> list[Row[Any]]:
    fresh = [event for event in events if event.digest is None and event.id in digests]
    told = {digests[event.id] for event in fresh}
    known = {row.digest for row in select_in(connection, _KNOWN, Event.digest, told, source=source_id)}
    found = []
    for event in fresh:
        digest = digests[event.id]
        if digest in known:
            found.append(event)
        known.add(digest)
    return found


def mark(
    connection: Connection, events: Events, outcomes: Sequence[dict[str, Any]], digests: Mapping[int, bytes]
) -> None:
    """Write what became of events, with the digests of those that had none.

    These in their order, as an archive's are, so that two who give the same ones never wait in a circle.

    Args:
        events: as `once` returns them.
        outcomes: columns of each, with its `id`.
        digests: by id.
    """
    had = {event.id for event in events if event.digest is not None}
    given = [row | {"digest": digests.get(row["id"])} for row in outcomes if row["id"] not in had]
    update_by_id(connection, Event, sorted(given, key=lambda row: row["digest"] or b""))
    update_by_id(connection, Event, [row for row in outcomes if row["id"] in had])
