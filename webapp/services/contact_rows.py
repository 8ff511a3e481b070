"""Contacts as their own source tells of them, whatever their columns show.

A contact that shows nothing but its source's word is written column by column. One that shows more keeps that
word in `own`; its columns are composed (`composing_contacts.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from webapp.domain.composing import CONTACT_VALUES, alike
from webapp.domain.policy import full_name
from webapp.domain.text import indexed
from webapp.models import Contact
from webapp.models.base import folded
from webapp.services.rows import update_by_id, upsert
from webapp.services.standing import searchable

TOLD = (*CONTACT_VALUES, "custom", "first_seen", "last_seen")
PLACE = ("customer_id", "origin_uuid", "company")
KEPT = ("created_at", "within_id")


def own_values(row: Any) -> Mapping[str, Any]:
    """What a contact's own source tells, whatever its columns show."""
    return row.own if row.own is not None else {name: getattr(row, name) for name in TOLD}


def names(values: Mapping[str, Any], *ids: str | None) -> dict[str, str]:
    """What a contact is sorted by and found by.

    Args:
        values: those shown.
        ids: more that it is to be found by.
    """
    name = full_name({key: values[key] for key in ("first_name", "last_name") if values[key]})
    return {
        "sort_name": indexed(folded(name or values["email"] or values["user_id"] or "")),
        "search": searchable(name, values["email"], values["user_id"], *ids),
    }


def told_row(values: Mapping[str, Any], place: Mapping[str, Any], moment: int) -> dict[str, Any]:
    """All columns of a contact that shows what its source tells.

    Args:
        values: `TOLD`, all of them.
        place: `PLACE`, `uuid` and `source_id`.
        moment: now.
    """
    beside = {"within_id": None, "own": None, "created_at": moment, "updated_at": moment}
    return {name: values[name] for name in TOLD} | names(values) | dict(place) | beside


def write(connection: Connection, rows: Iterable[dict[str, Any]], known: Mapping[str, Any]) -> None:
    """Write what a source tells of contacts, in the caller's transaction.

    Args:
        rows: as `told_row` makes them, in the order of their uuids.
        known: rows of those that were there, by uuid, with `id`, `own`, `updated_at` and `PLACE`.
    """
    showing_more: list[dict[str, Any]] = []
    upsert(connection, Contact, _plain(rows, known, showing_more), ("uuid",), keep=KEPT, moment="updated_at")
    told = [_own_row(row, known[row["uuid"]]) for row in showing_more]
    update_by_id(connection, Contact, [row for row in told if row])


def _plain(
    rows: Iterable[dict[str, Any]], known: Mapping[str, Any], others: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """The rows of contacts that show nothing but their source's word; those of the others go to a list."""
    for row in rows:
        before = known.get(row["uuid"])
        if before is None or before.own is None:
            yield row
        else:
            others.append(row)


def _own_row(row: Mapping[str, Any], known: Any) -> dict[str, Any]:
    """The columns to write of a contact that shows more; none where its source says what it said."""
    own = {name: row[name] for name in TOLD}
    moved = any(getattr(known, name) != row[name] for name in PLACE)
    if not moved and alike(known.own, own):
        return {}
    place = {name: row[name] for name in PLACE}
    moment = row["updated_at"] if moved else known.updated_at
    return {"id": known.id, "own": own, "updated_at": moment, **place}
