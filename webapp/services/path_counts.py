"""Counting the paths that a source's calls tell, in the transaction that folds the calls."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from webapp.domain.tally import Counted, Key
from webapp.models import PathSighting
from webapp.models.mapping import OTHERS
from webapp.services.rows import select_in, upsert

# Paths and names of track calls that are counted one by one for a source; what is past it is counted as one.
MOST = 3000

_HERE = (PathSighting.source_id == bindparam("source"), PathSighting.generation == bindparam("generation"))
_KNOWN = select(
    PathSighting.path,
    PathSighting.call,
    PathSighting.name,
    *(PathSighting.count, PathSighting.first_event_id, PathSighting.last_event_id, PathSighting.last_at),
).where(*_HERE)
_STORED = select(func.count()).select_from(PathSighting).where(*_HERE)


def note(connection: Connection, source_id: int, generation: int, seen: dict[Key, Counted]) -> None:
    """Add what was counted (`Tally.seen`) to what is stored; the caller holds the source's lock."""
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
    paths, given = {path for path, _, _ in seen}, {"source": source_id, "generation": generation}
    found = select_in(connection, _KNOWN, PathSighting.path, paths, **given)
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
    stored = connection.scalar(_STORED, {"source": source_id, "generation": generation})
    return max(0, MOST - (stored or 0))


def _put_together(seen: dict[Key, Counted], over: set[Key]) -> None:
    """Count those past the limit as one per type of call. The calls themselves are always counted."""
    for path, call, name in sorted(over):
        if not path and not name:
            continue
        counted, others = seen.pop((path, call, name)), (OTHERS, call, "")
        seen[others] = seen[others].plus(counted) if others in seen else counted
