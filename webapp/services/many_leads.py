"""What people set on many customers at once: the status of leads, an owner, a tag more or less."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.models import Customer
from webapp.models.customer import LEAD_STATUSES
from webapp.services import audit, by_hand, edits, listing
from webapp.services.composing import compose, edits_of
from webapp.services.locks import lock_sources
from webapp.services.rows import select_in
from webapp.services.transactions import write

Behind = Mapping[int, Sequence[Any]]
"""By customer the rows of its data source customers, the primary first."""


def set_status(session: Session, ids: Sequence[int], status: str, user_id: int) -> tuple[int, int]:
    """Give leads another status.

    Returns:
        How many have it now, and how many customers were passed over because they are no leads.

    Raises:
        by_hand.Refused: there is no such status.
    """
    by_hand.check_status(status)
    passed_over = 0

    def change(connection: Connection, behind: Behind) -> int:
        nonlocal passed_over
        rows = select_in(connection, select(Customer.id, Customer.lead_status), Customer.id, behind)
        leads = {row.id for row in rows if row.lead_status in LEAD_STATUSES}
        passed_over = len(behind) - len(leads)
        sources = _primaries({id: behind[id] for id in leads})
        edits.set_on_many(connection, "customer", sources, {"lead_status": status}, user_id)
        return len(leads)

    return _change(session, ids, f"the status {status}", user_id, change), passed_over


def give_owner(session: Session, ids: Sequence[int], email: str, user_id: int) -> int:
    """Say who looks after customers; an empty address: nobody.

    Raises:
        by_hand.Refused: nobody with this address may sign in.
    """

    def change(connection: Connection, behind: Behind) -> int:
        by_hand.check_owner(connection, email)
        if email:
            edits.set_on_many(connection, "customer", _primaries(behind), {"owner": email}, user_id)
        else:
            edits.unset(connection, "customer", _origins(behind), ["owner"])
        return len(behind)

    return _change(session, ids, "the owner" if email else "no owner", user_id, change)


def add_tag(session: Session, ids: Sequence[int], tag: str, user_id: int) -> int:
    """Give customers one tag more; those that have it stay as they are.

    Returns:
        How many did not have it.

    Raises:
        edits.BadTag: it cannot be a tag.
    """
    (wanted,) = edits.checked_tags([tag])

    def change(connection: Connection, behind: Behind) -> int:
        own = _tags(connection, _origins(behind))
        fresh = {
            id: rows
            for id, rows in behind.items()
            if not any(wanted in own.get(row.origin_uuid, ()) for row in rows)
        }
        _give(connection, _primaries(fresh), lambda origin: [*own.get(origin, ()), wanted], user_id)
        return len(fresh)

    return _change(session, ids, "a tag", user_id, change)


def remove_tag(session: Session, ids: Sequence[int], tag: str, user_id: int) -> int:
    """Take a tag from customers.

    Returns:
        How many had it.

    Raises:
        edits.BadTag: it cannot be a tag.
    """
    (unwanted,) = edits.checked_tags([tag])

    def change(connection: Connection, behind: Behind) -> int:
        own = _tags(connection, _origins(behind))
        tagged = {origin for origin, tags in own.items() if unwanted in tags}
        sources = {origin: id for origin, id in _origins(behind).items() if origin in tagged}
        _give(connection, sources, lambda origin: [t for t in own[origin] if t != unwanted], user_id)
        return sum(any(row.origin_uuid in tagged for row in rows) for rows in behind.values())

    return _change(session, ids, "fewer tags", user_id, change)


def _change(
    session: Session,
    ids: Sequence[int],
    what: str,
    user_id: int,
    change: Callable[[Connection, Behind], int],
) -> int:
    with write(session):
        connection = session.connection()
        lock_sources(connection)
        behind = listing.behind(connection, ids)
        changed = change(connection, behind)
        compose(connection, behind)
        if changed:
            number = f"{changed:,} customer{'' if changed == 1 else 's'}"
            audit.record(connection, "customer.many_changed", user_id, what=what, number=number)
    return changed


def _primaries(behind: Behind) -> dict[str, int]:
    return {rows[0].origin_uuid: rows[0].source_id for rows in behind.values()}


def _origins(behind: Behind) -> dict[str, int]:
    return {row.origin_uuid: row.source_id for rows in behind.values() for row in rows}


def _tags(connection: Connection, sources: Mapping[str, int]) -> dict[str, list[str]]:
    hands = edits_of(connection, "customer", sources)
    return {origin: list(fields["tags"]["value"]) for origin, fields in hands.items() if "tags" in fields}


def _give(
    connection: Connection, sources: Mapping[str, int], tags: Callable[[str], list[str]], user_id: int
) -> None:
    """Set tags on many; those that come to the same are set in one go."""
    alike: dict[tuple[str, ...], dict[str, int]] = {}
    for origin, source_id in sources.items():
        alike.setdefault(tuple(tags(origin)), {})[origin] = source_id
    for same, some in alike.items():
        edits.set_on_many(connection, "customer", some, {"tags": list(same)}, user_id)
