"""What a re-sync to another policy, or an attribute ignored, would change: in numbers, and whom.

Only who is attached to no company has another place under another policy. So everything is counted from
persons and from those of them who are customers now, in few queries of sets; nothing is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, Select, and_, case, cast, func, select
from sqlalchemy.orm import Session, aliased

from webapp.domain.composing import groups
from webapp.domain.policy import COMPANY, USER
from webapp.models import Customer, DataSourceCustomer, Decision, Edit, Note, Person, Source
from webapp.models.merging import MERGE
from webapp.services import decisions, visibility
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
    """Those merged with one another are one; those of whom others tell too do not go."""
    contacts_appear: int = 0
    contacts_go: int = 0
    with_notes: int = 0
    """Of the customers that go, those with notes; they are kept, and are there again when these come back."""
    with_edits: int = 0
    merged: int = 0
    """Customers that stay, with what the others tell of them, and lose what these persons tell."""
    waiting: int = 0
    """Persons who will wait for a company afterwards."""


@dataclass(slots=True, frozen=True)
class Going:
    """One customer that would go, or stay with what others tell of it.

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
    if isinstance(connection, Session):
        connection = connection.connection()
    alone = _count(connection, select(Person.id).where(_alone(source)))
    own = _count(connection, select(DataSourceCustomer.id).where(_own(source)))
    if policy == USER:
        appear = alone - own
        joining = _joining(connection, source) if appear else 0
        return Preview(customers_appear=appear - joining, contacts_appear=appear)
    together, go_together, stay = connection.execute(_merged(source)).one()
    return Preview(
        customers_go=own - together + go_together,
        contacts_go=own,
        with_notes=_count(connection, _written_on(source, Note)),
        with_edits=_count(connection, _written_on(source, Edit)),
        merged=stay,
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
    """Some of the customers that persons would leave, the latest first, and the `before` of the next page.

    Args:
        session: to read with.
        source: whose customers.
        before: only those that stand by a row older than this id.
    """
    shown, mates, older = _page(session, source, before)
    if older is not None and visibility.stands_behind_others(session, source.id):
        older = older if _page(session, source, older)[0] else None
    ids, connection = [row.customer_id for row in shown], session.connection()
    theirs = {row.origin_uuid: row.customer_id for row in mates}
    written = {
        model: {theirs[row[0]] for row in select_in(connection, _origins(model), model.origin_uuid, theirs)}
        for model in (Note, Edit)
    }
    behind = select(DataSourceCustomer.customer_id).where(DataSourceCustomer.follows)
    merged = {row[0] for row in select_in(connection, behind, DataSourceCustomer.customer_id, ids)}
    customers = {each.id: each for each in session.scalars(select(Customer).where(Customer.id.in_(ids)))}
    found = [
        Going(
            customers[row.customer_id],
            row.customer_id in written[Note],
            row.customer_id in written[Edit],
            row.customer_id in merged,
        )
        for row in shown
    ]
    return found, older


def _page(
    session: Session, source: Source, before: int | None
) -> tuple[list[DataSourceCustomer], list[Any], int | None]:
    """Own customers, those who are one once, where the last of them stands.

    Returns:
        The rows, at least one while there is any; all that are one with them; the `before` of the next page.
    """
    query = select(DataSourceCustomer).where(_own(source)).order_by(DataSourceCustomer.id.desc())
    mine = select(DataSourceCustomer.id, DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id)
    mine = mine.where(_own(source))
    while True:
        behind = query if before is None else query.where(DataSourceCustomer.id < before)
        rows = list(session.scalars(behind.limit(PAGE + 1)))
        before = rows[PAGE - 1].id if len(rows) > PAGE else None
        ids = {row.customer_id for row in rows[:PAGE]}
        mates = select_in(session.connection(), mine, DataSourceCustomer.customer_id, ids)
        last = {row.customer_id: row.id for row in sorted(mates, key=lambda row: row.id)}
        shown = [row for row in rows[:PAGE] if row.id == last[row.customer_id]]
        if shown or before is None:
            return shown, mates, before


def _alone(source: Source) -> Any:
    """Who can be imported and is attached to no company."""
    return and_(
        Person.source_id == source.id,
        Person.generation == source.generation,
        Person.company.is_(None),
        Person.user_id.is_not(None) | Person.email.is_not(None),
    )


def _own(source: Source, rows: Any = DataSourceCustomer) -> Any:
    """Who is a customer of their own now."""
    return and_(rows.source_id == source.id, rows.kind == "person")


def _origins(model: Any) -> Select[Any]:
    return select(model.origin_uuid).where(model.entity == "customer")


def _written_on(source: Source, model: Any) -> Select[Any]:
    """Customers that go and on which people wrote; begins with what they wrote, of which there is less."""
    wrote = _origins(model).where(model.source_id == source.id)
    mate = aliased(DataSourceCustomer)
    others = select(mate.id).where(mate.customer_id == DataSourceCustomer.customer_id, ~_own(source, mate))
    written = select(DataSourceCustomer.customer_id).where(_own(source), ~others.exists())
    return written.where(DataSourceCustomer.origin_uuid.in_(wrote)).distinct()


def _merged(source: Source) -> Select[int, int, int]:
    """Of the own customers that are merged: how many they are, and how many customers go and stay with them.

    Begins with those who follow, who are in an index of their own.
    """
    following = select(DataSourceCustomer.customer_id).where(DataSourceCustomer.follows)
    mine = func.sum(case((_own(source), 1), else_=0))
    behind = select(mine.label("mine"), func.count().label("all"))
    behind = behind.where(DataSourceCustomer.customer_id.in_(following))
    each = behind.group_by(DataSourceCustomer.customer_id).having(mine > 0).subquery()
    going = func.sum(case((each.c.mine == each.c.all, 1), else_=0))
    staying = func.sum(case((each.c.mine < each.c.all, 1), else_=0))
    # As integers: PostgreSQL's sum of sums is a Decimal.
    counts = (func.coalesce(cast(count, Integer), 0) for count in (func.sum(each.c.mine), going, staying))
    together, go_together, stay = counts
    return select(together, go_together, stay)


def _joining(connection: Connection, source: Source) -> int:
    """How many fewer customers appear than persons, since it was decided with whom these are one."""
    stands = select(DataSourceCustomer.id).where(DataSourceCustomer.origin_uuid == Person.uuid)
    appear: set[str] = set()
    for end, source_id in (
        (Decision.primary_now, Decision.primary_source_id),
        (Decision.other_now, Decision.other_source_id),
    ):
        decided = (Decision.entity == "customer", Decision.kind == MERGE, source_id == source.id)
        query = select(end).join(Person, Person.uuid == end).where(*decided, _alone(source))
        appear |= set(connection.scalars(query.where(~stands.exists())))
    if not appear:
        return 0
    reached, pairs = decisions.reached(connection, "customer", appear)
    query = select(DataSourceCustomer.origin_uuid)
    standing = {row[0] for row in select_in(connection, query, DataSourceCustomer.origin_uuid, reached)}
    together = [group for group in groups(reached, pairs) if group & appear]
    return len(appear) - sum(not group & standing for group in together)


def _count(connection: Connection | Session, rows: Select[Any]) -> int:
    return int(connection.execute(select(func.count()).select_from(rows.subquery())).scalar_one())
