"""The registry of custom attributes: which keys there are, of which type, who told them, who wants them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, false, func, select, union_all
from sqlalchemy.orm import Session

from webapp.database import writing
from webapp.domain.attributes import TYPES, shown, widen
from webapp.domain.text import clean
from webapp.models import AttributeIndex, AttributeSighting, Contact, CustomAttribute, Customer, Source, now
from webapp.models.attribute import BY_HAND, ENTITIES, READY
from webapp.services import audit, counting, visibility

MODELS: dict[str, Any] = {"customer": Customer, "contact": Contact}
EXAMPLES = 3
_BITS = {name: 1 << place for place, name in enumerate(TYPES)}
_LONGEST_EXAMPLE = 60
_UNWANTED = CustomAttribute.hidden | CustomAttribute.ignored


@dataclass(frozen=True, slots=True)
class Known:
    """A key with its type, which is the narrowest that holds everything told of it.

    Attributes:
        key: `plan`.
        type: "String", "Integer", "Decimal", "Timestamp" or "Boolean".
    """

    key: str
    type: str

    @property
    def shape(self) -> str:
        """What its values sort as: the type, but numbers are numbers, whichever they are."""
        return "Decimal" if self.type == "Integer" else self.type


@dataclass(slots=True)
class Entry:
    """One key as the registry's page shows it; instants in microseconds.

    Attributes:
        first_source: (public id, name) of the source that told it first.
        first_event: id of the event that did; 0: it was no event that told it.
        told: how many events told it.
        sources: names of all sources that told it.
    """

    key: str
    type: str
    hidden: bool
    ignored: bool
    first_at: int
    first_source: tuple[str, str]
    first_event: int
    last_at: int
    told: int
    sources: list[str]


@dataclass(slots=True)
class Usage:
    """What the records hold of one key.

    Attributes:
        number: how many records have it.
        exact: whether exactly so many; a large table is sampled.
        examples: a few of its values, as shown.
    """

    number: int = 0
    exact: bool = True
    examples: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class OverLimit:
    """A source that told more keys than it may.

    Attributes:
        source: (public id, name).
        entity: `customer` or `contact`.
        keys: those that are counted and kept nowhere else, by name.
    """

    source: tuple[str, str]
    entity: str
    keys: list[str]


def type_of(bits: int) -> str:
    """The type of a key of which values of these types were told (`AttributeSighting.types`)."""
    return widen(name for name, bit in _BITS.items() if bits & bit)


def offered(connection: Connection, entity: str, source_id: int | None = None) -> list[Known]:
    """The keys that tables offer as columns and filters: neither hidden nor ignored.

    Args:
        connection: to read with.
        entity: `customer` or `contact`.
        source_id: only keys that this source told. The type is the account's all the same.
    """
    return _known(connection, entity, source_id, _UNWANTED)


def exported(connection: Connection, entity: str, source_id: int | None = None) -> list[Known]:
    """The keys that a source's export has: hidden ones too, since they are imported."""
    return _known(connection, entity, source_id, CustomAttribute.ignored)


def types(connection: Connection, entity: str) -> dict[str, str]:
    """The type of every key of customers or of contacts."""
    return {known.key: known.type for known in _known(connection, entity, None, false())}


def indexed(connection: Connection, entity: str) -> set[tuple[str, str | None]]:
    """The keys that have an index to sort and filter by, each with the shape that its index goes by."""
    query = select(AttributeIndex.key, AttributeIndex.shape)
    rows = connection.execute(query.where(AttributeIndex.entity == entity, AttributeIndex.state == READY))
    return {(row.key, row.shape) for row in rows}


def _known(connection: Connection, entity: str, source_id: int | None, unwanted: Any) -> list[Known]:
    asked = _asking(entity, source_id is not None, unwanted)
    rows = connection.execute(asked, {} if source_id is None else {"of_source": source_id}).all()
    return sorted((Known(row[0], type_of(sum(row[1:]))) for row in rows), key=lambda known: known.key)


@cache
def _asking(entity: str, of_source: bool, unwanted: Any) -> Select[*tuple[Any, ...]]:
    """The statement of `_known`. Every page of a table asks it, and to put it together takes far longer."""
    sighting = AttributeSighting
    bits = [func.max(sighting.types.op("&")(bit)).label(name) for name, bit in _BITS.items()]
    left_out = select(CustomAttribute.key).where(CustomAttribute.entity == entity, unwanted)
    query = select(sighting.key, *bits).join(Source, Source.id == sighting.source_id)
    query = query.where(_current(entity), ~sighting.over_limit, sighting.key.not_in(left_out))
    if of_source:
        told = case((sighting.source_id == bindparam("of_source"), 1), else_=0)
        query = query.having(func.max(told) == 1)
    return query.group_by(sighting.key).order_by(sighting.key)


def _current(entity: str) -> ColumnElement[bool]:
    """Sightings of the generation shown, or by hand, of sources that may be seen; joined to `Source`."""
    return (
        (AttributeSighting.entity == entity)
        & AttributeSighting.generation.in_((Source.generation, BY_HAND))
        & (Source.state == visibility.ACTIVE)
    )


def _sightings(entity: str) -> Select[AttributeSighting, str, str]:
    query = select(AttributeSighting, Source.name, Source.uuid).join(
        Source, Source.id == AttributeSighting.source_id
    )
    return query.where(_current(entity)).order_by(AttributeSighting.key, AttributeSighting.first_at)


def registry(session: Session, entity: str) -> list[Entry]:
    """Every key of customers or of contacts that a source may keep, by name."""
    settings = {
        row.key: row
        for row in session.scalars(select(CustomAttribute).where(CustomAttribute.entity == entity))
    }
    entries: dict[str, Entry] = {}
    bits: dict[str, int] = {}
    for sighting, name, uuid in session.execute(_sightings(entity).where(~AttributeSighting.over_limit)):
        key = sighting.key
        bits[key] = bits.get(key, 0) | sighting.types
        entry = entries.get(key)
        if entry is None:
            said = settings.get(key)
            entry = entries[key] = Entry(
                key=key,
                type="",
                hidden=bool(said and said.hidden),
                ignored=bool(said and said.ignored),
                first_at=sighting.first_at,
                first_source=(f"ds_{uuid}", name),
                first_event=sighting.first_event_id,
                last_at=sighting.last_at,
                told=0,
                sources=[],
            )
        entry.last_at = max(entry.last_at, sighting.last_at)
        entry.told += sighting.count
        if name not in entry.sources:
            entry.sources.append(name)
    for key, entry in entries.items():
        entry.type = type_of(bits[key])
    return sorted(entries.values(), key=lambda entry: entry.key)


def over_limit(session: Session) -> list[OverLimit]:
    """The sources that told more keys than they may, with the keys that are kept nowhere."""
    found: dict[tuple[str, str, str], OverLimit] = {}
    for entity in ENTITIES:
        for sighting, name, uuid in session.execute(_sightings(entity).where(AttributeSighting.over_limit)):
            place = (name, uuid, entity)
            report = found.setdefault(place, OverLimit((f"ds_{uuid}", name), entity, []))
            report.keys.append(sighting.key)
    return [found[place] for place in sorted(found)]


def usage(connection: Connection, entity: str) -> dict[str, Usage]:
    """How many records have each key, and some of its values.

    A table of up to ten thousand ids is read whole; of a larger one a sample of as many ids, so that the
    numbers are about right and the page never waits for long.
    """
    model = MODELS[entity]
    type_of_key = types(connection, entity)
    runs, weight = counting.windows(connection, model)
    if not runs:
        return {}
    seen = visibility.seen(connection, model)
    query = union_all(*(select(model.custom).where(run, seen) for run in runs))
    found: dict[str, Usage] = {}
    options = {"stream_results": True, "yield_per": 500}
    for custom in connection.execute(query, execution_options=options).scalars():
        for key, value in custom.items():
            used = found.setdefault(key, Usage())
            used.number += 1
            if len(used.examples) < EXAMPLES:
                example = shown(value, type_of_key.get(key, "String"))
                if len(example) > _LONGEST_EXAMPLE:
                    example = example[: _LONGEST_EXAMPLE - 1] + "…"
                if example not in used.examples:
                    used.examples.append(example)
    if weight > 1:
        for used in found.values():
            used.number, used.exact = round(used.number * weight), False
    return found


def hide(session: Session, entity: str, key: str, hidden: bool, by: int | None = None) -> None:
    """Take a key off the offered columns, or put it back. It is imported all the while."""
    _set(session, entity, key, "hidden", hidden, "attribute.hidden" if hidden else "attribute.shown", by)


def ignore(session: Session, entity: str, key: str, ignored: bool, by: int | None = None) -> None:
    """Import a key no more, or again. Records that have it change with their source's next re-sync."""
    code = "attribute.ignored" if ignored else "attribute.heeded"
    _set(session, entity, key, "ignored", ignored, code, by)


def is_known(session: Session, entity: str, key: str) -> bool:
    """Whether any source that may be seen told this key."""
    query = _sightings(entity).where(AttributeSighting.key == clean(key))
    return session.execute(query.limit(1)).first() is not None


def _set(
    session: Session, entity: str, key: str, setting: str, value: bool, code: str, by: int | None
) -> None:
    session.rollback()  # what was read before ends first: SQLite takes its write lock at BEGIN only
    with writing():
        wanted = select(CustomAttribute).where(CustomAttribute.entity == entity, CustomAttribute.key == key)
        row = session.scalars(wanted).one_or_none()
        if row is None:
            row = CustomAttribute(entity=entity, key=key, hidden=False, ignored=False)
            session.add(row)
        if getattr(row, setting) != value:
            setattr(row, setting, value)
            if setting == "ignored":
                row.changed_at = now()
            audit.record(session, code, by, key=key, entity=entity)
        session.commit()
