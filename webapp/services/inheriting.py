"""What people wrote on records of a source that goes, handed over to the records that stay in their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from webapp.domain.composing import Fields, joined, tags
from webapp.models import Edit, Note, now
from webapp.services.following import keys_of
from webapp.services.rows import select_in, update_by_id, upsert


@dataclass(frozen=True, slots=True)
class Heir:
    """Who stays in the place of a record that goes.

    Attributes:
        origin_uuid: of the record that stays.
        source_id: of its source.
        since: the instant from which on what was written on the one that goes was about both.
        first: whether the one that goes was shown before it, so that its word stands over the other's.
    """

    origin_uuid: str
    source_id: int
    since: int
    first: bool


def hand_over(connection: Connection, entity: str, source_id: int, heirs: Mapping[str, Heir]) -> set[str]:
    """Give what people wrote on some records of a source, since it was about others too, to these.

    Args:
        entity: `customer` or `contact`.
        source_id: of the source that goes.
        heirs: by the origin that goes.

    Returns:
        The origins whose values this may change.
    """
    keys = keys_of(connection, {heir.origin_uuid: heir.source_id for heir in heirs.values()})
    query = select(Note.id, Note.origin_uuid, Note.created_at)
    query = query.where(Note.entity == entity, Note.source_id == source_id)
    moved = [
        {"id": note.id, **_named(heir, keys)}
        for note in select_in(connection, query, Note.origin_uuid, heirs)
        if note.created_at >= (heir := heirs[note.origin_uuid]).since
    ]
    update_by_id(connection, Note, moved)
    return _hand_edits(connection, entity, source_id, heirs, keys)


def _hand_edits(
    connection: Connection,
    entity: str,
    source_id: int,
    heirs: Mapping[str, Heir],
    keys: Mapping[str, bytes],
) -> set[str]:
    going = _later(connection, entity, source_id, heirs)
    query = select(Edit.said_of, Edit.fields).where(Edit.entity == entity)
    names = {heirs[origin].origin_uuid for origin in going}
    own = {row.said_of: row.fields for row in select_in(connection, query, Edit.said_of, names)}
    by_heir: dict[str, list[str]] = {}
    for origin in sorted(going):
        by_heir.setdefault(heirs[origin].origin_uuid, []).append(origin)
    moment = now()
    rows = []
    for name, origins in by_heir.items():
        before = [going[origin] for origin in origins if heirs[origin].first]
        after = [going[origin] for origin in origins if not heirs[origin].first]
        words = [*before, *([own[name]] if name in own else []), *after]
        row = {"entity": entity, "fields": _over_one_another(words), "updated_at": moment}
        rows.append(row | _named(heirs[origins[0]], keys))
    upsert(connection, Edit, rows, ("entity", "said_of"))
    return set(by_heir)


def _later(
    connection: Connection, entity: str, source_id: int, heirs: Mapping[str, Heir]
) -> dict[str, Fields]:
    """By the origin that goes what was set since it was about both."""
    query = select(Edit.origin_uuid, Edit.fields).where(Edit.entity == entity, Edit.source_id == source_id)
    found: dict[str, list[Fields]] = {}
    for row in select_in(connection, query, Edit.origin_uuid, heirs):
        since = heirs[row.origin_uuid].since
        if later := {name: said for name, said in row.fields.items() if said["at"] >= since}:
            found.setdefault(row.origin_uuid, []).append(later)
    return {origin: joined(said) for origin, said in found.items()}


def _over_one_another(words: Iterable[Fields]) -> dict[str, Any]:
    """Of each field the first word, of tags all."""
    known = list(words)
    found: dict[str, Any] = {}
    for word in reversed(known):
        found |= word
    if "tags" in found:
        found["tags"] = {**found["tags"], "value": tags(known)}
    return found


def _named(heir: Heir, keys: Mapping[str, bytes]) -> dict[str, Any]:
    name = heir.origin_uuid
    return {"said_of": name, "said_key": keys.get(name), "origin_uuid": name, "source_id": heir.source_id}
