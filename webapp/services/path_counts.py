"""Counting the paths that a source's calls tell, in the transaction that folds the calls."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from webapp.domain.paths import call_of
from webapp.models import PathSighting
from webapp.models.mapping import OTHERS
from webapp.services.rows import select_in, upsert

# Paths and names of track calls that are counted one by one for a source; what is past it is counted as one.
MOST = 3000

# (path, call, name), as the row has them.
Key = tuple[str, str, str]


class Tally:
    """What some events told, counted in memory."""

    __slots__ = ("received_at", "seen")

    def __init__(self) -> None:
        self.seen: dict[Key, list[int]] = {}
        """Calls, the first event's id, and the last one's."""
        self.received_at: dict[int, int] = {}
        """When each event was received."""

    def add(self, event_id: int, event: object, received_at: int) -> None:
        """Count one event, as it was decoded. Ids come in ascending order."""
        call = call_of(event)
        if call is None:
            return
        self.received_at[event_id] = received_at
        kind, seen = call.type, self.seen
        keys = [("", kind, ""), ("", kind, call.name)] if call.name else [("", kind, "")]
        keys += [(path, kind, "") for path in call.told]
        for key in keys:
            counted = seen.get(key)
            if counted is None:
                seen[key] = [1, event_id, event_id]
            else:
                counted[0] += 1
                counted[2] = event_id


def note(connection: Connection, source_id: int, generation: int, tally: Tally) -> None:
    """Add what was counted to what is stored; the caller holds the source's lock."""
    if not tally.seen:
        return
    known = _known(connection, source_id, generation, tally)
    new = [key for key in tally.seen if key not in known]
    over = set(new[_room(connection, source_id, generation) :]) if new else set()
    if over:
        _put_together(tally, over)
        known = _known(connection, source_id, generation, tally)
    rows = [_row(source_id, generation, key, tally, known.get(key)) for key in tally.seen]
    upsert(connection, PathSighting, rows, ("source_id", "generation", "path", "call", "name"))


def _known(connection: Connection, source_id: int, generation: int, tally: Tally) -> dict[Key, Any]:
    query = select(PathSighting.__table__).where(
        PathSighting.source_id == source_id, PathSighting.generation == generation
    )
    rows = select_in(connection, query, PathSighting.path, {path for path, _, _ in tally.seen})
    return {(row.path, row.call, row.name): row for row in rows}


def _room(connection: Connection, source_id: int, generation: int) -> int:
    stored = connection.scalar(
        select(func.count())
        .select_from(PathSighting)
        .where(PathSighting.source_id == source_id, PathSighting.generation == generation)
    )
    return max(0, MOST - (stored or 0))


def _put_together(tally: Tally, over: set[Key]) -> None:
    """Count those past the limit as one per type of call. The calls themselves are always counted."""
    for path, call, name in sorted(over):
        if not path and not name:
            continue
        counted = tally.seen.pop((path, call, name))
        others = tally.seen.setdefault((OTHERS, call, ""), [0, *counted[1:]])
        others[0] += counted[0]
        others[1], others[2] = min(others[1], counted[1]), max(others[2], counted[2])


def _row(source_id: int, generation: int, key: Key, tally: Tally, known: Any) -> dict[str, Any]:
    count, first, last = tally.seen[key]
    at = tally.received_at[last]
    if known is not None:
        count, first = count + known.count, min(first, known.first_event_id)
        last, at = max((last, at), (known.last_event_id, known.last_at))
    return {
        "source_id": source_id,
        "generation": generation,
        "path": key[0],
        "call": key[1],
        "name": key[2],
        "count": count,
        "first_event_id": first,
        "last_event_id": last,
        "last_at": at,
    }
