"""Composing customers: what several sources tell, what people set and what subscriptions say, in one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, select

from webapp.domain.composing import (
    CUSTOMER_VALUES,
    TAG_SEPARATOR,
    Fields,
    Teller,
    composed,
    in_order,
    joined,
    set_by_people,
    tags,
)
from webapp.domain.text import indexed
from webapp.models import Contact, CustomAttribute, Customer, DataSourceCustomer, Edit, now
from webapp.models.base import folded
from webapp.models.customer import NEW_LEAD
from webapp.services import revenue
from webapp.services.rows import select_in, update_by_id
from webapp.services.standing import searchable

# Facts of a customer that follow from its data source customers and from nothing else.
WRITTEN = (
    *("source_id", "external_id", *CUSTOMER_VALUES, "custom", "first_seen", "last_seen"),
    *("contacts", "lead_status", "owner", "tags", "mrr", "currency", "other_mrr", "composed"),
    *("sort_name", "search"),
)


def compose(connection: Connection, customer_ids: Iterable[int]) -> None:
    """Write customers as all that stands behind them has it, in the caller's transaction.

    Args:
        customer_ids: any customers; each has at least one data source customer. Those that come out as they
            are stay untouched.
    """
    ids = sorted(set(customer_ids))
    if not ids:
        return
    behind = _behind(connection, ids)
    origins = [row.origin_uuid for rows in behind.values() for row in rows]
    hands = edits_of(connection, "customer", origins)
    paid = revenue.of_origins(connection, origins)
    contacts = _numbers_of_contacts(connection, ids)
    ignored = ignored_keys(connection, "customer")
    query = select(Customer.__table__)
    changed = []
    for row in select_in(connection, query, Customer.id, behind):
        columns = _columns(behind[row.id], hands, paid, ignored) | {"contacts": contacts.get(row.id, 0)}
        if any(getattr(row, name) != columns[name] for name in WRITTEN):
            changed.append({"id": row.id, **columns, "updated_at": now()})
    update_by_id(connection, Customer, changed)


def edits_of(connection: Connection, entity: str, origins: Iterable[str]) -> dict[str, Fields]:
    """What people set on some records, by origin.

    Of persons that became one all that was set stands; of the same field what was set last, and all tags.
    """
    query = select(Edit.origin_uuid, Edit.fields).where(Edit.entity == entity)
    found: dict[str, list[Fields]] = {}
    for row in select_in(connection, query, Edit.origin_uuid, origins):
        found.setdefault(row.origin_uuid, []).append(row.fields)
    return {origin: said[0] if len(said) == 1 else joined(said) for origin, said in found.items()}


def ignored_keys(connection: Connection, entity: str) -> frozenset[str]:
    """Custom attributes of customers or contacts that are not imported."""
    query = select(CustomAttribute.key).where(CustomAttribute.ignored, CustomAttribute.entity == entity)
    return frozenset(connection.scalars(query))


def tellers_of(rows: Iterable[Any]) -> list[Teller]:
    """Data source customers of one customer in order, the primary first."""
    return in_order(
        Teller(
            row.origin_uuid,
            row.told,
            row.first_seen,
            row.last_seen,
            billing=row.kind == "billing",
            rank=0 if row.leads else 1,
            name=row.external_id,
        )
        for row in rows
    )


def _behind(connection: Connection, ids: Sequence[int]) -> dict[int, list[Any]]:
    behind: dict[int, list[Any]] = {}
    query = select(DataSourceCustomer.__table__)
    for row in select_in(connection, query, DataSourceCustomer.customer_id, ids):
        behind.setdefault(row.customer_id, []).append(row)
    return behind


def _numbers_of_contacts(connection: Connection, ids: Sequence[int]) -> dict[int, int]:
    query = select(Contact.customer_id, func.count().label("shown")).where(Contact.within_id.is_(None))
    rows = select_in(connection, query.group_by(Contact.customer_id), Contact.customer_id, ids)
    return {row.customer_id: row.shown for row in rows}


def _columns(
    rows: Sequence[Any],
    hands: Mapping[str, Fields],
    paid: Mapping[str, list[revenue.Paid]],
    ignored: frozenset[str],
) -> dict[str, Any]:
    tellers = tellers_of(rows)
    by_origin = {row.origin_uuid: row for row in rows}
    leader = by_origin[tellers[0].uuid]
    edited = [hands.get(teller.uuid, {}) for teller in tellers]
    subscriptions = [each for teller in tellers for each in paid.get(teller.uuid, ())]
    values = composed(tellers, edited, CUSTOMER_VALUES)
    values["custom"] = {k: v for k, v in values["custom"].items() if k not in ignored}
    status = revenue.status(subscriptions, now())
    own = set_by_people(edited, "lead_status") or NEW_LEAD
    ids = [by_origin[teller.uuid].external_id for teller in tellers]
    emails = [teller.told.get("email") for teller in tellers[1:]]
    return values | {
        "source_id": leader.source_id,
        "external_id": leader.external_id,
        "lead_status": status or own,
        "owner": set_by_people(edited, "owner"),
        "tags": TAG_SEPARATOR.join(tags(edited)),
        **revenue.total(subscriptions, now()),
        "composed": len(rows) > 1 or any(edited) or bool(subscriptions),
        "sort_name": indexed(folded(values["name"] or leader.external_id)),
        "search": searchable(values["name"], values["email"], *ids, *emails),
    }
