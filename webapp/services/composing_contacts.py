"""Composing contacts: one human of whom two sources of a merged customer tell is shown once.

Each source's contact keeps its row. The one that leads shows the others too; these stand within it and out of
sight, with their own values in their columns. What a leading contact's own source tells is kept in `own`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, collate, func, or_, select

from webapp.domain.composing import (
    CONTACT_VALUES,
    Fields,
    Teller,
    alike,
    composed,
    followers,
    groups,
    in_order,
)
from webapp.models import Contact, DataSourceCustomer, Decision, now
from webapp.services import contact_counts, decisions
from webapp.services.composing import edits_of
from webapp.services.contact_rows import TOLD, names, own_values
from webapp.services.rows import chunks, select_in, update_by_id

Pair = tuple[str, str]
LARGE = 1000
"""Contacts of a customer from which on only those that have to do with others are looked at."""


def compose_contacts(
    connection: Connection,
    customer_ids: Iterable[int],
    uuids: Iterable[str] | None = None,
    counting: bool = True,
) -> None:
    """Show each human of some customers once, with what every source tells, in the caller's transaction.

    Args:
        connection: holds the locks of the sources that stand behind the customers.
        customer_ids: whose contacts.
        uuids: only these contacts and those that are, were or may be the same human; None: all.
        counting: whether their customers' numbers of contacts follow; else the caller writes them.
    """
    ids = set(customer_ids)
    if not ids:
        return
    rows = _all(connection, ids) if uuids is None else _around(connection, ids, set(uuids))
    if not rows:
        return
    standing = _standing(connection, {row.origin_uuid for row in rows})
    together, pairs = _together(connection, rows, standing)
    edits = edits_of(connection, "contact", [row.uuid for row in rows])
    behind_others = followers(pairs)
    moment = now()
    changed: list[dict[str, Any]] = []
    counts: dict[int, int] = {}
    for group in together:
        order = in_order(_teller(row, standing, behind_others) for row in group)
        for before, columns in _changes({row.uuid: row for row in group}, order, edits):
            changed.append(columns | {"id": before.id, "updated_at": moment})
            shown = (columns["within_id"] is None) - (before.within_id is None)
            counts[before.customer_id] = counts.get(before.customer_id, 0) + shown
    update_by_id(connection, Contact, changed)
    if counting:
        contact_counts.add(connection, counts, moment)


def in_order_of(connection: Connection, rows: Sequence[Any]) -> list[Any]:
    """The contacts of one human, the one that is shown first.

    Args:
        rows: of `contacts`.
    """
    by_uuid = {row.uuid: row for row in rows}
    standing = _standing(connection, {row.origin_uuid for row in rows})
    _, pairs = decisions.reached(connection, "contact", by_uuid)
    order = in_order(_teller(row, standing, followers(pairs)) for row in rows)
    return sorted((by_uuid[teller.uuid] for teller in order), key=lambda row: row.within_id is not None)


def _all(connection: Connection, customer_ids: set[int]) -> list[Any]:
    """All contacts of some customers; of those with many only those that may be others than they are."""
    sizes = select(Contact.customer_id, func.count().label("number")).group_by(Contact.customer_id)
    counted = select_in(connection, sizes, Contact.customer_id, customer_ids)
    large = {row.customer_id for row in counted if row.number > LARGE}
    rows = select_in(connection, select(Contact.__table__), Contact.customer_id, customer_ids - large)
    return rows + _around(connection, large, _concerned(connection, large)) if large else rows


def _concerned(connection: Connection, customer_ids: set[int]) -> set[str]:
    """Contacts of some customers that show, or are to show, more than their own source's word.

    Who people edited does so already.
    """
    query = select(Contact.uuid)
    showing = or_(Contact.own.is_not(None), Contact.within_id.is_not(None))
    found = select_in(connection, query.where(showing), Contact.customer_id, customer_ids)
    for end in (Decision.primary_now, Decision.other_now):
        decided = query.join(Decision, end == Contact.uuid).where(Decision.entity == "contact")
        found += select_in(connection, decided, Contact.customer_id, customer_ids)
    shared = _with_several_sources(connection, customer_ids)
    (email, _) = _emails(connection)
    told = select(email.label("email")).where(Contact.email.is_not(None)).group_by(Contact.customer_id, email)
    told = told.having(func.min(Contact.source_id) != func.max(Contact.source_id))
    emails = {row.email for row in select_in(connection, told, Contact.customer_id, shared)}
    return {row.uuid for row in (*found, *_with_emails(connection, query, shared, emails))}


def _around(connection: Connection, customer_ids: set[int], uuids: set[str]) -> list[Any]:
    """Contacts with all of the customers' that are, were or may be one with them, however far that leads."""
    query = select(Contact.__table__)
    shared = _with_several_sources(connection, customer_ids) if uuids else set()
    found: dict[int, Any] = {}
    emails: set[str] = set()
    asked, fresh = set[str](), set(uuids)
    while fresh:
        decided, _ = decisions.reached(connection, "contact", fresh)
        rows = select_in(connection, query, Contact.uuid, (fresh | decided) - asked)
        asked |= fresh | decided
        heads = {row.id if row.within_id is None else row.within_id for row in rows}
        for column in (Contact.id, Contact.within_id):
            rows += select_in(connection, query, column, heads)
        told = {email for row in rows if row.customer_id in shared and (email := _email(row))} - emails
        emails |= told
        rows += _with_emails(connection, query, shared, told)
        found |= {row.id: row for row in rows if row.customer_id in customer_ids}
        fresh = {row.uuid for row in found.values()} - asked
    return list(found.values())


def _with_several_sources(connection: Connection, customer_ids: Iterable[int]) -> set[int]:
    query = select(DataSourceCustomer.customer_id).group_by(DataSourceCustomer.customer_id)
    query = query.having(func.min(DataSourceCustomer.source_id) != func.max(DataSourceCustomer.source_id))
    return {row[0] for row in select_in(connection, query, DataSourceCustomer.customer_id, customer_ids)}


def _with_emails(
    connection: Connection, query: Any, customer_ids: Collection[int], emails: Iterable[str]
) -> list[Any]:
    """The contacts of some customers of whom some source tells one of some e-mails."""
    if not customer_ids:
        return []
    found = []
    for chunk in chunks(sorted(emails)):
        told = or_(*(email.in_(chunk) for email in _emails(connection)))
        found += select_in(connection, query.where(told), Contact.customer_id, customer_ids)
    return found


def _emails(connection: Connection) -> tuple[Any, Any]:
    """The e-mails that a contact shows and that its source tells, as `_email` compares them."""
    columns: tuple[Any, ...] = (Contact.email, Contact.own["email"].as_string())
    if connection.dialect.name == "postgresql":  # so that it changes the letters A to Z only, as SQLite does
        columns = tuple(collate(column, "C") for column in columns)
    shown, told = (func.lower(column) for column in columns)
    return shown, told


def _standing(connection: Connection, origins: Iterable[str]) -> dict[str, Any]:
    query = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.leads, DataSourceCustomer.kind)
    return {
        row.origin_uuid: row for row in select_in(connection, query, DataSourceCustomer.origin_uuid, origins)
    }


def _email(row: Any) -> str | None:
    """The e-mail that a contact's source tells, as it is compared: the letters A to Z in any case."""
    email = own_values(row)["email"]
    return email.encode().lower().decode() if email else None


def _together(
    connection: Connection, rows: Sequence[Any], standing: Mapping[str, Any]
) -> tuple[list[list[Any]], set[Pair]]:
    """Contacts that are one human: decided to be, or told of with one e-mail by two sources of a customer."""
    by_uuid = {row.uuid: row for row in rows}
    pairs = {
        (one, other)
        for one, other in decisions.reached(connection, "contact", by_uuid)[1]
        if one in by_uuid and other in by_uuid and by_uuid[one].customer_id == by_uuid[other].customer_id
    }
    apart = {frozenset(pair) for pair in decisions.apart(connection, "contact", by_uuid)}
    same = [pair for pair in _sharing_an_email(rows, standing) if frozenset(pair) not in apart]
    return [[by_uuid[uuid] for uuid in group] for group in groups(by_uuid, [*pairs, *same])], pairs


def _sharing_an_email(rows: Sequence[Any], standing: Mapping[str, Any]) -> Iterator[Pair]:
    """Of each source the first with an e-mail: two of one source are two humans to it, and stay two."""
    by_email: dict[tuple[int, str], list[Any]] = {}
    for row in rows:
        if (email := _email(row)) is not None:
            by_email.setdefault((row.customer_id, email), []).append(row)
    for sharing in by_email.values():
        source_of = {row.uuid: row.source_id for row in sharing}
        if len(set(source_of.values())) > 1:
            first_of: dict[int, str] = {}
            for teller in in_order(_teller(row, standing, set()) for row in sharing):
                first_of.setdefault(source_of[teller.uuid], teller.uuid)
            first, *others = first_of.values()
            yield from ((first, other) for other in others)


def _teller(row: Any, standing: Mapping[str, Any], behind_others: Collection[str]) -> Teller:
    own = own_values(row)
    under = standing.get(row.origin_uuid)
    follows = row.uuid in behind_others
    # What was decided of two contacts comes before what was decided of their customers.
    rank = (2 if follows else 0) + (0 if under is None or under.leads else 1)
    return Teller(
        row.uuid,
        own,
        own["first_seen"],
        own["last_seen"],
        billing=under is not None and under.kind == "billing",
        follows=follows,
        rank=rank,
        name=own["user_id"] or own["email"] or "",
    )


def _changes(
    rows: Mapping[str, Any], order: Sequence[Teller], edits: Mapping[str, Fields]
) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The rows of one human that are to be others, with what they are to be."""
    leader = rows[order[0].uuid]
    edited = [edits.get(teller.uuid, {}) for teller in order]
    more = len(order) > 1 or any(edited)
    own = dict(order[0].told) if more else None
    shown = composed(order, edited, CONTACT_VALUES) if more else order[0].told
    wanted = [(leader, _columns(shown, None, own, order))]
    wanted += [(rows[each.uuid], _columns(each.told, leader.id, None, [each])) for each in order[1:]]
    for row, columns in wanted:
        if not all(alike(getattr(row, name), value) for name, value in columns.items()):
            yield row, columns


def _columns(
    values: Mapping[str, Any], within: int | None, own: dict[str, Any] | None, order: Sequence[Teller]
) -> dict[str, Any]:
    more = [teller.told[name] for name in ("user_id", "email") for teller in order]
    return {name: values[name] for name in TOLD} | names(values, *more) | {"within_id": within, "own": own}
