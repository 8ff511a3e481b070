"""Whether what is stored agrees with itself: counts, generations, what stands behind each customer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, func, or_, select

from webapp.models import (
    AttributeSighting,
    Company,
    Contact,
    Customer,
    DataSourceCustomer,
    Identifier,
    Person,
    Source,
    Sync,
)
from webapp.models.sync import OPEN
from webapp.services.checkup import OK, PROBLEM, WARNING, Finding

_FLASK = "flask --app wsgi"
GENERATIONS: tuple[Any, ...] = (Identifier, Person, Company, AttributeSighting)


def customers(connection: Connection) -> Iterator[Finding]:
    """Whether each customer has as many contacts as it says, and a source behind it."""
    counted = (
        select(Contact.customer_id, func.count().label("number")).group_by(Contact.customer_id).subquery()
    )
    real = func.coalesce(counted.c.number, 0)
    query = select(Customer.source_id).outerjoin(counted, counted.c.customer_id == Customer.id)
    yield from _told(
        connection,
        "Contact counts",
        query.where(Customer.contacts != real),
        "customers whose number of contacts is not what it says",
        "Every customer has as many contacts as it says.",
        "resync",
    )
    behind = exists().where(DataSourceCustomer.customer_id == Customer.id)
    yield from _told(
        connection,
        "Customers",
        select(Customer.source_id).where(~behind),
        "customers without a source behind them",
        "A source stands behind every customer.",
        "resync",
    )


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
        exists().where(of_source, model.generation < Source.generation),
        exists().where(of_source, model.generation > Source.generation),
    )


def _told(
    connection: Connection, check: str, wrong: Any, said: str, fine: str, verb: str
) -> Iterator[Finding]:
    """One finding for each source with wrong rows, or that there are none.

    Args:
        connection: to ask with.
        check: what is looked at.
        wrong: a query for the source ids of the wrong rows.
        said: which rows these are, before their number.
        fine: what to say when there are none.
        verb: of the command that mends them.
    """
    rows = wrong.subquery()
    query = (
        select(Source.uuid, Source.name, func.count())
        .join(rows, rows.c.source_id == Source.id)
        .where(Source.state == "active")
        .group_by(Source.id, Source.uuid, Source.name)
        .order_by(Source.id)
    )
    found = connection.execute(query).all()
    for uuid, name, number in found:
        yield Finding(check, PROBLEM, f"{name}: {said}: {number:,}.", f"{_FLASK} source {verb} ds_{uuid}")
    if not found:
        yield Finding(check, OK, fine)
