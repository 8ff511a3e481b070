"""Detaching a source that goes from merged customers: what stays is exactly what the other sources tell.

Who was one only through the source that goes is two again, as if it had never been. The customer keeps its
uuid, whoever led it, and what people wrote on it since it was merged: that was about the customer, not about
the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, delete, or_, select
from sqlalchemy.orm import aliased

from webapp.domain.composing import followers, in_order
from webapp.models import Contact, Customer, DataSourceCustomer, Decision, KeptUuid
from webapp.models.merging import MERGE
from webapp.services import decisions
from webapp.services.billing.subscriptions import part_connections
from webapp.services.composing import behind_customers
from webapp.services.composing_contacts import compose_contacts
from webapp.services.inheriting import Heir, hand_over
from webapp.services.merging import settle, teller_of
from webapp.services.pacing import within
from webapp.services.rows import chunks, delete_in, select_in, upsert
from webapp.services.standing import step_down

AT_ONCE = 1000
"""Merged customers that the request to delete a source detaches itself; more are left to the work."""
CONTACTS = 2000
"""Contacts that the customers have that are detached at once, unless a single one has more."""


def detach(connection: Connection, source_id: int, most: int = AT_ONCE) -> int:
    """Take a source that goes from behind some merged customers, in the caller's transaction.

    Args:
        source_id: the source.
        most: how many of its merged customers, or of the decisions about it, at most.

    Returns:
        How many it was; 0 when it stands behind no merged customer any more, and nothing is decided about it.
    """
    going = _merged(connection, source_id, most)
    if not going:
        return _forget_decisions(connection, source_id, most)
    ids = {row.customer_id for row in going}
    origins = {row.origin_uuid for row in going}
    since = _since(connection, origins)
    _delete_decisions(connection, "customer", origins)
    behind = behind_customers(connection, ids)
    staying = {row.origin_uuid: row for rows in behind.values() for row in rows if row.source_id != source_id}
    leaders = _leaders(connection, staying)
    _keep_uuids(connection, leaders)
    hand_over(connection, "customer", source_id, _heirs(going, leaders, since))
    contacts = _contacts(connection, ids)
    for chunk in chunks(sorted(ids)):
        theirs = (Contact.source_id == source_id, Contact.customer_id.in_(chunk))
        connection.execute(delete(Contact).where(*theirs))
    step_down(connection, origins)
    settle(connection, lost=ids)
    part_connections(connection, staying)
    _hand_over_contacts(connection, source_id, contacts, since)
    return len(going)


def _merged(connection: Connection, source_id: int, most: int) -> list[Any]:
    """The source's data source customers of some customers that other sources stand behind too."""
    mine, mate = aliased(DataSourceCustomer), aliased(DataSourceCustomer)
    together = (
        mine.customer_id == mate.customer_id,
        mine.source_id == source_id,
        mate.source_id != source_id,
    )
    query = select(mine.customer_id).join(mate, together[0]).where(*together[1:]).distinct().limit(most)
    # Who follows is in an index of its own, so customers of one source alone are never looked at.
    ids = {id for follower in (mine, mate) for id in connection.scalars(query.where(follower.follows))}
    sizes = select_in(connection, select(Customer.id, Customer.contacts), Customer.id, ids)
    last = within(sorted((row.id, row.contacts) for row in sizes), CONTACTS)
    ids = {id for id in ids if id <= last}
    rows = select(DataSourceCustomer.__table__).where(DataSourceCustomer.source_id == source_id)
    return select_in(connection, rows, DataSourceCustomer.customer_id, ids)


def _forget_decisions(connection: Connection, source_id: int, most: int) -> int:
    """Forget what is decided about records that stand behind nothing now; who was one through them is two."""
    ours = or_(Decision.primary_source_id == source_id, Decision.other_source_id == source_id)
    query = select(Decision.__table__).where(ours).order_by(Decision.id).limit(most)
    rows = connection.execute(query).all()
    delete_in(connection, Decision, Decision.id, [row.id for row in rows])
    for entity in ("customer", "contact"):
        ends = {
            end.now
            for row in rows
            if row.entity == entity and row.kind == MERGE
            for end in decisions.ends_of(row)
            if end.source_id != source_id
        }
        if ends and entity == "customer":
            settle(connection, ends)
        elif ends:
            under = select_in(connection, select(Contact.customer_id), Contact.uuid, ends)
            compose_contacts(connection, {row.customer_id for row in under}, ends)
    return len(rows)


def _delete_decisions(connection: Connection, entity: str, origins: Iterable[str]) -> None:
    for chunk in chunks(sorted(origins)):
        ends = or_(Decision.primary_now.in_(chunk), Decision.other_now.in_(chunk))
        connection.execute(delete(Decision).where(Decision.entity == entity, ends))


def _leaders(connection: Connection, staying: Mapping[str, Any]) -> dict[int, Any]:
    """By customer the data source customer that bears its uuid once the source has gone.

    It is the one that leads it now, if that stays. Others may no longer be one with it.
    """
    behind_others = followers(decisions.reached(connection, "customer", staying)[1])
    tellers = (replace(teller_of(row, behind_others), rank=not row.leads) for row in staying.values())
    order = in_order(tellers)
    leaders: dict[int, Any] = {}
    for teller in order:
        leaders.setdefault(staying[teller.uuid].customer_id, staying[teller.uuid])
    return leaders


def _heirs(going: Iterable[Any], leaders: Mapping[int, Any], since: Mapping[str, int]) -> dict[str, Heir]:
    heirs = {}
    for row in going:
        leader, merged_at = leaders[row.customer_id], since.get(row.origin_uuid, 0)
        heirs[row.origin_uuid] = Heir(leader.origin_uuid, leader.source_id, merged_at, row.leads)
    return heirs


def _since(connection: Connection, origins: Iterable[str]) -> dict[str, int]:
    """When each origin was merged first."""
    known = set(origins)
    found: dict[str, int] = {}
    for row in decisions.about(connection, "customer", known, MERGE):
        for origin in known & {row.primary_now, row.other_now}:
            found[origin] = min(row.created_at, found.get(origin, row.created_at))
    return found


def _keep_uuids(connection: Connection, leaders: Mapping[int, Any]) -> None:
    query = select(Customer.id, Customer.uuid)
    uuids = {row.id: row.uuid for row in select_in(connection, query, Customer.id, leaders)}
    rows = [
        {"origin_uuid": leader.origin_uuid, "source_id": leader.source_id, "uuid": uuids[id]}
        for id, leader in leaders.items()
        if uuids[id] != leader.origin_uuid
    ]
    delete_in(connection, KeptUuid, KeptUuid.uuid, [row["uuid"] for row in rows])
    upsert(connection, KeptUuid, rows, ("origin_uuid",))


def _contacts(connection: Connection, customer_ids: Iterable[int]) -> list[Any]:
    """The contacts of some customers that are shown as the same human as another, and those others."""
    columns = (Contact.id, Contact.uuid, Contact.source_id, Contact.origin_uuid, Contact.within_id)
    query = select(*columns, Contact.customer_id)
    inside = query.where(Contact.within_id.is_not(None))
    rows = select_in(connection, inside, Contact.customer_id, customer_ids)
    return rows + select_in(connection, query, Contact.id, {row.within_id for row in rows})


def _hand_over_contacts(
    connection: Connection, source_id: int, before: Sequence[Any], since: Mapping[str, int]
) -> None:
    """Give what people wrote on contacts that went to those that were shown as the same human.

    Args:
        before: the contacts of the customers as they were, of `_contacts`.
        since: by origin when the customers were merged; what is older goes.
    """
    query = select(Contact.id, Contact.uuid, Contact.source_id, Contact.customer_id, Contact.within_id)
    there = {row.id: row for row in select_in(connection, query, Contact.id, [row.id for row in before])}
    together: dict[int, list[Any]] = {}
    for row in before:
        together.setdefault(row.within_id or row.id, []).append(row)
    heirs: dict[str, Heir] = {}
    for rows in together.values():
        stayed = min((there[row.id] for row in rows if row.id in there), key=lambda row: row.id, default=None)
        if stayed is not None:
            shown = there.get(stayed.within_id, stayed)
            for row in rows:
                if row.source_id == source_id:
                    first = row.within_id is None
                    merged_at = since.get(row.origin_uuid, 0)
                    heirs[row.uuid] = Heir(shown.uuid, shown.source_id, merged_at, first)
    given = hand_over(connection, "contact", source_id, heirs)
    compose_contacts(connection, {row.customer_id for row in there.values() if row.uuid in given}, given)
