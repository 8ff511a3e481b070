"""Which custom attributes a source told, of which types, how often: what the registry of keys is made of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select

from webapp.domain.segment import Reading
from webapp.domain.sighting import Attribute, Sighting, take_out, told_by
from webapp.models import AttributeSighting
from webapp.services.rows import select_in, upsert

# Of the keys past the limit so many are kept by name for the report; the events' warnings name all.
REPORTED_OVER_LIMIT = 100

_HERE = (
    AttributeSighting.source_id == bindparam("source"),
    AttributeSighting.generation == bindparam("generation"),
)
_KNOWN: Select[Any] = select(AttributeSighting.__table__).where(*_HERE)
_KEPT = select(func.count()).where(*_HERE, AttributeSighting.over_limit.is_(False))


def note(
    connection: Connection,
    source_id: int,
    generation: int,
    seen: dict[Attribute, Sighting],
    limit: int,
) -> set[Attribute]:
    """Record the custom attributes of a batch (`seen_in`).

    Args:
        limit: how many keys, of customers and contacts together, one source may have.

    Returns:
        Those that are over the limit, which the batch must be told without.
    """
    if not seen:
        return set()
    known = _known(connection, source_id, generation, seen.keys())
    refused = _refused(connection, source_id, generation, [k for k in seen if k not in known], limit)
    refused |= {key for key, row in known.items() if row.over_limit}
    room = REPORTED_OVER_LIMIT - sum(row.over_limit for row in known.values())
    rows: list[dict[str, Any]] = []
    for key, sighting in seen.items():
        if key in refused and key not in known:
            room -= 1
            if room < 0:
                continue
        if key in known:
            _join(sighting, known[key])
        rows.append(_row(source_id, generation, key, sighting, key in refused))
    upsert(connection, AttributeSighting, rows, ("source_id", "generation", "entity", "key"))
    return refused


def take_out_unkept(
    connection: Connection, source_id: int, generation: int, readings: list[tuple[int, Reading]]
) -> None:
    """Take from readings, with a warning, the custom attributes that were over the limit when folded."""
    wanted = {(entity, key) for _, reading in readings for entity, told in told_by(reading) for key in told}
    known = _known(connection, source_id, generation, wanted)
    refused = {key for key in wanted if key not in known or known[key].over_limit}
    if refused:
        take_out(readings, refused)


def _known(
    connection: Connection, source_id: int, generation: int, keys: Iterable[Attribute]
) -> dict[Attribute, Any]:
    wanted = set(keys)
    names, given = {key for _, key in wanted}, {"source": source_id, "generation": generation}
    rows = select_in(connection, _KNOWN, AttributeSighting.key, names, **given)
    return {(row.entity, row.key): row for row in rows if (row.entity, row.key) in wanted}


def _refused(
    connection: Connection, source_id: int, generation: int, new: list[Attribute], limit: int
) -> set[Attribute]:
    if not new:
        return set()
    kept = connection.scalar(_KEPT, {"source": source_id, "generation": generation})
    return set(new[max(0, limit - (kept or 0)) :])


def _join(sighting: Sighting, row: Any) -> None:
    sighting.types |= row.types
    sighting.count += row.count
    sighting.last_at = max(sighting.last_at, row.last_at)
    if (row.first_at, row.first_event_id) < (sighting.first_at, sighting.first_event_id):
        sighting.first_at, sighting.first_event_id = row.first_at, row.first_event_id


def _row(
    source_id: int, generation: int, key: Attribute, sighting: Sighting, over_limit: bool
) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "generation": generation,
        "entity": key[0],
        "key": key[1],
        "types": sighting.types,
        "over_limit": over_limit,
        "count": sighting.count,
        "first_at": sighting.first_at,
        "first_event_id": sighting.first_event_id,
        "last_at": sighting.last_at,
    }
