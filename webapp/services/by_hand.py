"""What people set on one record from its page: status, owner, tags, any value; and how they take it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.domain.composing import TAG_SEPARATOR
from webapp.domain.text import clean
from webapp.models import User
from webapp.models.customer import LEAD_STATUSES
from webapp.services import edits, records
from webapp.services.records import Record


class Refused(ValueError):
    """Nothing was changed; the text says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Handling:
    """How a customer is looked after.

    Attributes:
        status: of a lead; None: it is as it is.
        owner: the e-mail address of a user; empty: nobody.
        tags: all of them, as typed, with commas between.
    """

    status: str | None
    owner: str
    tags: str


def handle(session: Session, public_id: str, wanted: Handling, user_id: int) -> bool:
    """Set the status, the owner and the tags of a customer, as far as they are others now.

    Returns:
        Whether anything was changed.

    Raises:
        Refused: there is no such status or owner, or subscriptions say what the status is.
        edits.BadTag: one of the tags cannot be one.
        records.Gone: there is no such customer.
    """
    given = edits.checked_tags(tag for tag in wanted.tags.split(",") if tag.strip())
    with records.changing(session, public_id) as (connection, record):
        row, changed = record.row, False
        if wanted.status is not None and wanted.status != row.lead_status:
            _check_lead(row, wanted.status)
            _set(connection, record, {"lead_status": wanted.status}, user_id)
            _note(connection, record, "customer.status_set", user_id, status=wanted.status)
            changed = True
        if wanted.owner != (row.owner or ""):
            check_owner(connection, wanted.owner)
            _give_owner(connection, record, wanted.owner, user_id)
            changed = True
        if set(given) != set(filter(None, row.tags.split(TAG_SEPARATOR))):
            edits.set_tags(connection, record.sources, given, user_id)
            _note(connection, record, "customer.tagged", user_id)
            changed = True
    return changed


def set_value(session: Session, public_id: str, name: str, value: Any, user_id: int) -> None:
    """Set an attribute over what sources tell; None clears it.

    Args:
        name: a standard attribute, or `custom.<key>`.

    Raises:
        records.Gone: there is no such record.
    """
    with records.changing(session, public_id) as (connection, record):
        _set(connection, record, {name: value}, user_id)
        _note(connection, record, f"{record.entity}.value_set", user_id, attribute=name)


def take_back(session: Session, public_id: str, name: str, user_id: int) -> None:
    """Let a record show again what sources tell of an attribute.

    Raises:
        records.Gone: there is no such record.
    """
    with records.changing(session, public_id) as (connection, record):
        edits.unset(connection, record.entity, record.sources, [name])
        _note(connection, record, f"{record.entity}.value_taken_back", user_id, attribute=name)


def _check_lead(row: Any, status: str) -> None:
    check_status(status)
    if row.lead_status not in LEAD_STATUSES:
        raise Refused(
            f"This customer is {row.lead_status}, which follows from its subscriptions. "
            "Only the status of a lead is set by hand. Nothing was changed."
        )


def _give_owner(connection: Connection, record: Record, owner: str, user_id: int) -> None:
    if owner:
        _set(connection, record, {"owner": owner}, user_id)
    else:
        edits.unset(connection, "customer", record.sources, ["owner"])
    _note(connection, record, "customer.owner_set" if owner else "customer.owner_taken", user_id)


def check_status(status: str) -> None:
    """Raise `Refused` unless this is a status that people can choose."""
    if status not in LEAD_STATUSES:
        raise Refused(f"Choose one of {', '.join(LEAD_STATUSES)}. Nothing was changed.")


def check_owner(connection: Connection, email: str) -> None:
    """Raise `Refused` unless somebody with this address may sign in; empty is nobody, which is fine."""
    if email and connection.scalar(select(User.id).where(User.email == clean(email))) is None:
        raise Refused("Nobody with this address may sign in here. Choose one of the list.")


def _set(connection: Connection, record: Record, fields: dict[str, Any], user_id: int) -> None:
    origin, source_id = record.primary
    edits.set_fields(connection, record.entity, origin, source_id, fields, user_id)


def _note(connection: Connection, record: Record, action: str, user_id: int, **details: Any) -> None:
    # Never the value: it may be about a person, and a line of the log outlives it.
    records.log(connection, action, user_id, record, **details)
