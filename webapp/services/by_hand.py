"""What people set on one record from its page: status, owner, tags, any value; and how they take it back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.models import User
from webapp.models.customer import LEAD_STATUSES
from webapp.services import audit, edits, records
from webapp.services.records import Record


class Refused(ValueError):
    """Nothing was changed; the text says why, and what would do."""


def set_status(session: Session, public_id: str, status: str, user_id: int) -> None:
    """Give a lead another status.

    Raises:
        Refused: there is no such status, or the subscriptions of the customer say what it is.
        records.Gone: there is no such customer.
    """
    check_status(status)
    with records.changing(session, public_id) as (connection, record):
        if record.row.lead_status not in LEAD_STATUSES:
            raise Refused(
                f"This customer is {record.row.lead_status}, which follows from its subscriptions. "
                "Only the status of a lead is set by hand. Nothing was changed."
            )
        _set(connection, record, {"lead_status": status}, user_id)
        _note(connection, record, "customer.status_set", user_id, status=status)


def give_owner(session: Session, public_id: str, email: str, user_id: int) -> None:
    """Say who looks after a customer; an empty address: nobody.

    Raises:
        Refused: nobody with this address may sign in.
        records.Gone: there is no such customer.
    """
    with records.changing(session, public_id) as (connection, record):
        check_owner(connection, email)
        if email:
            _set(connection, record, {"owner": email}, user_id)
        else:
            edits.unset(connection, "customer", record.sources, ["owner"])
        _note(connection, record, "customer.owner_set" if email else "customer.owner_taken", user_id)


def tag(session: Session, public_id: str, tags: Iterable[str], user_id: int) -> None:
    """Give a customer exactly these tags.

    Raises:
        edits.BadTag: one cannot be a tag.
        records.Gone: there is no such customer.
    """
    wanted = edits.checked_tags(tags)
    with records.changing(session, public_id) as (connection, record):
        edits.set_tags(connection, record.sources, wanted, user_id)
        _note(connection, record, "customer.tagged", user_id)


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


def check_status(status: str) -> None:
    """Raise `Refused` unless this is a status that people can choose."""
    if status not in LEAD_STATUSES:
        raise Refused(f"Choose one of {', '.join(LEAD_STATUSES)}. Nothing was changed.")


def check_owner(connection: Connection, email: str) -> None:
    """Raise `Refused` unless somebody with this address may sign in; empty is nobody, which is fine."""
    if email and connection.scalar(select(User.id).where(User.email == email)) is None:
        raise Refused("Nobody with this address may sign in here. Choose one of the list.")


def _set(connection: Connection, record: Record, fields: dict[str, Any], user_id: int) -> None:
    origin, source_id = record.primary
    edits.set_fields(connection, record.entity, origin, source_id, fields, user_id)


def _note(connection: Connection, record: Record, action: str, user_id: int, **details: Any) -> None:
    # Never the value: it may be about a person, and a line of the log outlives it.
    uuid = records.source_uuid(connection, record)
    audit.record(connection, action, user_id, uuid, record=record.public_id, **details)
