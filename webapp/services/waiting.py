"""The people of a source who are imported once a company comes, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.attributes import shown, type_of
from webapp.domain.fold import Told, combine, customs, standing, unpack
from webapp.domain.policy import full_name
from webapp.models import Identifier, Person, Source
from webapp.services import outcomes
from webapp.services.counting import Count, count
from webapp.services.rows import select_in

PAGE = 50


@dataclass(frozen=True, slots=True)
class Waiting:
    """One person who waits.

    Attributes:
        person: the row.
        name: first and last name, else e-mail, else user id.
        known: everything else that was told, as (name, value), standard attributes first.
    """

    person: Person
    name: str
    known: list[tuple[str, str]]


def number(session: Session, source: Source) -> Count:
    """How many people wait."""
    return count(session, Person, outcomes.waiting(source))


def page(
    session: Session, source: Source, before: int | None = None, which: Any = None
) -> tuple[list[Waiting], int | None]:
    """Some of the people who wait, the latest first, and the `before` of the next page.

    Args:
        session: to read with.
        source: whose people.
        before: only those whose row is older than this id.
        which: a condition on persons; those who wait now unless given.
    """
    which = outcomes.waiting(source) if which is None else which
    query = select(Person).where(which).order_by(Person.id.desc()).limit(PAGE + 1)
    if before is not None:
        query = query.where(Person.id < before)
    persons = list(session.scalars(query))
    told = _told(session, source, [person.uuid for person in persons[:PAGE]])
    found = [_waiting(person, told.get(person.uuid, Told())) for person in persons[:PAGE]]
    return found, persons[PAGE - 1].id if len(persons) > PAGE else None


def _told(session: Session, source: Source, uuids: list[str]) -> dict[str, Told]:
    query = select(Identifier.person_uuid, Identifier.told).where(
        Identifier.source_id == source.id, Identifier.generation == source.generation
    )
    parts: dict[str, list[Told]] = {}
    for row in select_in(session.connection(), query, Identifier.person_uuid, uuids):
        parts.setdefault(row.person_uuid, []).append(unpack(row.told))
    return {uuid: reduce(combine, words) for uuid, words in parts.items()}


def _waiting(person: Person, told: Told) -> Waiting:
    details = standing(told)
    name = full_name(details) or person.email or person.user_id or ""
    known = [
        (key.replace("_", " "), value)
        for key, value in details.items()
        if key not in ("first_name", "last_name", "email")
    ]
    known += [(key, shown(value, type_of(value))) for key, value in sorted(customs(told).items())]
    return Waiting(person, name, known)
