"""Following persons: what was decided about one and written on one speaks of whoever they are part of now.

A person bears the uuid of one of their identifiers. When two become one, that identifier belongs to the other
from then on; when they part it has its own name back. So what must outlive this keeps the identifier's key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select

from webapp.models import Decision, Edit, Identifier, Note, Source
from webapp.services.rows import select_in, update_by_id

# Who follows: a table, and its columns for the uuid it was said of, the key, the uuid now, and the source.
_FOLLOWING: tuple[tuple[Any, str, str, str, str], ...] = (
    (Decision, "primary_uuid", "primary_key", "primary_now", "primary_source_id"),
    (Decision, "other_uuid", "other_key", "other_now", "other_source_id"),
    (Edit, "said_of", "said_key", "origin_uuid", "source_id"),
    (Note, "said_of", "said_key", "origin_uuid", "source_id"),
)
_ANYTHING = select(
    or_(
        *(
            select(model.id).where(getattr(model, source) == bindparam("source")).exists()
            for model, *_, source in _FOLLOWING
        )
    )
)


def is_anything_kept(connection: Connection, source_id: int) -> bool:
    """Whether anything was ever decided about records of a source or written on them; one look."""
    return bool(connection.scalar(_ANYTHING, {"source": source_id}))


def follow(connection: Connection, source_id: int, persons: Iterable[str]) -> set[str]:
    """After persons of a source became one or parted: let everything speak of whoever bears the name now.

    Args:
        source_id: whose persons.
        persons: uuids of those that are there and may be new, and of those that are no more.

    Returns:
        The origins that something spoke of before and speaks of now, where that changed.
    """
    wanted = sorted(persons)
    touched: set[str] = set()
    for each in _FOLLOWING:
        query, (said_of, now) = _named(each, source_id)
        rows = {
            row.id: row for column in (said_of, now) for row in select_in(connection, query, column, wanted)
        }
        touched |= _move(connection, each, source_id, list(rows.values()))
    return touched


def follow_page(
    connection: Connection, model: Any, source_id: int, after: int, limit: int
) -> tuple[int, int, set[str]]:
    """As `follow`, for the next page of one table, whichever persons it speaks of.

    Args:
        model: Decision, Edit or Note.
        after: the last id of the page before.
        limit: rows at most.

    Returns:
        The last id, how many rows there were, and the origins.
    """
    ours = [each for each in _FOLLOWING if each[0] is model]
    of_source = or_(*(getattr(model, source) == source_id for *_, source in ours))
    page = select(model.id).where(of_source, model.id > after).order_by(model.id).limit(limit)
    ids = connection.scalars(page).all()
    touched: set[str] = set()
    for each in ours:
        query, _ = _named(each, source_id)
        touched |= _move(connection, each, source_id, select_in(connection, query, model.id, ids))
    return (ids[-1] if ids else after), len(ids), touched


def _named(each: tuple[Any, str, str, str, str], source_id: int) -> tuple[Any, tuple[Any, Any]]:
    """A query of what speaks of persons of a source, and its columns for the uuid then and now."""
    model, *names = each
    said_of, key, now, source = (getattr(model, name) for name in names)
    query = select(model.id, said_of.label("said_of"), now.label("now"), key.label("key"))
    return query.where(source == source_id, key.is_not(None)), (said_of, now)


def _move(
    connection: Connection, each: tuple[Any, str, str, str, str], source_id: int, rows: Sequence[Any]
) -> set[str]:
    standing = _persons_of(connection, source_id, {row.key for row in rows})
    moved = [(row, found) for row in rows if (found := standing.get(row.key) or row.said_of) != row.now]
    update_by_id(connection, each[0], [{"id": row.id, each[3]: found} for row, found in moved])
    return {origin for row, found in moved for origin in (row.now, found)}


def keys_of(connection: Connection, sources: Mapping[str, int]) -> dict[str, bytes]:
    """Of persons: the key of the identifier whose uuid they bear.

    Args:
        sources: by uuid, the id of its source; uuids of companies and billing records have no key.
    """
    found: dict[str, bytes] = {}
    for source_id in set(sources.values()):
        query = select(Identifier.uuid, Identifier.key, Identifier.person_uuid)
        # The generation before too: while a rebuild places, who is shown by it may be part of another now.
        shown = (_generation(source_id), _generation(source_id) - 1)
        query = query.where(Identifier.source_id == source_id, Identifier.generation.in_(shown))
        uuids = [uuid for uuid, id in sources.items() if id == source_id]
        named = select_in(connection, query, Identifier.person_uuid, uuids)
        found |= {row.uuid: row.key for row in named if row.uuid == row.person_uuid}
    return found


def _persons_of(connection: Connection, source_id: int, keys: set[bytes]) -> dict[bytes, str | None]:
    query = select(Identifier.key, Identifier.person_uuid).where(
        Identifier.source_id == source_id, Identifier.generation == _generation(source_id)
    )
    return {row.key: row.person_uuid for row in select_in(connection, query, Identifier.key, keys)}


def _generation(source_id: int) -> Any:
    return select(Source.generation).where(Source.id == source_id).scalar_subquery()
