"""Events that were received before: known by their digest when they are drained, counted, and kept once.

The webhook stores whatever comes, and neither works digests out nor looks for them: that takes as long as
storing an event does, and a drain does it for many at once. Nobody else gives digests to what waits, since a
drain holds its source's lock; what an archive brings has its own already.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, text

from webapp.models import Event
from webapp.services.arrays import pack
from webapp.services.event_rows import DRAIN, hour_of, tell
from webapp.services.rows import delete_in, select_in

# Not "is not null": SQLite takes that for a range, and goes through all digests.
_KNOWN = select(Event.digest).where(Event.source_id == bindparam("source"))
# PostgreSQL goes through all of a source's as well, unless each is looked for by itself.
_KNOWN_ARRAY = text("""
SELECT known.digest FROM unnest(CAST(:wanted AS BYTEA[])) AS told (digest) CROSS JOIN LATERAL (
    SELECT digest FROM events WHERE source_id = :source AND events.digest = told.digest LIMIT 1
) AS known
""")


def leave_out(
    connection: Connection, source_id: int, events: Sequence[Row[Any]], digests: Mapping[int, bytes | None]
) -> set[int]:
    """Leave out those of some events that are the very same as one before, and count them as duplicates.

    Args:
        events: rows of `id, received_at, body, digest` that wait, by id.
        digests: of all of them, by id; of an event without one nobody can tell, so it is kept.

    Returns:
        The ids of those that are gone.
    """
    fresh = [
        (digest, event)
        for event in events
        if event.digest is None and (digest := digests[event.id]) is not None
    ]
    told = {digest for digest, _ in fresh}
    known = _known(connection, source_id, told)
    if not known and len(told) == len(fresh):
        return set()
    repeated = []
    for digest, event in fresh:
        if digest in known:
            repeated.append(event)
        known.add(digest)
    gone = {event.id for event in repeated}
    delete_in(connection, Event, Event.id, gone)
    found = Counter(hour_of(source_id, event.received_at) for event in repeated)
    tell(connection, ((*place, DRAIN, 0, number) for place, number in sorted(found.items())))
    return gone


def _known(connection: Connection, source_id: int, digests: set[bytes]) -> set[bytes]:
    """Those of some digests that events of a source have."""
    if connection.dialect.name == "sqlite":
        return {row[0] for row in select_in(connection, _KNOWN, Event.digest, digests, source=source_id)}
    wanted = pack(Event.__table__.c.digest.type, sorted(digests))
    return set(connection.scalars(_KNOWN_ARRAY, {"wanted": wanted, "source": source_id}))
