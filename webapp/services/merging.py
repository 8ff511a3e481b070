"""Merging: which data source customers stand behind one customer, as it was decided.

`settle` makes the tables what the decisions say, for the customers around some origins. All verbs write a
decision and settle; projecting, re-syncing and deleting settle what they touch. So it cannot matter whether
two customers were merged before an event came, or after.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, text, update

from webapp.domain.composing import Teller, followers, groups, in_order
from webapp.models import Contact, Customer, DataSourceCustomer, now
from webapp.services import contact_counts, decisions
from webapp.services.arrays import pack
from webapp.services.composing import BEHIND, compose
from webapp.services.composing_contacts import compose_contacts
from webapp.services.rows import delete_in, select_in, update_by_id
from webapp.services.standing import CUSTOMER_IDS, customer_row, customer_uuids, step_down

Pair = tuple[str, str]
_MOVE = text(
    "UPDATE contacts SET customer_id = told.goes_to, updated_at = :moment "
    "FROM unnest(CAST(:came_from AS BIGINT[]), CAST(:origins AS TEXT[]), CAST(:goes_to AS BIGINT[])) "
    "AS told (came_from, origin, goes_to) "
    "WHERE contacts.customer_id = told.came_from AND contacts.origin_uuid = told.origin"
)


_STANDS = select(DataSourceCustomer.customer_id).distinct()
_MOVE_ONE = (
    update(Contact)
    .where(Contact.customer_id == bindparam("came_from"), Contact.origin_uuid == bindparam("origin"))
    .values(customer_id=bindparam("goes_to"), updated_at=bindparam("moment"))
)


def settle(
    connection: Connection,
    origins: Iterable[str] = (),
    lost: Iterable[int] = (),
    changed: Iterable[int] = (),
) -> set[int]:
    """Group what stands around some origins as it was decided, and compose the customers.

    Args:
        connection: in a transaction that holds the locks of all sources that stand there.
        origins: of data source customers, there or not.
        lost: ids of customers that lost a data source customer, whose others are to be looked at too.
        changed: ids of customers of which a source tells something else, which may change who leads.

    Returns:
        The ids of the customers whose contacts were composed, all of them.
    """
    left = set(lost)
    rows, pairs = _around(connection, set(origins), left | set(changed))
    regrouped = _move(connection, _in_groups(rows.values(), pairs)) | left
    compose_contacts(connection, regrouped, counting=False)
    before = {row.customer_id for row in rows.values()} | left
    standing = set(_stands(connection, before | regrouped))
    # Counts go with the rest: a customer's row has many indexes, so it is written once.
    compose(connection, standing, contact_counts.of(connection, regrouped & standing))
    delete_in(connection, Customer, Customer.id, before - standing)
    return regrouped


def leave(connection: Connection, origins: Iterable[str]) -> int:
    """Take origins from behind their customers; a customer with nobody behind it goes.

    Args:
        origins: uuids; those without a data source customer are passed over. Their contacts are gone already.

    Returns:
        How many customers went.
    """
    left = set(step_down(connection, origins).values())
    remaining = set(_stands(connection, left))
    delete_in(connection, Customer, Customer.id, left - remaining)
    if remaining:
        settle(connection, lost=remaining)
    return len(left - remaining)


def _around(
    connection: Connection, origins: set[str], customer_ids: set[int]
) -> tuple[dict[str, Any], set[Pair]]:
    """The data source customers that are together now or by decision, however far that reaches.

    Returns:
        Their rows by origin, and what was decided, as (primary, other).
    """
    rows: dict[str, Any] = {}
    pairs: set[Pair] = set()
    asked, seen = set[str](), set[int]()
    fresh, ids = origins, customer_ids
    while fresh or ids:
        reached, found = decisions.reached(connection, "customer", fresh) if fresh else (set[str](), set())
        pairs |= found
        asked |= reached
        here = select_in(connection, BEHIND, DataSourceCustomer.origin_uuid, reached - rows.keys())
        ids = (ids | {row.customer_id for row in here}) - seen
        seen |= ids
        here += select_in(connection, BEHIND, DataSourceCustomer.customer_id, ids)
        rows |= {row.origin_uuid: row for row in here}
        fresh, ids = rows.keys() - asked, set()
    return rows, pairs


def _in_groups(rows: Iterable[Any], pairs: set[Pair]) -> list[list[Any]]:
    """Data source customers by the customer that they make, each list in order, the primary first."""
    by_origin = {row.origin_uuid: row for row in rows}
    behind_others = followers(pairs)
    tellers = {origin: teller_of(row, behind_others) for origin, row in by_origin.items()}
    return [
        [by_origin[teller.uuid] for teller in in_order(tellers[origin] for origin in group)]
        for group in groups(by_origin, pairs)
    ]


def teller_of(row: Any, behind_others: set[str]) -> Teller:
    """A data source customer in the order of those that are decided to be one."""
    return Teller(
        row.origin_uuid,
        row.told,
        row.first_seen,
        row.last_seen,
        billing=row.kind == "billing",
        follows=row.origin_uuid in behind_others,
        name=row.external_id,
    )


def _stands(connection: Connection, ids: Iterable[int]) -> list[int]:
    return [row[0] for row in select_in(connection, _STANDS, DataSourceCustomer.customer_id, ids)]


def _move(connection: Connection, wanted: Sequence[Sequence[Any]]) -> set[int]:
    """Put each group behind the customer that its leader names.

    Returns:
        The ids of the customers that somebody came to or went from, or that somebody else leads now.
    """
    ids = _customers(connection, [rows[0] for rows in wanted])
    changed, touched = [], set[int]()
    moved: list[tuple[int, str, int]] = []
    for leader, *others in wanted:
        to = ids[leader.origin_uuid]
        for row in (leader, *others):
            leads = row is leader
            if (row.customer_id, row.leads) != (to, leads):
                changed.append({"id": row.id, "customer_id": to, "leads": leads})
                touched |= {row.customer_id, to}
            if row.customer_id != to:
                moved.append((row.customer_id, row.origin_uuid, to))
    update_by_id(connection, DataSourceCustomer, changed)
    _move_contacts(connection, moved)
    return touched


def _move_contacts(connection: Connection, moved: Sequence[tuple[int, str, int]]) -> None:
    """Let contacts go with the data source customer that they are under.

    Args:
        moved: the id of the customer that it came from, its origin, the id of the one it goes to.
    """
    moment = now()
    if connection.dialect.name == "postgresql" and moved:
        came_from, origins, goes_to = zip(*moved, strict=True)
        ids = Contact.__table__.c.customer_id.type
        told = {"came_from": pack(ids, came_from), "goes_to": pack(ids, goes_to), "moment": moment}
        told["origins"] = pack(Contact.__table__.c.origin_uuid.type, origins)
        connection.execute(_MOVE, told)
    elif moved:
        rows = [
            {"came_from": id, "origin": origin, "goes_to": to, "moment": moment} for id, origin, to in moved
        ]
        connection.execute(_MOVE_ONE, rows)


def _customers(connection: Connection, leaders: Sequence[Any]) -> dict[str, int]:
    """The ids of the customers that leaders name, made where there is none."""
    names = customer_uuids(connection, [row.origin_uuid for row in leaders])
    by_uuid = _ids(connection, names.values())
    new = [row for row in leaders if names[row.origin_uuid] not in by_uuid]
    if new:
        moment = now()
        connection.execute(insert(Customer), [_first_row(names[row.origin_uuid], row, moment) for row in new])
        by_uuid |= _ids(connection, [names[row.origin_uuid] for row in new])
    return {origin: by_uuid[name] for origin, name in names.items()}


def _ids(connection: Connection, uuids: Iterable[str]) -> dict[str, int]:
    return {row.uuid: row.id for row in select_in(connection, CUSTOMER_IDS, Customer.uuid, uuids)}


def _first_row(uuid: str, row: Any, moment: int) -> dict[str, Any]:
    """A customer as its leader tells it; composing adds the rest."""
    values = {"custom": {}, "name": None, "email": None} | row.told
    values |= {"first_seen": row.first_seen, "last_seen": row.last_seen}
    return customer_row(uuid, row.source_id, row.external_id, values, moment) | {"created_at": row.created_at}
