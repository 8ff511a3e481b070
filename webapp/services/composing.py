"""Composing customers: what several sources tell, what people set and what subscriptions say, in one row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, select

from webapp.domain.composing import (
    CUSTOMER_VALUES,
    TAG_SEPARATOR,
    Fields,
    Teller,
    alike,
    composed,
    in_order,
    joined,
    set_by_people,
    tags,
)
from webapp.domain.text import indexed
from webapp.models import CustomAttribute, Customer, DataSourceCustomer, Edit, now
from webapp.models.base import folded
from webapp.models.customer import NEW_LEAD
from webapp.services import revenue
from webapp.services.rows import select_in, update_by_id
from webapp.services.standing import searchable

_CUSTOMERS = select(Customer.__table__)
BEHIND = select(DataSourceCustomer.__table__)
_EDITS = select(Edit.origin_uuid, Edit.fields).where(Edit.entity == bindparam("entity"))
_IGNORED = select(CustomAttribute.key).where(
    CustomAttribute.ignored, CustomAttribute.entity == bindparam("entity")
)


def compose(
    connection: Connection, customer_ids: Iterable[int], contacts: Mapping[int, int] | None = None
) -> None:
    """Write customers as all that stands behind them has it; those that come out as they are stay untouched.

    Args:
        connection: in a transaction that holds the locks of the sources that stand behind them.
        customer_ids: any; those that nothing stands behind are passed over.
        contacts: of some of them the number of contacts; that of others is kept by `contact_counts.py`.
    """
    behind = behind_customers(connection, customer_ids)
    if not behind:
        return
    origins = [row.origin_uuid for rows in behind.values() for row in rows]
    edits = edits_of(connection, "customer", origins)
    paid = revenue.of_origins(connection, origins)
    numbers = contacts or {}
    moment = now()
    changed = []
    for row in select_in(connection, _CUSTOMERS, Customer.id, behind):
        columns = _columns(behind[row.id], edits, paid, moment)
        columns["contacts"] = numbers.get(row.id, row.contacts)
        if not all(alike(getattr(row, name), value) for name, value in columns.items()):
            changed.append({"id": row.id, **columns, "updated_at": moment})
    update_by_id(connection, Customer, changed)


def behind_customers(connection: Connection, customer_ids: Iterable[int]) -> dict[int, list[Any]]:
    """The data source customers of some customers, as rows."""
    behind: dict[int, list[Any]] = {}
    for row in select_in(connection, BEHIND, DataSourceCustomer.customer_id, customer_ids):
        behind.setdefault(row.customer_id, []).append(row)
    return behind


def edits_of(connection: Connection, entity: str, origins: Iterable[str]) -> dict[str, Fields]:
    """What people set on some records, by origin.

    Of persons that became one all that was set stands; of the same field what was set last, and all tags.
    """
    found: dict[str, list[Fields]] = {}
    for row in select_in(connection, _EDITS, Edit.origin_uuid, origins, entity=entity):
        found.setdefault(row.origin_uuid, []).append(row.fields)
    return {origin: said[0] if len(said) == 1 else joined(said) for origin, said in found.items()}


def ignored_keys(connection: Connection, entity: str) -> frozenset[str]:
    """Custom attributes of customers or contacts that are not imported."""
    return frozenset(connection.scalars(_IGNORED, {"entity": entity}))


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


def _columns(
    rows: Sequence[Any],
    edits: Mapping[str, Fields],
    paid: Mapping[str, list[revenue.Paid]],
    moment: int,
) -> dict[str, Any]:
    tellers = tellers_of(rows)
    by_origin = {row.origin_uuid: row for row in rows}
    leader = by_origin[tellers[0].uuid]
    edited = [edits.get(teller.uuid, {}) for teller in tellers]
    subscriptions = [each for teller in tellers for each in paid.get(teller.uuid, ())]
    values = composed(tellers, edited, CUSTOMER_VALUES)
    status = revenue.status(subscriptions, moment) or set_by_people(edited, "lead_status") or NEW_LEAD
    ids = [by_origin[teller.uuid].external_id for teller in tellers]
    emails = [teller.told.get("email") for teller in tellers]
    return values | {
        "source_id": leader.source_id,
        "external_id": leader.external_id,
        "lead_status": status,
        "owner": set_by_people(edited, "owner"),
        "tags": TAG_SEPARATOR.join(tags(edited)),
        **revenue.total(subscriptions, moment),
        "composed": len(rows) > 1 or any(edited) or bool(subscriptions),
        "sort_name": indexed(folded(values["name"] or leader.external_id)),
        "search": searchable(values["name"], values["email"], *ids, *emails),
        "created_at": leader.created_at,
    }
