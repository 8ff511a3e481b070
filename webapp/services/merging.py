"""Merging: which data source customers stand behind one customer, as it was decided.

`settle` makes the tables what the decisions say, for the customers around some origins. All verbs write a
decision and settle; projecting, re-syncing and deleting settle what they touch. So it cannot matter whether
two customers were merged before an event came, or after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from webapp.domain.composing import Teller, followers, groups, in_order
from webapp.models import Contact, Customer, DataSourceCustomer, KeptUuid, now
from webapp.services import decisions
from webapp.services.composing import compose
from webapp.services.composing_contacts import compose_contacts
from webapp.services.rows import delete_in, select_in, update_by_id
from webapp.services.standing import customer_row, step_down

Pair = tuple[str, str]


def settle(connection: Connection, origins: Iterable[str], customer_ids: Iterable[int] = ()) -> None:
    """Group what stands around some origins as it was decided, and compose the customers that changed.

    Args:
        connection: in a transaction that writes.
        origins: of data source customers, there or not.
        customer_ids: customers that lost a data source customer, whose others are to be looked at too.
    """
    left_behind = set(customer_ids)
    rows, pairs = _around(connection, set(origins), left_behind)
    before = {row.customer_id for row in rows.values()} | left_behind
    behind_others = followers(pairs)
    wanted: dict[str, list[Any]] = {}
    for group in groups(rows, pairs):
        order = in_order(teller_of(rows[origin], behind_others) for origin in group)
        wanted[order[0].uuid] = [rows[teller.uuid] for teller in order]
    if wanted:
        _move(connection, wanted)
    after = set(_stands(connection, before | {row.customer_id for row in _again(connection, rows)}))
    # Contacts first: a customer counts those that are shown.
    compose_contacts(connection, after)
    compose(connection, after)
    _drop_empty(connection, before - after)


def leave(connection: Connection, origins: Iterable[str]) -> int:
    """Take origins from behind their customers; a customer with nobody behind it goes.

    Args:
        origins: uuids; those without a data source customer are passed over. Their contacts are gone already.

    Returns:
        How many customers went.
    """
    left = set(step_down(connection, origins).values())
    remaining = set(_stands(connection, left))
    _drop_empty(connection, left - remaining)
    if remaining:
        settle(connection, (), remaining)
    return len(left - remaining)


def _around(
    connection: Connection, origins: set[str], customer_ids: set[int]
) -> tuple[dict[str, Any], set[Pair]]:
    """The data source customers that are together now or by decision, however far that reaches."""
    rows: dict[str, Any] = {}
    query = select(DataSourceCustomer.__table__)
    nodes, pairs, seen = set(origins), set[Pair](), set[int]()
    while True:
        more, found = decisions.reached(connection, "customer", nodes)
        pairs |= found
        for row in select_in(connection, query, DataSourceCustomer.origin_uuid, more - rows.keys()):
            rows[row.origin_uuid] = row
        ids = ({row.customer_id for row in rows.values()} | customer_ids) - seen
        seen |= ids
        mates = select_in(connection, query, DataSourceCustomer.customer_id, ids)
        fresh = {row.origin_uuid for row in mates} - rows.keys()
        rows |= {row.origin_uuid: row for row in mates}
        nodes = fresh
        if not fresh:
            return rows, pairs


def _again(connection: Connection, rows: Mapping[str, Any]) -> list[Any]:
    return select_in(
        connection,
        select(DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id),
        DataSourceCustomer.origin_uuid,
        rows,
    )


def _stands(connection: Connection, ids: Iterable[int]) -> list[int]:
    query = select(DataSourceCustomer.customer_id).distinct()
    return [row[0] for row in select_in(connection, query, DataSourceCustomer.customer_id, ids)]


def teller_of(row: Any, behind_others: set[str]) -> Teller:
    """A data source customer as the order of a group sees it, whoever leads at present."""
    return Teller(
        row.origin_uuid,
        row.told,
        row.first_seen,
        row.last_seen,
        billing=row.kind == "billing",
        follows=row.origin_uuid in behind_others,
        name=row.external_id,
    )


def _move(connection: Connection, wanted: Mapping[str, Sequence[Any]]) -> None:
    """Put each group behind the customer that its leader names."""
    ids = _customers(connection, wanted)
    changed, moved = [], []
    for leader, rows in wanted.items():
        for row in rows:
            leads = row.origin_uuid == leader
            if (row.customer_id, row.leads) != (ids[leader], leads):
                changed.append({"id": row.id, "customer_id": ids[leader], "leads": leads})
            if row.customer_id != ids[leader]:
                moved.append({"b_from": row.customer_id, "b_to": ids[leader], "b_origin": row.origin_uuid})
    update_by_id(connection, DataSourceCustomer, changed)
    if moved:
        table = Contact.__table__
        theirs = (table.c.customer_id == bindparam("b_from")) & (table.c.origin_uuid == bindparam("b_origin"))
        connection.execute(update(Contact).where(theirs).values(customer_id=bindparam("b_to")), moved)


def _customers(connection: Connection, wanted: Mapping[str, Sequence[Any]]) -> dict[str, int]:
    """The ids of the customers that leaders name, made where there is none."""
    query = select(KeptUuid.origin_uuid, KeptUuid.uuid)
    kept = {row.origin_uuid: row.uuid for row in select_in(connection, query, KeptUuid.origin_uuid, wanted)}
    names = {leader: kept.get(leader, leader) for leader in wanted}
    by_uuid = _ids(connection, names.values())
    new = [leader for leader in wanted if names[leader] not in by_uuid]
    if new:
        rows = [_first_row(names[leader], wanted[leader][0]) for leader in new]
        connection.execute(insert(Customer), rows)
        by_uuid |= _ids(connection, [names[leader] for leader in new])
    return {leader: by_uuid[name] for leader, name in names.items()}


def _ids(connection: Connection, uuids: Iterable[str]) -> dict[str, int]:
    query = select(Customer.uuid, Customer.id)
    return {row.uuid: row.id for row in select_in(connection, query, Customer.uuid, uuids)}


def _first_row(uuid: str, row: Any) -> dict[str, Any]:
    """A customer as its leader tells it; composing adds the rest."""
    values = {"custom": {}, "name": None, "email": None} | row.told
    values |= {"first_seen": row.first_seen, "last_seen": row.last_seen}
    return customer_row(uuid, row.source_id, row.external_id, values, now())


def _drop_empty(connection: Connection, ids: Iterable[int]) -> None:
    delete_in(connection, Customer, Customer.id, ids)
