"""What people set by hand on customers and contacts, over what sources tell.

An edit is kept with the origin of its record, so it outlives re-syncs and merges. Every verb works in the
caller's transaction, which holds the lock of the sources involved; afterwards the caller composes the records
(`composing.compose`, `composing_contacts.compose_contacts`), and they show it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

from sqlalchemy import Connection, select

from webapp.domain.composing import Fields
from webapp.models import Edit, now
from webapp.services.composing import edits_of
from webapp.services.following import keys_of
from webapp.services.rows import delete_in, select_in, update_by_id, upsert

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
    rows = _rows(connection, entity, sources)
    # Set on persons that became one: what was set on each of them before is spoken for.
    _take_back(connection, [row for row in rows if row.said_of != row.origin_uuid], said.keys())
    known = {row.said_of: row.fields for row in rows}
    keys = keys_of(connection, sources)
    upsert(
        connection,
        Edit,
        [
            {
                "entity": entity,
                "said_of": origin,
                "said_key": keys.get(origin),
                "origin_uuid": origin,
                "source_id": source_id,
                "fields": {**known.get(origin, {}), **said},
                "updated_at": moment,
            }
            for origin, source_id in sources.items()
        ],
        ("entity", "said_of"),
    )


def unset(connection: Connection, entity: str, origins: Iterable[str], names: Iterable[str]) -> None:
    """Take fields back: the records show what sources tell again.

    Args:
        origins: all that stand behind a record, since an edit of any of them shows.
        names: of the fields.
    """
    _take_back(connection, _rows(connection, entity, origins), frozenset(names))


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


def _rows(connection: Connection, entity: str, origins: Iterable[str]) -> list[Any]:
    query = select(Edit.id, Edit.said_of, Edit.origin_uuid, Edit.fields).where(Edit.entity == entity)
    return select_in(connection, query, Edit.origin_uuid, origins)


def _take_back(connection: Connection, rows: Iterable[Any], names: Set[str]) -> None:
    """Take fields out of rows; one in which nothing is set any more goes."""
    kept = {row.id: {n: f for n, f in row.fields.items() if n not in names} for row in rows}
    delete_in(connection, Edit, Edit.id, [id for id, fields in kept.items() if not fields])
    moment = now()
    changed = [{"id": id, "fields": fields, "updated_at": moment} for id, fields in kept.items() if fields]
    update_by_id(connection, Edit, changed)
