"""Custom attributes that were ignored or imported again: whom it concerns, and who has still to follow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, String, and_, func, literal, select
from sqlalchemy.orm import Session

from webapp.models import (
    AttributeSighting,
    Company,
    Contact,
    CustomAttribute,
    Customer,
    Identifier,
    Source,
)
from webapp.services import counting, visibility
from webapp.services.counting import Count

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
    model = MODELS[entity]
    dialect = (
        connection.get_bind().dialect.name if isinstance(connection, Session) else connection.dialect.name
    )
    if ignoring:
        has = _has(model, key, dialect) & visibility.seen(connection, model)
        return counting.count(connection, model, has, select(model.id))
    if entity == "customer":
        current = select(Source.id).where(Source.id == Company.source_id, Source.state == visibility.ACTIVE)
        current = current.where(Source.generation == Company.generation)
        return counting.count(
            connection, Company, _told(Company, key, dialect) & current.exists(), select(Company.id)
        )
    theirs = select(Identifier.id).join(Source, Source.id == Identifier.source_id)
    theirs = theirs.where(
        Identifier.source_id == Contact.source_id,
        Identifier.generation == Source.generation,
        Identifier.person_uuid == Contact.uuid,
        _told(Identifier, key, dialect),
    )
    gains = and_(theirs.exists(), visibility.seen(connection, Contact))
    return counting.count(connection, Contact, gains, select(Contact.id))


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
