"""The notes of a contact as the API knows them: one text, the latest that anybody wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, func, insert, select

from webapp.models import Note, now
from webapp.models.base import new_uuid
from webapp.services.following import keys_of
from webapp.services.rows import select_in


def latest(connection: Connection, uuids: Iterable[str]) -> dict[str, str]:
    """The latest note of contacts, by the contact's uuid; without those that have none."""
    newest = select(func.max(Note.id).label("id")).where(Note.entity == "contact").group_by(Note.origin_uuid)
    ids = [row.id for row in select_in(connection, newest, Note.origin_uuid, uuids)]
    query = select(Note.origin_uuid, Note.text)
    return {row.origin_uuid: row.text for row in select_in(connection, query, Note.id, ids)}


def write(connection: Connection, row: Any, text: str | None) -> bool:
    """Write a note, unless it is the latest already; earlier notes stay.

    Args:
        row: of `contacts`.
        text: the note; None says nothing.

    Returns:
        Whether there is a new note.
    """
    if text is None or latest(connection, [row.uuid]).get(row.uuid) == text:
        return False
    moment = now()
    key = keys_of(connection, {row.uuid: row.source_id}).get(row.uuid)
    note = {"entity": "contact", "origin_uuid": row.uuid, "source_id": row.source_id, "user_id": None}
    note |= {"said_of": row.uuid, "said_key": key}
    note |= {"uuid": new_uuid(), "text": text, "created_at": moment, "updated_at": moment}
    connection.execute(insert(Note).values(**note))
    return True
