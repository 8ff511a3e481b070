"""What a re-sync to another policy, or an attribute ignored, would change: in numbers, and whom.

Only who is attached to no company has another place under another policy. So everything is counted from
persons and from those of them who are customers now, in few queries of sets; nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, and_, func, select
from sqlalchemy.orm import Session

from webapp.domain.policy import COMPANY, USER
from webapp.models import Customer, DataSourceCustomer, Edit, Note, Person, Source
from webapp.services.rows import select_in

PAGE = 50
APPEAR, GO, WAIT = "appear", "go", "wait"
LISTS = (APPEAR, GO, WAIT)


@dataclass(slots=True, frozen=True)
class Preview:
    """What a re-sync would change, in rows. No contact moves from one customer to another.

    Whoever appears, goes or waits is a customer of their own with themselves as its contact.
    """

    customers_appear: int = 0
    customers_go: int = 0
    contacts_appear: int = 0
    contacts_go: int = 0
    with_notes: int = 0
    """Of the customers that go, those with notes; they are kept, and are there again when these come back."""
    with_edits: int = 0
    merged: int = 0
    """Of the customers that go, those merged with another, which stays with what the others tell of it."""
    waiting: int = 0
    """Persons who will wait for a company afterwards."""


@dataclass(slots=True, frozen=True)
class Going:
    """One customer that would go.

    Attributes:
        customer: the row as it is shown now.
        has_notes, has_edits, is_merged: what people or automations have made of it.
    """

    customer: Customer
    has_notes: bool
    has_edits: bool
    is_merged: bool


def preview(connection: Connection | Session, source: Source, policy: str) -> Preview:
    """Count what applying a policy would change, whatever is applied or saved now."""
    alone = _count(connection, select(Person.id).where(_alone(source)))
    own = _count(connection, select(DataSourceCustomer.id).where(_own(source)))
    if policy == USER:
        return Preview(customers_appear=alone - own, contacts_appear=alone - own)
    return Preview(
        customers_go=own,
        contacts_go=own,
        with_notes=_count(connection, _written_on(source, Note)),
        with_edits=_count(connection, _written_on(source, Edit)),
        merged=_count(connection, _merged(source)),
        waiting=alone,
    )


def waiting(connection: Connection | Session, source: Source) -> int:
    """How many persons wait for a company."""
    if source.applied_policy != COMPANY:
        return 0
    return _count(connection, select(Person.id).where(_alone(source)))


def persons(source: Source, which: str) -> Any:
    """The condition under which a person is one of those who would appear (APPEAR) or wait (WAIT)."""
    if which == WAIT:
        return _alone(source)
    own = select(DataSourceCustomer.id).where(DataSourceCustomer.origin_uuid == Person.uuid)
    return and_(_alone(source), ~own.exists())


def going(session: Session, source: Source, before: int | None = None) -> tuple[list[Going], int | None]:
    """Some of the customers that would go, the latest first, and the `before` of the next page.

    Args:
        session: to read with.
        source: whose customers.
        before: only those that stand by a row older than this id.
    """
    query = select(DataSourceCustomer).where(_own(source)).order_by(DataSourceCustomer.id.desc())
    if before is not None:
        query = query.where(DataSourceCustomer.id < before)
    rows = list(session.scalars(query.limit(PAGE + 1)))
    shown = rows[:PAGE]
    ids, origins = [row.customer_id for row in shown], [row.origin_uuid for row in shown]
    connection = session.connection()
    written = {
        model: {row[0] for row in select_in(connection, _origins(model), model.origin_uuid, origins)}
        for model in (Note, Edit)
    }
    behind = select(DataSourceCustomer.customer_id).where(DataSourceCustomer.follows)
    merged = {row[0] for row in select_in(connection, behind, DataSourceCustomer.customer_id, ids)}
    customers = {each.id: each for each in session.scalars(select(Customer).where(Customer.id.in_(ids)))}
    found = [
        Going(
            customers[row.customer_id],
            row.origin_uuid in written[Note],
            row.origin_uuid in written[Edit],
            row.customer_id in merged,
        )
        for row in shown
    ]
    return found, rows[PAGE - 1].id if len(rows) > PAGE else None


def _alone(source: Source) -> Any:
    """Who can be imported and is attached to no company."""
    return and_(
        Person.source_id == source.id,
        Person.generation == source.generation,
        Person.company.is_(None),
        Person.user_id.is_not(None) | Person.email.is_not(None),
    )


def _own(source: Source) -> Any:
    """Who is a customer of their own now."""
    return and_(DataSourceCustomer.source_id == source.id, DataSourceCustomer.kind == "person")


def _origins(model: Any) -> Select[Any]:
    return select(model.origin_uuid).where(model.entity == "customer")


def _written_on(source: Source, model: Any) -> Select[Any]:
    """Own customers on which people wrote; begins with what they wrote, of which there is less."""
    wrote = _origins(model).where(model.source_id == source.id)
    return select(DataSourceCustomer.id).where(_own(source), DataSourceCustomer.origin_uuid.in_(wrote))


def _merged(source: Source) -> Select[Any]:
    """Own customers that are merged; begins with those who follow, who are in an index of their own."""
    behind = select(DataSourceCustomer.customer_id).where(DataSourceCustomer.follows)
    return select(DataSourceCustomer.id).where(_own(source), DataSourceCustomer.customer_id.in_(behind))


def _count(connection: Connection | Session, rows: Select[Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one())
