"""Reading decisions about who is the same, and keeping them at the records that they now speak of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, or_, select

from webapp.models import Decision, Identifier, Source
from webapp.models.merging import APART, MERGE
from webapp.services.rows import select_in, update_by_id

Pair = tuple[str, str]


def has_any(connection: Connection, source_id: int) -> bool:
    """Whether anything was ever decided about a record of a source."""
    ends = (Decision.primary_source_id, Decision.other_source_id)
    return any(connection.scalar(select(Decision.id).where(end == source_id).limit(1)) for end in ends)


def reached(connection: Connection, entity: str, origins: Iterable[str]) -> tuple[set[str], set[Pair]]:
    """Everything that merge decisions connect with some origins, however far.

    Args:
        entity: `customer` or `contact`.
        origins: where to begin.

    Returns:
        All origins on the way, those given included; the decided pairs, as (primary, other).
    """
    nodes, fresh = set(origins), set(origins)
    pairs: set[Pair] = set()
    while fresh:
        rows = _of(connection, entity, MERGE, fresh)
        pairs |= {(row.primary_now, row.other_now) for row in rows}
        fresh = {end for row in rows for end in (row.primary_now, row.other_now)} - nodes
        nodes |= fresh
    return nodes, pairs


def apart(connection: Connection, entity: str, origins: Iterable[str]) -> set[Pair]:
    """Pairs, with one of some origins in each, of which somebody said that they are not the same."""
    return {(row.primary_now, row.other_now) for row in _of(connection, entity, APART, origins)}


def _of(connection: Connection, entity: str, kind: str, origins: Iterable[str]) -> list[Any]:
    query = select(Decision.id, Decision.primary_now, Decision.other_now)
    query = query.where(Decision.entity == entity, Decision.kind == kind)
    wanted = sorted(origins)
    ends = (Decision.primary_now, Decision.other_now)
    return [row for end in ends for row in select_in(connection, query, end, wanted)]


def follow(connection: Connection, source_id: int, persons: Iterable[str]) -> set[str]:
    """After persons of a source became one or parted: let decisions speak of whoever bears the name now.

    Args:
        source_id: whose persons.
        persons: uuids of those that are there and may be new, and of those that are no more.

    Returns:
        The origins that decisions spoke of before and speak of now, where that changed.
    """
    touched: set[str] = set()
    for end in ("primary", "other"):
        touched |= _follow_end(connection, source_id, sorted(persons), end)
    return touched


def _follow_end(connection: Connection, source_id: int, persons: Sequence[str], end: str) -> set[str]:
    uuid, now, key, source = (
        getattr(Decision, f"{end}_{name}") for name in ("uuid", "now", "key", "source_id")
    )
    query = select(Decision.id, uuid.label("uuid"), now.label("now"), key.label("key"))
    query = query.where(source == source_id, key.is_not(None))
    rows = {row.id: row for column in (uuid, now) for row in select_in(connection, query, column, persons)}
    standing = _persons_of(connection, source_id, {row.key for row in rows.values()})
    moved = [(row, found) for row in rows.values() if (found := standing.get(row.key) or row.uuid) != row.now]
    update_by_id(connection, Decision, [{"id": row.id, f"{end}_now": found} for row, found in moved])
    return {origin for row, found in moved for origin in (row.now, found)}


def _persons_of(connection: Connection, source_id: int, keys: set[bytes]) -> dict[bytes, str | None]:
    generation = select(Source.generation).where(Source.id == source_id).scalar_subquery()
    query = select(Identifier.key, Identifier.person_uuid).where(
        Identifier.source_id == source_id, Identifier.generation == generation
    )
    return {row.key: row.person_uuid for row in select_in(connection, query, Identifier.key, keys)}


def about(connection: Connection, entity: str, origins: Iterable[str]) -> list[Any]:
    """All decisions with one of some origins at either end, as rows, the oldest first."""
    wanted = list(origins)
    query = select(Decision.__table__).where(
        Decision.entity == entity, or_(Decision.primary_now.in_(wanted), Decision.other_now.in_(wanted))
    )
    return list(connection.execute(query.order_by(Decision.id)).all())
