"""Composing contacts: one human of whom two sources of a merged customer tell is shown once.

Each source's contact keeps its row. The one that leads shows the others too; these stand within it and out of
sight, with their own values in their columns. What a leading contact's own source tells is kept in `own`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, func, or_, select

from webapp.domain.composing import CONTACT_VALUES, Fields, Teller, composed, followers, groups, in_order
from webapp.domain.policy import full_name
from webapp.domain.text import indexed
from webapp.models import Contact, DataSourceCustomer, now
from webapp.models.base import folded
from webapp.services import decisions
from webapp.services.composing import edits_of
from webapp.services.rows import select_in, update_by_id
from webapp.services.standing import searchable

TOLD = (*CONTACT_VALUES, "custom", "first_seen", "last_seen")


def compose_contacts(
    connection: Connection, customer_ids: Iterable[int], uuids: Iterable[str] | None = None
) -> None:
    """Show each human of some customers once, with what every source tells, in the caller's transaction.

    Args:
        customer_ids: whose contacts.
        uuids: only these contacts and those that may be the same human; None: all.
    """
    ids = sorted(set(customer_ids))
    if not ids:
        return
    rows = _rows(connection, ids, uuids)
    standing = _standing(connection, {row.origin_uuid for row in rows})
    together, pairs = _together(connection, rows, standing)
    hands = edits_of(connection, "contact", [row.uuid for row in rows])
    behind_others = followers(pairs)
    changed = []
    for group in together:
        order = in_order(_teller(row, standing, behind_others) for row in group)
        changed += _changes({row.uuid: row for row in group}, order, hands)
    update_by_id(connection, Contact, changed)


def in_order_of(connection: Connection, rows: Sequence[Any]) -> list[Any]:
    """The contacts of one human, the one that is shown first.

    Args:
        rows: of `contacts`.
    """
    by_uuid = {row.uuid: row for row in rows}
    standing = _standing(connection, {row.origin_uuid for row in rows})
    _, pairs = decisions.reached(connection, "contact", by_uuid)
    order = in_order(_teller(row, standing, followers(pairs)) for row in rows)
    return sorted(
        (by_uuid[teller.uuid] for teller in order), key=lambda row: row.within_id is not None
    )


def own_values(row: Any) -> Mapping[str, Any]:
    """What a contact's own source tells, whatever its columns show."""
    return row.own if row.own is not None else {name: getattr(row, name) for name in TOLD}


def _rows(connection: Connection, ids: Sequence[int], uuids: Iterable[str] | None) -> list[Any]:
    query = select(Contact.__table__)
    if uuids is None:
        return select_in(connection, query, Contact.customer_id, ids)
    some = sorted(set(uuids))
    _, pairs = decisions.reached(connection, "contact", some)
    touched = select_in(connection, query, Contact.uuid, {*some, *(end for pair in pairs for end in pair)})
    shown = {row.id for row in touched} | {row.within_id for row in touched if row.within_id is not None}
    emails = sorted({email for row in touched if (email := _email(row)) is not None})
    there = query.where(Contact.customer_id.in_(ids))
    mates = [
        row
        for condition in (
            or_(Contact.id.in_(sorted(shown)), Contact.within_id.in_(sorted(shown))),
            func.lower(Contact.email).in_(emails),
        )
        for row in connection.execute(there.where(condition)).all()
    ]
    # What touches these touches theirs as well: who shared another address with somebody now alone.
    known = {row.id: row for row in (*touched, *mates) if row.customer_id in set(ids)}
    again = sorted({row.within_id for row in known.values() if row.within_id is not None} - known.keys())
    known |= {row.id: row for row in select_in(connection, there, Contact.id, again)}
    return list(known.values())


def _standing(connection: Connection, origins: Iterable[str]) -> dict[str, Any]:
    query = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.leads, DataSourceCustomer.kind)
    return {
        row.origin_uuid: row for row in select_in(connection, query, DataSourceCustomer.origin_uuid, origins)
    }


def _email(row: Any) -> str | None:
    email = own_values(row)["email"]
    return email.lower() if email else None


def _together(
    connection: Connection, rows: Sequence[Any], standing: Mapping[str, Any]
) -> tuple[list[list[Any]], set[tuple[str, str]]]:
    """Contacts that are one human: decided to be, or told of with one e-mail by two sources of a customer."""
    by_uuid = {row.uuid: row for row in rows}
    _, pairs = decisions.reached(connection, "contact", by_uuid)
    apart = decisions.apart(connection, "contact", by_uuid)
    pairs = {
        (one, other)
        for one, other in pairs
        if one in by_uuid and other in by_uuid and by_uuid[one].customer_id == by_uuid[other].customer_id
    }
    same = pairs | {
        (one.uuid, other.uuid)
        for one, other in _sharing_an_email(rows, standing)
        if (one.uuid, other.uuid) not in apart and (other.uuid, one.uuid) not in apart
    }
    return [[by_uuid[uuid] for uuid in group] for group in groups(by_uuid, same)], pairs


def _sharing_an_email(rows: Sequence[Any], standing: Mapping[str, Any]) -> Iterable[tuple[Any, Any]]:
    by_email: dict[tuple[int, str], list[Any]] = {}
    for row in rows:
        if (email := _email(row)) is not None:
            by_email.setdefault((row.customer_id, email), []).append(row)
    for sharing in by_email.values():
        if len({row.source_id for row in sharing}) > 1:
            by_uuid = {row.uuid: row for row in sharing}
            first = by_uuid[in_order(_teller(row, standing, set()) for row in sharing)[0].uuid]
            # Two of one source are two humans to it, and stay two.
            yield from ((first, row) for row in sharing if row.source_id != first.source_id)


def _teller(row: Any, standing: Mapping[str, Any], behind_others: set[str]) -> Teller:
    own = own_values(row)
    under = standing.get(row.origin_uuid)
    return Teller(
        row.uuid,
        own,
        own["first_seen"],
        own["last_seen"],
        billing=under is not None and under.kind == "billing",
        follows=row.uuid in behind_others,
        rank=0 if under is None or under.leads else 1,
        name=own["user_id"] or own["email"] or "",
    )


def _changes(
    rows: Mapping[str, Any], order: Sequence[Teller], hands: Mapping[str, Fields]
) -> list[dict[str, Any]]:
    leader = rows[order[0].uuid]
    edited = [hands.get(teller.uuid, {}) for teller in order]
    more = len(order) > 1 or any(edited)
    shown = composed(order, edited, CONTACT_VALUES) if more else dict(order[0].told)
    columns = [_columns(leader, shown, None, dict(order[0].told) if more else None, order)]
    columns += [_columns(rows[t.uuid], t.told, leader.id, None, [t]) for t in order[1:]]
    return [row | {"updated_at": now()} for row in columns if _differs(rows, row)]


def _columns(
    row: Any,
    values: Mapping[str, Any],
    within: int | None,
    own: dict[str, Any] | None,
    order: Sequence[Teller],
) -> dict[str, Any]:
    name = full_name({key: values[key] for key in ("first_name", "last_name") if values[key]})
    ids = [teller.told["user_id"] for teller in order]
    return {
        "id": row.id,
        **{key: values[key] for key in TOLD},
        "within_id": within,
        "own": own,
        "sort_name": indexed(folded(name or values["email"] or values["user_id"] or "")),
        "search": searchable(name, values["email"], values["user_id"], *ids),
    }


def _differs(rows: Mapping[str, Any], columns: Mapping[str, Any]) -> bool:
    before = next(row for row in rows.values() if row.id == columns["id"])
    return any(getattr(before, name) != value for name, value in columns.items())
