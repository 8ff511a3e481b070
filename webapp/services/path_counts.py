"""Counting the paths that a source's calls tell, in the transaction that folds the calls."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from webapp.domain.paths import call_of, shape_of
from webapp.models import PathSighting
from webapp.models.mapping import OTHERS
from webapp.services.rows import select_in, upsert

# Paths and names of track calls that are counted one by one for a source; what is past it is counted as one.
MOST = 3000

# (path, call, name), as the row has them.
Key = tuple[str, str, str]


class Counted(NamedTuple):
    """How often, and by which events."""

    calls: int
    first_id: int
    last_id: int
    last_at: int
    """When the last of them was received, in microseconds."""

    def plus(self, other: Counted) -> Counted:
        """Both together."""
        last_id, last_at = max((self.last_id, self.last_at), (other.last_id, other.last_at))
        return Counted(self.calls + other.calls, min(self.first_id, other.first_id), last_id, last_at)


class Tally:
    """What some events told, counted in memory: shape by shape, since few shapes make many events."""

    __slots__ = ("shapes",)

    def __init__(self) -> None:
        self.shapes: dict[Hashable, list[Any]] = {}
        """Events, the first one's id, the last one's, when that was received, and one of them."""

    def add(self, event_id: int, event: object, received_at: int) -> None:
        """Count one event, as it was decoded. Ids come in ascending order."""
        shape = shape_of(event)
        if shape is None:
            return
        known = self.shapes.get(shape)
        if known is None:
            self.shapes[shape] = [1, event_id, event_id, received_at, event]
        else:
            known[0] += 1
            known[2], known[3] = event_id, received_at

    def seen(self) -> dict[Key, Counted]:
        """What the events told, path by path, and the calls themselves."""
        seen: dict[Key, Counted] = {}
        for count, first, last, at, event in self.shapes.values():
            call = call_of(event)
            if call is None:
                continue
            counted = Counted(count, first, last, at)
            keys = [(path, call.type, "") for path in call.told]
            keys += {("", call.type, ""), ("", call.type, call.name)}
            for key in keys:
                seen[key] = seen[key].plus(counted) if key in seen else counted
        return seen


def note(connection: Connection, source_id: int, generation: int, tally: Tally) -> None:
    """Add what was counted to what is stored; the caller holds the source's lock."""
    seen = tally.seen()
    if not seen:
        return
    known = _known(connection, source_id, generation, seen)
    new = [key for key in seen if key not in known]
    over = set(new[_room(connection, source_id, generation) :]) if new else set()
    if over:
        _put_together(seen, over)
        known = _known(connection, source_id, generation, seen)
    rows = [
        _row(source_id, generation, key, counted.plus(known[key]) if key in known else counted)
        for key, counted in seen.items()
    ]
    upsert(connection, PathSighting, rows, ("source_id", "generation", "path", "call", "name"))


def _known(
    connection: Connection, source_id: int, generation: int, seen: dict[Key, Counted]
) -> dict[Key, Counted]:
    row = PathSighting
    numbers = (row.count, row.first_event_id, row.last_event_id, row.last_at)
    query = select(row.path, row.call, row.name, *numbers)
    query = query.where(row.source_id == source_id, row.generation == generation)
    found = select_in(connection, query, row.path, {path for path, _, _ in seen})
    return {(path, call, name): Counted(*numbers) for path, call, name, *numbers in map(tuple, found)}


def _row(source_id: int, generation: int, key: Key, counted: Counted) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "generation": generation,
        "path": key[0],
        "call": key[1],
        "name": key[2],
        "count": counted.calls,
        "first_event_id": counted.first_id,
        "last_event_id": counted.last_id,
        "last_at": counted.last_at,
    }


def _room(connection: Connection, source_id: int, generation: int) -> int:
    stored = connection.scalar(
        select(func.count())
        .select_from(PathSighting)
        .where(PathSighting.source_id == source_id, PathSighting.generation == generation)
    )
    return max(0, MOST - (stored or 0))


def _put_together(seen: dict[Key, Counted], over: set[Key]) -> None:
    """Count those past the limit as one per type of call. The calls themselves are always counted."""
    for path, call, name in sorted(over):
        if not path and not name:
            continue
        counted, others = seen.pop((path, call, name)), (OTHERS, call, "")
        seen[others] = seen[others].plus(counted) if others in seen else counted
