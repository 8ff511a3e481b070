"""Keeping what people and automations decided and set, whatever a source tells: after each placing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, select

from webapp.models import Contact, DataSourceCustomer, Edit, now
from webapp.services import contact_counts, decisions, following
from webapp.services.composing_contacts import compose_contacts
from webapp.services.merging import settle
from webapp.services.rows import select_in, update_by_id
from webapp.services.standing import Stood

_WITHIN = select(Contact.id, Contact.uuid, Contact.customer_id)
_EDITED = select(Edit.origin_uuid).where(Edit.entity == bindparam("entity"))
_BEHIND = select(DataSourceCustomer.customer_id)
_UNDER = select(Contact.customer_id)


@dataclass(frozen=True, slots=True)
class Touched:
    """What a placing may have changed, beside customers.

    Attributes:
        persons: uuids of persons that are there, and of those that are no more.
        contacts: uuids of contacts that were written, or that came out of one that went.
        showing: ids of the customers of these, now and before, where contacts may show more than one source's
            word.
        among: those of the contacts that are or were under them.
    """

    persons: frozenset[str] = frozenset()
    contacts: frozenset[str] = frozenset()
    showing: frozenset[int] = frozenset()
    among: frozenset[str] = frozenset()


def keep(connection: Connection, source_id: int, stood: Stood, touched: Touched) -> int:
    """Let decisions and edits hold for what a placing wrote, in its transaction.

    Where nobody decided or wrote anything this is one look.

    Returns:
        How many of those who stand behind a customer since then are no customer more, but one with another.
    """
    again: set[str] = set()
    concerned: set[str] = set(touched.among)
    composed, showing = set(stood.composed), set(touched.showing)
    if following.is_anything_kept(connection, source_id):
        moved = following.follow(connection, source_id, touched.persons)
        again = moved.union(*decisions.reached(connection, "customer", stood.added)[1])
        composed |= _stood_behind(connection, moved | _edited(connection, "customer", stood.added))
        kept = moved | _decided(connection, touched.contacts)
        kept |= _edited(connection, "contact", touched.contacts)
        showing |= _under(connection, kept)
        concerned |= kept
    done = settle(connection, again, changed=composed) if again or composed else set()
    compose_contacts(connection, showing - done, concerned)
    return _joined(connection, stood.added, stood.added & again)


def _joined(connection: Connection, added: Collection[str], decided: Collection[str]) -> int:
    """Of some who were added, and are decided to be one with others, how many are no customer more."""
    if not decided:
        return 0
    behind: dict[int, set[str]] = {}
    query = select(DataSourceCustomer.customer_id, DataSourceCustomer.origin_uuid)
    ids = _stood_behind(connection, decided)
    for row in select_in(connection, query, DataSourceCustomer.customer_id, ids):
        behind.setdefault(row.customer_id, set()).add(row.origin_uuid)
    return len(decided) - sum(origins <= set(added) for origins in behind.values())


def catch_up(model: Any, connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Let the next page of what was decided about persons of a source, or written on them, follow them.

    For a rebuild: the persons that it makes may be others, and who has no contact is not gone through.

    Args:
        model: Decision, Edit or Note.
        sync: with the last id of the page before as its `cursor`.
        source: its row.
        limit: rows at most.

    Returns:
        The last id, and how many there were.
    """
    last, count, moved = following.follow_page(connection, model, source.id, sync.cursor, limit)
    if moved:
        settle(connection, moved, changed=_stood_behind(connection, moved))
        compose_contacts(connection, _under(connection, moved), moved)
    return last, count


def release(connection: Connection, contact_ids: Iterable[int]) -> set[str]:
    """Before contacts go: those within them that stay stand for themselves again; their uuids."""
    go = set(contact_ids)
    rows = [row for row in select_in(connection, _WITHIN, Contact.within_id, go) if row.id not in go]
    if rows:
        moment = now()
        alone = [{"id": row.id, "within_id": None, "updated_at": moment} for row in rows]
        update_by_id(connection, Contact, alone)
        shown = {row.uuid: row.customer_id for row in rows}
        contact_counts.add(connection, contact_counts.moved({}, shown), moment)
    return {row.uuid for row in rows}


def _decided(connection: Connection, uuids: Iterable[str]) -> set[str]:
    return set().union(*decisions.reached(connection, "contact", uuids)[1])


def _edited(connection: Connection, entity: str, origins: Iterable[str]) -> set[str]:
    rows = select_in(connection, _EDITED, Edit.origin_uuid, origins, entity=entity)
    return {row.origin_uuid for row in rows}


def _stood_behind(connection: Connection, origins: Iterable[str]) -> set[int]:
    return {row[0] for row in select_in(connection, _BEHIND, DataSourceCustomer.origin_uuid, origins)}


def _under(connection: Connection, uuids: Iterable[str]) -> set[int]:
    return {row[0] for row in select_in(connection, _UNDER, Contact.uuid, uuids)}
