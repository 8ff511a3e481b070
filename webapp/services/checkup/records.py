"""Whether what is stored agrees with itself: counts, generations, what stands behind each customer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select
from sqlalchemy.orm import aliased

from webapp.models import (
    AttributeSighting,
    Company,
    Contact,
    Customer,
    DataSourceCustomer,
    Decision,
    Identifier,
    Person,
    Source,
    Sync,
)
from webapp.models.attribute import BY_HAND
from webapp.models.sync import OPEN
from webapp.services.checkup import OK, PROBLEM, WARNING, Finding
from webapp.services.mending import speaks_of_nothing

_FLASK = "flask --app wsgi"
MEND = f"{_FLASK} mend"
GENERATIONS: tuple[Any, ...] = (Identifier, Person, Company, AttributeSighting)


def customers(connection: Connection) -> Iterator[Finding]:
    """Whether each customer has as many contacts as it says, and a source behind it that leads."""
    shown = select(Contact.customer_id, func.count().label("number")).where(Contact.within_id.is_(None))
    counted = shown.group_by(Contact.customer_id).subquery()
    real = func.coalesce(counted.c.number, 0)
    query = select(Customer.source_id).outerjoin(counted, counted.c.customer_id == Customer.id)
    yield from _told(
        connection,
        "Contact counts",
        query.where(Customer.contacts != real),
        "customers whose number of contacts is not what it says",
        "Every customer has as many contacts as it says.",
    )
    leads = exists().where(DataSourceCustomer.customer_id == Customer.id, DataSourceCustomer.leads)
    yield from _told(
        connection,
        "Customers",
        select(Customer.source_id).where(~leads),
        "customers without a source that leads them",
        "A source stands behind every customer.",
    )


def contacts(connection: Connection) -> Iterator[Finding]:
    """Whether each contact that is shown within another one is within one of its customer that is shown."""
    head = aliased(Contact)
    shown = (head.id == Contact.within_id, head.customer_id == Contact.customer_id, head.within_id.is_(None))
    lost = Contact.within_id.is_not(None) & ~exists().where(*shown)
    behind = (DataSourceCustomer.origin_uuid == Contact.origin_uuid,)
    stray = ~exists().where(*behind, DataSourceCustomer.customer_id == Contact.customer_id)
    yield from _told(
        connection,
        "Contacts",
        select(Contact.source_id).where(lost | stray),
        "contacts that are shown nowhere, or under a customer that is not theirs",
        "Every contact is shown under its customer.",
    )


def decisions(connection: Connection) -> Iterator[Finding]:
    """Whether what was decided is about records that somebody tells of."""
    found = connection.scalar(select(func.count()).select_from(Decision).where(speaks_of_nothing())) or 0
    if found:
        said = f"{found:,} about records that no source tells of any more. They do nothing."
        yield Finding("Merge decisions", WARNING, said, MEND)
    else:
        yield Finding("Merge decisions", OK, "All are about records that a source tells of.")


def generations(connection: Connection) -> Iterator[Finding]:
    """Whether a rebuild that ended left nothing behind."""
    rebuilding = exists().where(
        Sync.source_id == Source.id, Sync.kind.in_(("rebuild", "deletion")), Sync.state.in_(OPEN)
    )
    other = or_(*(_has_other(model) for model in GENERATIONS))
    query = select(Source.uuid, Source.name).where(~rebuilding, Source.state == "active", other)
    found = connection.execute(query.order_by(Source.id)).all()
    for row in found:
        said = f"{row.name}: an earlier rebuild left rows behind. They are not shown."
        yield Finding("Generations", WARNING, said, f"{_FLASK} source rebuild ds_{row.uuid}")
    if not found:
        yield Finding("Generations", OK, "No rebuild left anything behind.")


def deletions(connection: Connection) -> Iterator[Finding]:
    """Whether each source that is being deleted has somebody who will erase it."""
    erasing = exists().where(Sync.source_id == Source.id, Sync.kind == "deletion", Sync.state.in_(OPEN))
    query = select(Source.uuid).where(Source.state != "active", ~erasing)
    found = list(connection.scalars(query))
    for uuid in found:
        said = f"The source ds_{uuid} is hidden, but nothing erases it."
        fix = f"{_FLASK} source delete ds_{uuid} --yes"
        yield Finding("Deletions", PROBLEM, said, fix)
    if not found:
        yield Finding("Deletions", OK, "Nothing is left half deleted.")


def _has_other(model: Any) -> ColumnElement[bool]:
    """Whether a source has rows of a generation that is not shown; both sides use the unique index."""
    of_source = model.source_id == Source.id
    return or_(
        exists().where(of_source, model.generation > BY_HAND, model.generation < Source.generation),
        exists().where(of_source, model.generation > Source.generation),
    )


def _told(connection: Connection, check: str, wrong: Any, said: str, fine: str) -> Iterator[Finding]:
    """One finding for each source with wrong rows, or that there are none.

    Args:
        connection: to ask with.
        check: what is looked at.
        wrong: a query for the source ids of the wrong rows.
        said: which rows these are, before their number.
        fine: what to say when there are none.
    """
    rows = wrong.subquery()
    query = (
        select(Source.name, func.count())
        .join(rows, rows.c.source_id == Source.id)
        .where(Source.state == "active")
        .group_by(Source.id, Source.name)
        .order_by(Source.id)
    )
    found = connection.execute(query).all()
    for name, number in found:
        yield Finding(check, PROBLEM, f"{name}: {said}: {number:,}.", MEND)
    if not found:
        yield Finding(check, OK, fine)
