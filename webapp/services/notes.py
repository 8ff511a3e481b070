"""Notes: what people write down about a customer or a contact. They follow it through merges and re-syncs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.orm import Session

from webapp.models import Note, now
from webapp.models.base import new_uuid
from webapp.services import audit, records
from webapp.services.following import keys_of
from webapp.services.records import Record
from webapp.services.rows import select_in
from webapp.services.transactions import write

LONGEST = 10_000
SHOWN = 200
"""Notes that a page shows; the newest."""


class BadNote(ValueError):
    """It cannot be kept so; the text says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One note as a page shows it.

    Attributes:
        uuid: its own.
        text: as it was written.
        who: who wrote it.
        own: whether whoever looks wrote it, and may change it.
        at: when, in microseconds.
        edited_at: when it was last changed; None when it never was.
    """

    uuid: str
    text: str
    who: str
    own: bool
    at: int
    edited_at: int | None


def of(connection: Connection, record: Record, user_id: int) -> list[Shown]:
    """The notes of a record, of all that stands behind it, newest first."""
    query = select(Note.__table__).where(Note.entity == record.entity)
    rows = select_in(connection, query, Note.origin_uuid, record.sources)
    people = records.people(connection)
    return [
        Shown(
            uuid=row.uuid,
            text=row.text,
            who=people.get(row.user_id, "the API" if row.user_id is None else "somebody who left"),
            own=row.user_id == user_id,
            at=row.created_at,
            edited_at=row.updated_at if row.updated_at != row.created_at else None,
        )
        for row in sorted(rows, key=lambda row: -row.id)[:SHOWN]
    ]


def add(session: Session, public_id: str, text: str, user_id: int) -> None:
    """Write a note on a record.

    Raises:
        BadNote: it is empty or too long.
        records.Gone: there is no such record.
    """
    text = checked(text)
    with records.changing(session, public_id) as (connection, record):
        origin, source_id = record.primary
        moment = now()
        note = {"entity": record.entity, "said_of": origin, "origin_uuid": origin, "source_id": source_id}
        note |= {"said_key": keys_of(connection, {origin: source_id}).get(origin)}
        note |= {"uuid": new_uuid(), "text": text, "created_at": moment, "updated_at": moment}
        connection.execute(insert(Note).values(user_id=user_id, **note))
        records.log(connection, f"{record.entity}.note_added", user_id, record)


def own(connection: Connection, uuid: str, user_id: int) -> Any | None:
    """The row of a note that somebody wrote; None when there is none of theirs."""
    query = select(Note.__table__).where(Note.uuid == uuid, Note.user_id == user_id)
    return connection.execute(query).first()


def rewrite(session: Session, uuid: str, text: str, user_id: int) -> None:
    """Give one's own note another text.

    Raises:
        BadNote: it is empty or too long.
    """
    text = checked(text)
    with write(session):
        row = own(session.connection(), uuid, user_id)
        if row is not None and row.text != text:
            session.execute(update(Note).where(Note.id == row.id).values(text=text, updated_at=now()))
            _note(session.connection(), row, f"{row.entity}.note_changed", user_id)


def remove(session: Session, uuid: str, user_id: int) -> None:
    """Delete one's own note."""
    with write(session):
        row = own(session.connection(), uuid, user_id)
        if row is not None:
            session.execute(delete(Note).where(Note.id == row.id))
            _note(session.connection(), row, f"{row.entity}.note_deleted", user_id)


def _note(connection: Connection, row: Any, action: str, user_id: int) -> None:
    # The customer may be away for now: of a person who waits for a company.
    own = (records.PREFIXES[row.entity] + row.origin_uuid, row.source_id)
    shown, source_id = records.named(connection, row.entity, row.origin_uuid) or own
    audit.record_on(connection, action, user_id, [source_id, row.source_id], record=shown)


def checked(text: str) -> str:
    """A note's text without blanks around it.

    Raises:
        BadNote: it is empty or too long.
    """
    text = text.replace("\r\n", "\n").replace("\0", "").strip()
    if not text:
        raise BadNote("A note needs some text.")
    if len(text) > LONGEST:
        raise BadNote(f"A note has at most {LONGEST:,} characters; this one has {len(text):,}.")
    return text
