"""Which custom attributes some events told, of which types, how often; and events told without some."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from webapp.domain.attributes import Value, type_of
from webapp.domain.segment import Reading

TYPE_BITS = {"String": 1, "Integer": 2, "Decimal": 4, "Timestamp": 8, "Boolean": 16}
# Of values whose class tells their type; a text may be a timestamp.
_BITS: dict[type, int] = {
    bool: TYPE_BITS["Boolean"],
    int: TYPE_BITS["Integer"],
    Decimal: TYPE_BITS["Decimal"],
}

# Entity (`contact` or `customer`) and key of a custom attribute.
Attribute = tuple[str, str]


@dataclass(slots=True)
class Sighting:
    """How often one attribute was told, as what (`TYPE_BITS`), when first and by which event, when last."""

    types: int
    count: int
    first_at: int
    first_event_id: int
    last_at: int

    def add(self, value: Value, event_id: int, time: int) -> None:
        """Count one value."""
        bit = _BITS.get(value.__class__)
        self.types |= bit if bit is not None else TYPE_BITS[type_of(value)]
        self.count += 1
        if time > self.last_at:
            self.last_at = time
        if time <= self.first_at and (time, event_id) < (self.first_at, self.first_event_id):
            self.first_at, self.first_event_id = time, event_id


def seen_in(readings: list[tuple[int, Reading]]) -> dict[Attribute, Sighting]:
    """The attributes of readings, in the order in which they were told first."""
    of_entity: dict[str, dict[str, Sighting]] = {"contact": {}, "customer": {}}
    order: list[Attribute] = []
    for event_id, reading in readings:
        for entity, told in told_by(reading):
            seen = of_entity[entity]
            for key, value in told.items():
                sighting = seen.get(key)
                if sighting is None:
                    sighting = seen[key] = Sighting(0, 0, reading.time, event_id, reading.time)
                    order.append((entity, key))
                sighting.add(value, event_id, reading.time)
    return {(entity, key): of_entity[entity][key] for entity, key in order}


def told_by(reading: Reading) -> tuple[tuple[str, dict[str, Value]], tuple[str, dict[str, Value]]]:
    """The custom attributes of a reading, by their entity."""
    return ("contact", reading.contact_custom), ("customer", reading.company_custom)


def take_out(readings: list[tuple[int, Reading]], refused: Collection[Attribute]) -> None:
    """Take some attributes from readings, which get a warning instead."""
    for _, reading in readings:
        for entity, told in told_by(reading):
            for key in [key for key in told if (entity, key) in refused]:
                del told[key]
                reading.warnings.append(("over_limit", key))
