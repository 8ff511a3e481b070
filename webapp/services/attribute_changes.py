"""Custom attributes that were ignored or imported again: whom it concerns, and who has still to follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, func, literal, select, true
from sqlalchemy.orm import Session

from webapp.domain.attributes import Value, shown
from webapp.domain.fold import Register, customs, later, unpack
from webapp.models import (
    AttributeSighting,
    Company,
    Contact,
    CustomAttribute,
    Customer,
    DataSourceCustomer,
    Identifier,
    Source,
)
from webapp.services import attributes, counting, visibility
from webapp.services.counting import Count
from webapp.services.rows import select_in

PAGE = 50
LOOKED_AT = 20_000
"""Records that a page of a list is made from at most, however few of them are on it."""
MODELS: dict[str, Any] = {"customer": Customer, "contact": Contact}


@dataclass(frozen=True, slots=True)
class Pending:
    """An attribute that a source's records do not follow yet.

    Attributes:
        entity: `customer` or `contact`.
        key: `plan`.
        ignored: whether it is to go; else it is to come back.
    """

    entity: str
    key: str
    ignored: bool


@dataclass(frozen=True, slots=True)
class Affected:
    """One record that loses or gains a value.

    Attributes:
        record: its row, a customer or a contact.
        value: as it is shown now, or will be.
        source: public id and name of its source.
    """

    record: Any
    value: str
    source: tuple[str, str]


def pending(connection: Connection | Session, source: Any) -> list[Pending]:
    """What was ignored or imported again since a source's records were last placed, of what it has told.

    Args:
        source: its row; with `id`, `generation`, `created_at` and `attributes_applied_at`.
    """
    since = source.attributes_applied_at or source.created_at
    told = select(AttributeSighting.id).where(
        AttributeSighting.source_id == source.id,
        AttributeSighting.generation == source.generation,
        AttributeSighting.entity == CustomAttribute.entity,
        AttributeSighting.key == CustomAttribute.key,
        ~AttributeSighting.over_limit,
    )
    query = select(CustomAttribute.entity, CustomAttribute.key, CustomAttribute.ignored)
    query = query.where(CustomAttribute.changed_at > since, told.exists())
    rows = connection.execute(query.order_by(CustomAttribute.entity.desc(), CustomAttribute.key))
    return [Pending(*row) for row in rows]


def concerned(connection: Connection | Session, entity: str, key: str, ignoring: bool) -> Count:
    """How many records lose a value when a key is ignored, or gain one when it is imported again.

    Args:
        entity: `customer` or `contact`.
        key: of the attribute.
        ignoring: whether it is to be ignored.
    """
    model, which = _concerned(connection, entity, key, ignoring)
    return counting.count(connection, model, which, select(model.id))


def affected(
    session: Session, entity: str, key: str, ignoring: bool, before: int | None = None
) -> tuple[list[Affected], int | None]:
    """Some of the records that `concerned` counts, the latest first, and the `before` of the next page.

    No more than LOOKED_AT records are looked at, so a page can have few, or none, and yet not be the last.

    Args:
        before: only those whose row is older than this id.
    """
    model, which = _concerned(session, entity, key, ignoring)
    older = model.id < before if before is not None else true()
    newest = select(model.id).where(older).order_by(model.id.desc()).limit(LOOKED_AT).subquery()
    last, looked_at = session.execute(select(func.min(newest.c.id), func.count()).select_from(newest)).one()
    if not looked_at:
        return [], None
    query = select(model).where(which, older, model.id >= last).order_by(model.id.desc())
    rows = list(session.scalars(query.limit(PAGE + 1)))
    more = last if looked_at == LOOKED_AT else None
    found = _affected(session, entity, key, ignoring, rows[:PAGE])
    return found, rows[PAGE - 1].id if len(rows) > PAGE else more


def _affected(session: Session, entity: str, key: str, ignoring: bool, rows: list[Any]) -> list[Affected]:
    """Records with the value in question.

    Args:
        rows: contacts, customers, or companies that are to gain it.
    """
    if ignoring:
        pairs = [(row, row.custom.get(key)) for row in rows]
    elif entity == "customer":
        pairs = _customers_of(session, key, rows)
    else:
        pairs = _told_of(session, key, rows)
    type_ = attributes.types(session.connection(), entity).get(key, "String")
    names = visibility.names(session)
    return [
        Affected(record, "" if value is None else shown(value, type_), names[record.source_id])
        for record, value in pairs
        if record.source_id in names
    ]


def _customers_of(session: Session, key: str, rows: list[Company]) -> list[tuple[Customer, Value | None]]:
    """The customers of companies, each with what its company told of a key."""
    stands = select(DataSourceCustomer.origin_uuid, Customer).join(
        Customer, Customer.id == DataSourceCustomer.customer_id
    )
    stands = stands.where(visibility.seen(session, Customer))
    found = session.execute(stands.where(DataSourceCustomer.origin_uuid.in_([row.uuid for row in rows])))
    customers = dict(found.tuples().all())
    told = ((customers.get(row.uuid), customs(unpack(row.told)).get(key)) for row in rows)
    return [(customer, value) for customer, value in told if customer is not None]


def _told_of(session: Session, key: str, rows: list[Contact]) -> list[tuple[Contact, Value | None]]:
    """Contacts, each with what was told last of a key by one of their identifiers."""
    query = select(Identifier.person_uuid, Identifier.told).join(Source, Source.id == Identifier.source_id)
    query = query.where(Identifier.generation == Source.generation)
    words: dict[str | None, Register | None] = {}
    uuids = [row.uuid for row in rows]
    for row in select_in(session.connection(), query, Identifier.person_uuid, uuids):
        word = unpack(row.told).custom.get(key)
        words[row.person_uuid] = later(words.get(row.person_uuid), word)
    last = ((row, words.get(row.uuid)) for row in rows)
    return [(row, word[3] if word is not None else None) for row, word in last]


def _concerned(
    connection: Connection | Session, entity: str, key: str, ignoring: bool
) -> tuple[Any, ColumnElement[bool]]:
    """Who loses or gains a value: the model of the rows, and the condition on them."""
    model = MODELS[entity]
    dialect = (
        connection.get_bind().dialect.name if isinstance(connection, Session) else connection.dialect.name
    )
    if ignoring:
        return model, _has(model, key, dialect) & visibility.seen(connection, model)
    if entity == "customer":
        current = select(Source.id).where(Source.id == Company.source_id, Source.state == visibility.ACTIVE)
        current = current.where(Source.generation == Company.generation)
        return Company, _told(Company, key, dialect) & current.exists()
    theirs = select(Identifier.id).join(Source, Source.id == Identifier.source_id)
    theirs = theirs.where(
        Identifier.source_id == Contact.source_id,
        Identifier.generation == Source.generation,
        Identifier.person_uuid == Contact.uuid,
        _told(Identifier, key, dialect),
    )
    return Contact, and_(theirs.exists(), visibility.seen(connection, Contact))


def tellers(connection: Connection | Session, entity: str, key: str) -> list[tuple[str, str]]:
    """Name and public id of the sources that told a key, by name."""
    query = select(Source.name, Source.uuid).join(AttributeSighting, AttributeSighting.source_id == Source.id)
    told = (AttributeSighting.entity == entity, AttributeSighting.key == key, ~AttributeSighting.over_limit)
    shown = (AttributeSighting.generation == Source.generation, Source.state == visibility.ACTIVE)
    rows = connection.execute(query.where(*told, *shown).order_by(Source.name_key))
    return [(row.name, f"ds_{row.uuid}") for row in rows]


def _has(model: Any, key: str, dialect: str) -> ColumnElement[bool]:
    """Whether a record has a value of a key."""
    if dialect == "postgresql":
        has: ColumnElement[bool] = func.jsonb_exists(model.custom, key)
        return has
    return func.json_type(model.custom, f'$."{key}"', type_=String).is_not(None)


def _told(model: Any, key: str, dialect: str) -> ColumnElement[bool]:
    """Whether the packed registers of `domain/fold.py` hold a key; no text in them can look the same."""
    mark = literal(f'"{key}":['.encode())
    place = (
        func.position(mark.op("IN")(model.told)) if dialect == "postgresql" else func.instr(model.told, mark)
    )
    return place > 0
