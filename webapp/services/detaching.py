"""Detaching a source that goes from merged customers: what stays is exactly what the other sources tell.

Who was one only through the source that goes is two again, as if it had never been.
The customer keeps its uuid, whoever led it, and what people wrote on it since it was merged: that was about
the customer, not about the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, or_, select
from sqlalchemy.orm import aliased

from webapp.domain.composing import followers, in_order
from webapp.models import (
    Contact,
    Customer,
    DataSourceCustomer,
    Decision,
    Edit,
    KeptUuid,
    Note,
    now,
)
from webapp.models.merging import MERGE
from webapp.services import decisions, following, keeping
from webapp.services.merging import settle, teller_of
from webapp.services.rows import chunks, delete_in, select_in, update_by_id, upsert
from webapp.services.standing import step_down

AT_ONCE = 1000
"""Merged customers that the request to delete a source detaches itself; more are left to the work."""


def detach(connection: Connection, source_id: int, most: int = AT_ONCE) -> int:
    """Take a source that goes from behind some merged customers, in the caller's transaction.

    Args:
        source_id: the source.
        most: how many of its data source customers at most.

    Returns:
        How many it was; 0 when it stands behind no merged customer any more.
    """
    going = _merged(connection, source_id, most)
    if not going:
        return 0
    behind = _behind(connection, {row.customer_id for row in going})
    staying = {id: [r for r in rows if r.source_id != source_id] for id, rows in behind.items()}
    leaving = {row.origin_uuid: row.customer_id for row in going}
    since = _since(connection, leaving)
    for origins in chunks(leaving):
        ends = or_(Decision.primary_now.in_(origins), Decision.other_now.in_(origins))
        connection.execute(delete(Decision).where(Decision.entity == "customer", ends))
    heirs = _heirs(connection, staying)
    _keep_uuids(connection, heirs)
    _hand_over(connection, source_id, {origin: heirs[id] for origin, id in leaving.items()}, since)
    _remove(connection, source_id, leaving, behind)
    return len(going)


def _merged(connection: Connection, source_id: int, most: int) -> list[Any]:
    mine, mate = aliased(DataSourceCustomer), aliased(DataSourceCustomer)
    together = (
        mine.customer_id == mate.customer_id,
        mine.source_id == source_id,
        mate.source_id != source_id,
    )
    query = select(mine.customer_id).join(mate, together[0]).where(*together[1:]).distinct().limit(most)
    # Who follows is in an index of its own, so customers of one source alone are never looked at.
    ids = {id for follower in (mine, mate) for id in connection.scalars(query.where(follower.follows))}
    rows = select(DataSourceCustomer.__table__).where(DataSourceCustomer.source_id == source_id)
    return select_in(connection, rows, DataSourceCustomer.customer_id, ids)


def _behind(connection: Connection, ids: set[int]) -> dict[int, list[Any]]:
    behind: dict[int, list[Any]] = {}
    query = select(DataSourceCustomer.__table__)
    for row in select_in(connection, query, DataSourceCustomer.customer_id, ids):
        behind.setdefault(row.customer_id, []).append(row)
    return behind


def _heirs(connection: Connection, staying: Mapping[int, Sequence[Any]]) -> dict[int, Any]:
    """By customer: the data source customer that leads it from now on."""
    rows = {row.origin_uuid: row for each in staying.values() for row in each}
    _, pairs = decisions.reached(connection, "customer", rows)
    behind_others = followers(pairs)
    return {
        id: rows[in_order(teller_of(row, behind_others) for row in each)[0].uuid]
        for id, each in staying.items()
    }


def _since(connection: Connection, origins: Iterable[str]) -> dict[str, int]:
    """When each origin was merged first."""
    query = select(Decision.__table__).where(Decision.entity == "customer", Decision.kind == MERGE)
    found: dict[str, int] = {}
    for end in (Decision.primary_now, Decision.other_now):
        for row in select_in(connection, query, end, origins):
            origin = getattr(row, end.key)
            found[origin] = min(row.created_at, found.get(origin, row.created_at))
    return found


def _keep_uuids(connection: Connection, heirs: Mapping[int, Any]) -> None:
    query = select(Customer.id, Customer.uuid)
    uuids = {row.id: row.uuid for row in select_in(connection, query, Customer.id, heirs)}
    rows = [
        {"origin_uuid": heir.origin_uuid, "source_id": heir.source_id, "uuid": uuids[id]}
        for id, heir in heirs.items()
        if uuids[id] != heir.origin_uuid
    ]
    delete_in(connection, KeptUuid, KeptUuid.uuid, [row["uuid"] for row in rows])
    upsert(connection, KeptUuid, rows, ("origin_uuid",))


def _hand_over(
    connection: Connection, source_id: int, heirs: Mapping[str, Any], since: Mapping[str, int]
) -> None:
    """Give what people wrote since the merge to who stays.

    Args:
        heirs: by the origin that leaves, the data source customer that leads from now on.
        since: when each origin was merged, in microseconds.
    """
    mine = (Edit.entity == "customer", Edit.source_id == source_id)
    query = select(Edit.origin_uuid, Edit.fields)
    edits = select_in(connection, query.where(*mine), Edit.origin_uuid, heirs)
    for edit in edits:
        heir = heirs[edit.origin_uuid]
        kept = {name: f for name, f in edit.fields.items() if f["at"] >= since.get(edit.origin_uuid, 0)}
        if kept:
            _hand_edit_over(connection, heir, kept)
    written = select(Note.id, Note.origin_uuid, Note.created_at)
    written = written.where(Note.entity == "customer", Note.source_id == source_id)
    notes = [
        {"id": note.id, **_named(connection, heirs[note.origin_uuid])}
        for note in select_in(connection, written, Note.origin_uuid, heirs)
        if note.created_at >= since.get(note.origin_uuid, 0)
    ]
    update_by_id(connection, Note, notes)


def _hand_edit_over(connection: Connection, heir: Any, fields: Mapping[str, Any]) -> None:
    before = select(Edit.fields).where(Edit.entity == "customer", Edit.said_of == heir.origin_uuid)
    row = {"entity": "customer", **_named(connection, heir), "updated_at": now()}
    row["fields"] = {**(connection.scalar(before) or {}), **fields}
    upsert(connection, Edit, [row], ("entity", "said_of"))


def _named(connection: Connection, heir: Any) -> dict[str, Any]:
    uuid, source_id = heir.origin_uuid, heir.source_id
    key = following.keys_of(connection, {uuid: source_id}).get(uuid)
    return {"said_of": uuid, "said_key": key, "origin_uuid": uuid, "source_id": source_id}


def _remove(
    connection: Connection, source_id: int, leaving: Iterable[str], customer_ids: Iterable[int]
) -> None:
    ids = sorted(customer_ids)
    for chunk in chunks(ids):
        theirs = (Contact.source_id == source_id, Contact.customer_id.in_(chunk))
        keeping.release(connection, connection.scalars(select(Contact.id).where(*theirs)).all())
        connection.execute(delete(Contact).where(*theirs))
    step_down(connection, leaving)
    settle(connection, (), ids)
