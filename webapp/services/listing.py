"""Customers, contacts, plans and subscriptions for whoever goes through all of them: one, or a page by ids.

Pages go by id, which never changes, so nothing is passed over or told twice while rows come and go. Each
filter has an index that leads to its rows in that order or nearly so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select

from webapp.domain.text import clean
from webapp.models import (
    Contact,
    Customer,
    DataSourceCustomer,
    MrrAdjustment,
    Plan,
    Source,
    Subscription,
    Sync,
)
from webapp.models.search import sortable
from webapp.models.sync import OPEN
from webapp.services import visibility
from webapp.services.composing import tellers_of
from webapp.services.rows import select_in

SINGLE: dict[str, tuple[Any, str]] = {
    "customer": (Customer, "cus_"),
    "contact": (Contact, "con_"),
    "plan": (Plan, "pl_"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows a list is to have; what is None leaves nothing out.

    Attributes:
        source_ids: of sources that stand behind it.
        external_id: of the customer at one of these sources; of a plan its own.
        email: in any case.
        status: of customers (`Customer.lead_status`).
        customer_id: of contacts.
    """

    source_ids: Sequence[int] | None = None
    external_id: str | None = None
    email: str | None = None
    status: str | None = None
    customer_id: int | None = None


def one(connection: Connection, kind: str, public_id: str) -> Any | None:
    """The row of a customer, contact or plan that may be seen; None when there is none.

    Args:
        kind: `customer`, `contact` or `plan`.
        public_id: with its prefix, or without.
    """
    model, prefix = SINGLE[kind]
    uuid = clean(public_id.removeprefix(prefix))
    query = select(model.__table__).where(model.uuid == uuid)
    return connection.execute(query.where(visibility.seen(connection, model))).first()


def by_id(connection: Connection, customer_id: int) -> Any | None:
    """The row of a customer that may be seen; None when there is none."""
    seen = visibility.seen(connection, Customer)
    return connection.execute(select(Customer.__table__).where(Customer.id == customer_id, seen)).first()


def customers(connection: Connection, wanted: Wanted, after: int, size: int) -> list[Any]:
    """Rows of customers by id.

    Args:
        wanted: which.
        after: ids greater than this.
        size: of the page; one more row is there when there is more.
    """
    query = select(Customer.__table__).where(visibility.seen(connection, Customer))
    if wanted.status is not None:
        query = query.where(sortable(Customer.lead_status) == _sorted(wanted.status))
    if wanted.email is not None:
        query = query.where(sortable(Customer.email) == _sorted(wanted.email))
        query = query.where(func.lower(Customer.email) == wanted.email.lower())
    if wanted.external_id is not None:
        named = _with_external_id(connection, wanted)
        return _page(connection, query.where(Customer.id.in_(named)), Customer, after, size) if named else []
    if wanted.source_ids is not None:
        return _of_sources(connection, query, wanted.source_ids, after, size)
    return _page(connection, query, Customer, after, size)


def contacts(connection: Connection, wanted: Wanted, after: int, size: int) -> list[Any]:
    """Rows of contacts by id, with the `customer_uuid` and `customer_external_id` of their customer.

    A human of whom several sources tell is one contact, and of the source that leads.
    """
    query = contact_rows(connection)
    if wanted.email is not None:
        query = query.where(sortable(Contact.email) == _sorted(wanted.email))
        query = query.where(func.lower(Contact.email) == wanted.email.lower())
    if wanted.customer_id is not None:
        query = query.where(Contact.customer_id == wanted.customer_id)
    if wanted.external_id is not None:
        named = _with_external_id(connection, wanted)
        if not named:
            return []
        query = query.where(Contact.customer_id.in_(named))
    if wanted.source_ids is None:
        return _page(connection, query, Contact, after, size)
    found = [
        row
        for source_id in wanted.source_ids
        for row in _page(connection, query.where(Contact.source_id == source_id), Contact, after, size)
    ]
    return sorted(found, key=lambda row: row.id)[: size + 1]


def contact_rows(connection: Connection) -> Select[Any]:
    """A query of contacts that may be seen, each with what names its customer."""
    query = select(
        Contact.__table__,
        Customer.uuid.label("customer_uuid"),
        Customer.external_id.label("customer_external_id"),
    )
    return query.join(Customer, Customer.id == Contact.customer_id).where(
        visibility.seen(connection, Contact)
    )


def contact(connection: Connection, public_id: str) -> Any | None:
    """One contact that may be seen, as `contacts` gives it."""
    uuid = clean(public_id.removeprefix("con_"))
    return connection.execute(contact_rows(connection).where(Contact.uuid == uuid)).first()


def within(connection: Connection, uuid: str) -> Any:
    """The row of the contact that shows another one: itself, unless it stands within one."""
    row = connection.execute(select(Contact.__table__).where(Contact.uuid == uuid)).one()
    if row.within_id is None:
        return row
    return connection.execute(select(Contact.__table__).where(Contact.id == row.within_id)).one()


def plans(connection: Connection, wanted: Wanted, after: int, size: int) -> list[Any]:
    """Rows of plans by id."""
    query = select(Plan.__table__).where(visibility.seen(connection, Plan))
    if wanted.source_ids is not None:
        query = query.where(Plan.source_id.in_(wanted.source_ids))
    if wanted.external_id is not None:
        query = query.where(Plan.external_id == wanted.external_id)
    return _page(connection, query, Plan, after, size)


def subscriptions(connection: Connection, customer_id: int, after: int, size: int) -> list[Any]:
    """Rows of the subscriptions of a customer by id (see `subscription_rows`)."""
    behind = select(DataSourceCustomer.origin_uuid).where(DataSourceCustomer.customer_id == customer_id)
    query = subscription_rows().where(Subscription.origin_uuid.in_(behind))
    return _page(connection, query, Subscription, after, size)


def subscriptions_of_source(connection: Connection, source_id: int, after: str, size: int) -> list[Any]:
    """Rows of the subscriptions of a source by external id, with the uuid and name of their customer.

    Args:
        after: external ids greater than this.
        size: of the page; one more row is there when there is more.
    """
    named = func.coalesce(Customer.name, Customer.external_id).label("customer")
    query = subscription_rows().add_columns(Customer.uuid.label("customer_uuid"), named)
    query = query.join(DataSourceCustomer, DataSourceCustomer.origin_uuid == Subscription.origin_uuid)
    query = query.join(Customer, Customer.id == DataSourceCustomer.customer_id)
    query = query.where(Subscription.source_id == source_id, Subscription.external_id > after)
    return list(connection.execute(query.order_by(Subscription.external_id).limit(size + 1)).all())


def plans_of_source(connection: Connection, source_id: int, after: str, size: int) -> list[Any]:
    """Rows of the plans of a source by external id, as `subscriptions_of_source`, each with its number of
    `subscriptions`."""
    used = select(func.count()).where(Subscription.plan_id == Plan.id).scalar_subquery()
    query = select(Plan.__table__, used.label("subscriptions"))
    query = query.where(Plan.source_id == source_id, Plan.external_id > after)
    return list(connection.execute(query.order_by(Plan.external_id).limit(size + 1)).all())


def subscription_rows() -> Select[Any]:
    """A query of subscriptions with the name and uuid of their plan, and what people say their MRR is."""
    named = (Plan.name.label("plan"), Plan.uuid.label("plan_uuid"), MrrAdjustment.mrr.label("adjusted"))
    query = select(Subscription.__table__, *named).outerjoin(Plan, Plan.id == Subscription.plan_id)
    return query.outerjoin(MrrAdjustment, MrrAdjustment.subscription_id == Subscription.id)


def subscription(connection: Connection, public_id: str) -> Any | None:
    """One subscription that may be seen; None when there is none."""
    uuid = clean(public_id.removeprefix("sub_"))
    query = subscription_rows().where(Subscription.uuid == uuid)
    return connection.execute(query.where(visibility.seen(connection, Subscription))).first()


def behind(connection: Connection, customer_ids: Iterable[int]) -> dict[int, list[Any]]:
    """What stands behind customers: rows of data source customers by customer, the primary first."""
    found: dict[int, list[Any]] = {}
    query = select(DataSourceCustomer.__table__)
    for row in select_in(connection, query, DataSourceCustomer.customer_id, customer_ids):
        found.setdefault(row.customer_id, []).append(row)
    for id, rows in found.items():
        by_origin = {row.origin_uuid: row for row in rows}
        found[id] = [by_origin[teller.uuid] for teller in tellers_of(rows)]
    return found


def at_source(connection: Connection, source_id: int, external_id: str) -> Any | None:
    """The data source customer that a source names so; None when there is none.

    Of a Segment source a company may have the name of a person: then the company.
    """
    wanted = Wanted(source_ids=[source_id], external_id=external_id)
    ids = _with_external_id(connection, wanted)
    rows = [row for rows in behind(connection, ids).values() for row in rows]
    named = [row for row in rows if (row.source_id, row.external_id) == (source_id, external_id)]
    return min(named, key=lambda row: (row.kind, row.id), default=None)


def customers_since(connection: Connection, origins: Iterable[str]) -> dict[str, int]:
    """When the first subscription of data source customers began, by origin, in microseconds."""
    query = select(Subscription.origin_uuid, func.min(Subscription.start_at).label("since"))
    query = query.group_by(Subscription.origin_uuid)
    return {
        row.origin_uuid: row.since for row in select_in(connection, query, Subscription.origin_uuid, origins)
    }


def sources(connection: Connection) -> dict[int, Any]:
    """Rows of the sources that may be seen, by id."""
    rows = connection.execute(select(Source.__table__).where(Source.state == visibility.ACTIVE)).all()
    return {row.id: row for row in rows}


def busy(connection: Connection) -> set[int]:
    """Ids of the sources that long work is open on."""
    return set(connection.scalars(select(Sync.source_id).where(Sync.state.in_(OPEN))))


def _page(connection: Connection, query: Select[Any], model: Any, after: int, size: int) -> list[Any]:
    query = query.where(model.id > after).order_by(model.id).limit(size + 1)
    return list(connection.execute(query).all())


def _of_sources(
    connection: Connection, query: Select[Any], source_ids: Sequence[int], after: int, size: int
) -> list[Any]:
    """A page of the customers that any of some sources stand behind: a walk along one index each."""
    id = DataSourceCustomer.customer_id
    ids: set[int] = set()
    for source_id in source_ids:
        walk = query.with_only_columns(id).select_from(Customer)
        walk = walk.join(DataSourceCustomer, id == Customer.id)
        walk = walk.where(DataSourceCustomer.source_id == source_id, id > after)
        ids |= set(connection.scalars(walk.distinct().order_by(id).limit(size + 1)))
    found = {row.id: row for row in select_in(connection, select(Customer.__table__), Customer.id, ids)}
    return [found[id] for id in sorted(found)][: size + 1]


def _with_external_id(connection: Connection, wanted: Wanted) -> list[int]:
    """Ids of the customers that a source names so: those that it leads, and those that it follows."""
    told = wanted.external_id or ""
    # Compared here: told that the column equals a text, SQLite puts the text into the index's expression.
    alike = select(Customer.id, Customer.external_id).where(sortable(Customer.external_id) == _sorted(told))
    ids = {row.id for row in connection.execute(alike) if row.external_id == told}
    behind = select(DataSourceCustomer.customer_id).where(DataSourceCustomer.external_id == told)
    ids |= set(connection.scalars(behind.where(DataSourceCustomer.follows)))
    if wanted.source_ids is None:
        return sorted(ids)
    behind = behind.where(DataSourceCustomer.source_id.in_(wanted.source_ids))
    rows = select_in(connection, behind, DataSourceCustomer.customer_id, ids)
    return sorted({row.customer_id for row in rows})


def _sorted(text: str) -> Any:
    return sortable(literal(text))
