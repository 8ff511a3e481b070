"""Which custom attributes a source told, of which types, how often: what the registry of keys is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select

from webapp.domain.attributes import Value, type_of
from webapp.domain.segment import Reading
from webapp.models import AttributeSighting
from webapp.services.rows import select_in, upsert

TYPE_BITS = {"String": 1, "Integer": 2, "Decimal": 4, "Timestamp": 8, "Boolean": 16}
# Of values whose class tells their type; a text may be a timestamp.
_BITS: dict[type, int] = {
    bool: TYPE_BITS["Boolean"],
    int: TYPE_BITS["Integer"],
    Decimal: TYPE_BITS["Decimal"],
}

# Of the keys past the limit so many are kept by name for the report; the events' warnings name all.
REPORTED_OVER_LIMIT = 100


@dataclass(slots=True)
class _Sighting:
    types: int
    count: int
    first_at: int
    first_event_id: int
    last_at: int

    def add(self, value: Value, event_id: int, time: int) -> None:
        bit = _BITS.get(value.__class__)
        self.types |= bit if bit is not None else TYPE_BITS[type_of(value)]
        self.count += 1
        if time > self.last_at:
            self.last_at = time
        if time <= self.first_at and (time, event_id) < (self.first_at, self.first_event_id):
            self.first_at, self.first_event_id = time, event_id


def note(
    connection: Connection,
    source_id: int,
    generation: int,
    readings: Iterable[tuple[int, Reading]],
    limit: int,
) -> None:
    """Record the custom attributes of a batch; take from the readings those that are over the limit.

    Args:
        readings: pairs of event id and reading. A key over the limit is removed from its reading, which
            gets a warning instead.
        limit: how many keys, of customers and contacts together, one source may have.
    """
    readings = list(readings)
    seen = _seen(readings)
    if not seen:
        return
    known = _known(connection, source_id, generation, seen.keys())
    refused = _refused(connection, source_id, generation, [k for k in seen if k not in known], limit)
    refused |= {key for key, row in known.items() if row.over_limit}
    if refused:
        _take_out(readings, refused)
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


def take_out_unkept(
    connection: Connection, source_id: int, generation: int, readings: list[tuple[int, Reading]]
) -> None:
    """Take from readings, with a warning, the custom attributes that were over the limit when folded."""
    wanted = {(entity, key) for _, reading in readings for entity, told in _told(reading) for key in told}
    known = _known(connection, source_id, generation, wanted)
    refused = {key for key in wanted if key not in known or known[key].over_limit}
    if refused:
        _take_out(readings, refused)


def _seen(readings: list[tuple[int, Reading]]) -> dict[tuple[str, str], _Sighting]:
    of_entity: dict[str, dict[str, _Sighting]] = {"contact": {}, "customer": {}}
    order: list[tuple[str, str]] = []
    for event_id, reading in readings:
        for entity, told in _told(reading):
            seen = of_entity[entity]
            for key, value in told.items():
                sighting = seen.get(key)
                if sighting is None:
                    sighting = seen[key] = _Sighting(0, 0, reading.time, event_id, reading.time)
                    order.append((entity, key))
                sighting.add(value, event_id, reading.time)
    return {(entity, key): of_entity[entity][key] for entity, key in order}


def _told(reading: Reading) -> tuple[tuple[str, dict[str, Value]], tuple[str, dict[str, Value]]]:
    return ("contact", reading.contact_custom), ("customer", reading.company_custom)


def _known(
    connection: Connection, source_id: int, generation: int, keys: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], Any]:
    wanted = set(keys)
    query = select(AttributeSighting.__table__).where(
        AttributeSighting.source_id == source_id, AttributeSighting.generation == generation
    )
    rows = select_in(connection, query, AttributeSighting.key, {key for _, key in wanted})
    return {(row.entity, row.key): row for row in rows if (row.entity, row.key) in wanted}


def _refused(
    connection: Connection, source_id: int, generation: int, new: list[tuple[str, str]], limit: int
) -> set[tuple[str, str]]:
    if not new:
        return set()
    kept = connection.scalar(
        select(func.count()).where(
            AttributeSighting.source_id == source_id,
            AttributeSighting.generation == generation,
            AttributeSighting.over_limit.is_(False),
        )
    )
    return set(new[max(0, limit - (kept or 0)) :])


def _take_out(readings: list[tuple[int, Reading]], refused: set[tuple[str, str]]) -> None:
    for _, reading in readings:
        for entity, told in _told(reading):
            for key in [key for key in told if (entity, key) in refused]:
                del told[key]
                reading.warnings.append(("over_limit", key))


def _join(sighting: _Sighting, row: Any) -> None:
    sighting.types |= row.types
    sighting.count += row.count
    sighting.last_at = max(sighting.last_at, row.last_at)
    if (row.first_at, row.first_event_id) < (sighting.first_at, sighting.first_event_id):
        sighting.first_at, sighting.first_event_id = row.first_at, row.first_event_id


def _row(
    source_id: int, generation: int, key: tuple[str, str], sighting: _Sighting, over_limit: bool
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
