"""Each customer's number of contacts, kept by what came and went, so that nothing is counted again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, bindparam, func, select, text, update

from webapp.models import Contact, Customer, now
from webapp.services.arrays import pack
from webapp.services.rows import select_in, update_by_id

_ADD = text(
    "UPDATE customers SET contacts = contacts + told.change, updated_at = :moment "
    "FROM unnest(CAST(:ids AS BIGINT[]), CAST(:changes AS INTEGER[])) AS told (id, change) "
    "WHERE customers.id = told.id"
)

_ADD_ONE = (
    update(Customer)
    .where(Customer.id == bindparam("of"))
    .values(contacts=Customer.contacts + bindparam("change"))
)
_SHOWN = (
    select(Contact.customer_id, func.count().label("number"))
    .where(Contact.within_id.is_(None))
    .group_by(Contact.customer_id)
)
_COUNTS = select(Customer.id, Customer.contacts)


def add(connection: Connection, changes: Mapping[int, int], moment: int) -> None:
    """Add to the numbers of some customers.

    Args:
        changes: how many contacts came, or went, by the customer's id; those that are gone are passed over.
        moment: now, in microseconds.
    """
    ids = sorted(id for id, change in changes.items() if change)
    if not ids:
        return
    if connection.dialect.name == "postgresql":
        table = Customer.__table__
        added = pack(table.c.contacts.type, [changes[id] for id in ids])
        connection.execute(_ADD, {"ids": pack(table.c.id.type, ids), "changes": added, "moment": moment})
        return
    rows = [{"of": id, "change": changes[id], "updated_at": moment} for id in ids]
    connection.execute(_ADD_ONE, rows)


def moved(before: Mapping[str, int], after: Mapping[str, int]) -> dict[int, int]:
    """How many contacts came to each customer, and went (negative).

    Args:
        before: the customer's id by contact.
        after: the same now.
    """
    changes: dict[int, int] = {}
    for uuid in before.keys() | after.keys():
        old, new = before.get(uuid), after.get(uuid)
        if old == new:
            continue
        if old is not None:
            changes[old] = changes.get(old, 0) - 1
        if new is not None:
            changes[new] = changes.get(new, 0) + 1
    return changes


def of(connection: Connection, customer_ids: Iterable[int]) -> dict[int, int]:
    """How many contacts some customers have, counted. Those that stand within another one are not shown."""
    ids = set(customer_ids)
    rows = select_in(connection, _SHOWN, Contact.customer_id, ids)
    return dict.fromkeys(ids, 0) | {row.customer_id: row.number for row in rows}


def again(connection: Connection, customer_ids: Iterable[int]) -> None:
    """Count the contacts of some customers anew."""
    number = of(connection, customer_ids)
    said = select_in(connection, _COUNTS, Customer.id, number)
    wrong = [row for row in said if row.contacts != number[row.id]]
    fresh = [{"id": row.id, "contacts": number[row.id], "updated_at": now()} for row in wrong]
    update_by_id(connection, Customer, fresh)
