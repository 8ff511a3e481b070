"""Comparing what a rebuild made with what is shown, before the swap: equal, or which records differ."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from webapp.domain.fold import unpack
from webapp.domain.identity import id_of
from webapp.domain.text import clean
from webapp.models import Company, Identifier
from webapp.services import progress
from webapp.services.rows import select_in

# Differing records that are named; all are counted.
NAMED = 20


def size(connection: Connection, source_id: int, generation: int) -> int:
    """How many records of a generation there are to compare."""
    return sum(_count(connection, model, source_id, generation) for model in (Identifier, Company))


def identifiers(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Compare the next page of identifiers: what they told and whose they are; the last id, and how many."""
    columns = (Identifier.id, Identifier.key, Identifier.told, Identifier.person_uuid)
    return _page(connection, sync, source, limit, Identifier, columns)


def companies(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Compare the next page of companies: what was told of them; the last id, and how many."""
    return _page(connection, sync, source, limit, Company, (Company.id, Company.key, Company.told))


def _page(
    connection: Connection, sync: Any, source: Any, limit: int, model: Any, columns: tuple[Any, ...]
) -> tuple[int, int]:
    of_source = select(*columns).where(model.source_id == source.id)
    fresh = of_source.where(model.generation == source.generation + 1, model.id > sync.cursor)
    rows = connection.execute(fresh.order_by(model.id).limit(limit)).all()
    shown = of_source.where(model.generation == source.generation)
    known = {row.key: row for row in select_in(connection, shown, model.key, [row.key for row in rows])}
    differing = [row.key for row in rows if row.key not in known or _differ(row, known[row.key])]
    _add(connection, sync, len(rows), len(known), [_name(model, key) for key in differing])
    return (rows[-1].id if rows else 0), len(rows)


def _differ(one: Any, other: Any) -> bool:
    if unpack(one.told) != unpack(other.told):
        return True
    return getattr(one, "person_uuid", None) != getattr(other, "person_uuid", None)


def _name(model: Any, key: bytes) -> str:
    return clean(id_of(key)) if model is Identifier else clean(key.decode("utf-8", "surrogatepass"))


def _add(connection: Connection, sync: Any, compared: int, known: int, differing: list[str]) -> None:
    result = dict(sync.result)
    result["compared"] = result.get("compared", 0) + compared
    result["known"] = result.get("known", 0) + known
    result["differing"] = result.get("differing", 0) + len(differing)
    result["examples"] = [*result.get("examples", []), *differing][:NAMED]
    progress.note(connection, sync.id, result=result)


def missing(connection: Connection, sync: Any, source: Any) -> int:
    """How many records that are shown the rebuild did not make again."""
    return size(connection, source.id, source.generation) - int(sync.result.get("known", 0))


def _count(connection: Connection, model: Any, source_id: int, generation: int) -> int:
    query = select(func.count()).select_from(model)
    return connection.scalar(query.where(model.source_id == source_id, model.generation == generation)) or 0
