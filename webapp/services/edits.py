"""What people set by hand on customers and contacts, over what sources tell.

An edit is kept with the origin of its record, so it outlives re-syncs and merges. Every verb works in the
caller's transaction, which holds the lock of the sources involved; afterwards the caller composes the records
(`composing.compose`, `composing_contacts.compose_contacts`), and they show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, select

from webapp.domain.composing import Fields
from webapp.models import Edit, now
from webapp.services.composing import edits_of
from webapp.services.rows import delete_in, select_in, upsert

LONGEST_TAG = 255


class BadTag(ValueError):
    """No such tag can be given; the message is for the person who typed it."""


def set_fields(
    connection: Connection,
    entity: str,
    origin_uuid: str,
    source_id: int,
    values: Mapping[str, Any],
    user_id: int | None,
) -> None:
    """Set fields of one record; what else people set on it stays.

    Args:
        entity: `customer` or `contact`.
        origin_uuid: of the data source customer that leads the customer, or of the contact.
        source_id: of the source that the origin belongs to.
        values: by field (see `models.Edit.fields`); None clears a field that a source fills.
        user_id: who sets them; None for the API and the command line.
    """
    set_on_many(connection, entity, {origin_uuid: source_id}, values, user_id)


def set_on_many(
    connection: Connection,
    entity: str,
    sources: Mapping[str, int],
    values: Mapping[str, Any],
    user_id: int | None,
) -> None:
    """Set the same fields on many records; see `set_fields`.

    Args:
        sources: by origin, the id of its source.
    """
    moment = now()
    said = {name: {"value": value, "at": moment, "by": user_id} for name, value in values.items()}
    known = edits_of(connection, entity, sources)
    _write(connection, entity, sources, {origin: {**known.get(origin, {}), **said} for origin in sources})


def unset(connection: Connection, entity: str, origins: Iterable[str], names: Iterable[str]) -> None:
    """Take fields back: the records show what sources tell again.

    Args:
        origins: all that stand behind a record, since an edit of any of them shows.
        names: of the fields.
    """
    gone = frozenset(names)
    known = edits_of(connection, entity, origins)
    kept = {
        origin: {name: field for name, field in fields.items() if name not in gone}
        for origin, fields in known.items()
        if gone & fields.keys()
    }
    _write(connection, entity, _sources(connection, entity, kept), kept)


def set_tags(
    connection: Connection, sources: Mapping[str, int], tags: Iterable[str], user_id: int | None
) -> None:
    """Give a customer exactly these tags.

    A merged customer has the tags of all that it is made of. Each of these keeps its own among those wanted;
    new ones are given to the first, so an unmerge parts them again.

    Args:
        sources: by origin the id of its source, of all that stand behind the customer, the primary first.
        tags: as `checked_tags` gives them.
    """
    wanted, known = dict.fromkeys(tags), edits_of(connection, "customer", sources)
    own = {origin: _tags(known.get(origin, {})) for origin in sources}
    given = {tag for each in own.values() for tag in each}
    primary = next(iter(sources))
    for origin, source_id in sources.items():
        kept = [tag for tag in own[origin] if tag in wanted]
        if origin == primary:
            kept += [tag for tag in wanted if tag not in given]
        if kept != own[origin]:
            set_fields(connection, "customer", origin, source_id, {"tags": kept}, user_id)


def checked_tags(tags: Iterable[str]) -> list[str]:
    """Tags without blanks around them, each once, in the order given.

    Raises:
        BadTag: one is empty, too long, or holds a comma or what cannot be shown.
    """
    found: dict[str, None] = {}
    for tag in tags:
        text = " ".join(tag.split())
        if not text:
            raise BadTag("A tag needs at least one letter.")
        if len(text) > LONGEST_TAG:
            raise BadTag(f"A tag has at most {LONGEST_TAG} characters; this one has {len(text):,}.")
        if "," in text:
            raise BadTag("A tag holds no comma: commas stand between tags.")
        if not text.isprintable():
            raise BadTag("A tag has characters that cannot be shown.")
        found[text] = None
    return list(found)


def _tags(fields: Fields) -> list[str]:
    return list(fields.get("tags", {}).get("value") or ())


def _sources(connection: Connection, entity: str, origins: Iterable[str]) -> dict[str, int]:
    query = select(Edit.origin_uuid, Edit.source_id).where(Edit.entity == entity)
    return {row.origin_uuid: row.source_id for row in select_in(connection, query, Edit.origin_uuid, origins)}


def _write(
    connection: Connection, entity: str, sources: Mapping[str, int], fields: Mapping[str, Mapping[str, Any]]
) -> None:
    """Keep what is set; a record on which nothing is set any more has no row."""
    moment = now()
    rows = [
        {"entity": entity, "origin_uuid": origin, "source_id": sources[origin]}
        | {"fields": dict(said), "updated_at": moment}
        for origin, said in fields.items()
        if said
    ]
    upsert(connection, Edit, rows, ("entity", "origin_uuid"))
    query = select(Edit.id, Edit.origin_uuid).where(Edit.entity == entity)
    empty = [origin for origin, said in fields.items() if not said]
    gone = [row.id for row in select_in(connection, query, Edit.origin_uuid, empty)]
    delete_in(connection, Edit, Edit.id, gone)
