"""Comparing what a rebuild made with what is shown, before the swap: equal, or which records differ.

What was made is looked up in what is shown, a page at a time; then what is shown in what was made. What comes
meanwhile is folded into both, so it is no difference.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, select
from sqlalchemy.orm import aliased

from webapp.domain.fold import unpack
from webapp.domain.identity import id_of
from webapp.domain.text import clean
from webapp.models import Company, Identifier
from webapp.services import progress
from webapp.services.rows import select_in

# Differing records that are named, of those of each way to differ; all are counted.
NAMED = 20
CHANGED, NEW, GONE = "changed", "new", "gone"
_KINDS = {b"u": "user", b"a": "anonymous"}  # by the first byte of an identifier's key


def identifiers(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Compare the next page of identifiers: what they told and whose they are; the last id, and how many."""
    columns = (Identifier.id, Identifier.key, Identifier.told, Identifier.person_uuid)
    return _page(connection, sync, source, limit, Identifier, columns)


def companies(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Compare the next page of companies: what was told of them; the last id, and how many."""
    return _page(connection, sync, source, limit, Company, (Company.id, Company.key, Company.told))


def shown_identifiers(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Look whether the next page of identifiers that are shown was made again; the last id, and how many."""
    return _shown(connection, sync, source, limit, Identifier)


def shown_companies(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Look whether the next page of companies that are shown was made again; the last id, and how many."""
    return _shown(connection, sync, source, limit, Company)


def _page(
    connection: Connection, sync: Any, source: Any, limit: int, model: Any, columns: tuple[Any, ...]
) -> tuple[int, int]:
    of_source = select(*columns).where(model.source_id == source.id)
    fresh = of_source.where(model.generation == source.generation + 1, model.id > sync.cursor)
    rows = connection.execute(fresh.order_by(model.id).limit(limit)).all()
    shown = of_source.where(model.generation == source.generation)
    known = {row.key: row for row in select_in(connection, shown, model.key, [row.key for row in rows])}
    differing = [
        (CHANGED if row.key in known else NEW, row.key)
        for row in rows
        if row.key not in known or _differ(row, known[row.key])
    ]
    _add(connection, sync, model, len(rows), differing)
    return (rows[-1].id if rows else 0), len(rows)


def _differ(one: Any, other: Any) -> bool:
    if unpack(one.told) != unpack(other.told):
        return True
    return getattr(one, "person_uuid", None) != getattr(other, "person_uuid", None)


def _shown(connection: Connection, sync: Any, source: Any, limit: int, model: Any) -> tuple[int, int]:
    end, gone = _statements(model)
    told = {"source": source.id, "shown": source.generation, "after": sync.cursor}
    last, count = connection.execute(end, told | {"most": limit}).one()
    if not count:
        return 0, 0
    keys = connection.scalars(gone, told | {"last": last, "made": source.generation + 1}).all()
    _add(connection, sync, model, len(keys), [(GONE, key) for key in keys])
    return last, count


@cache
def _statements(model: Any) -> tuple[Any, Any]:
    """Where a page of what is shown ends, and what of it was not made again."""
    shown = (model.source_id == bindparam("source"), model.generation == bindparam("shown"))
    page = select(model.id).where(*shown, model.id > bindparam("after")).order_by(model.id)
    ids = page.limit(bindparam("most")).subquery()
    made = aliased(model)
    again = select(made.id).where(
        made.source_id == bindparam("source"), made.generation == bindparam("made"), made.key == model.key
    )
    gone = page.with_only_columns(model.key).where(model.id <= bindparam("last"), ~again.exists())
    return select(func.max(ids.c.id), func.count()).select_from(ids), gone


def _name(model: Any, key: bytes) -> tuple[str, str]:
    """What a record is, and what it is called."""
    if model is Identifier:
        return _KINDS.get(bytes(key[:1]), "user"), clean(id_of(key))
    return "company", clean(key.decode("utf-8", "surrogatepass"))


def _add(
    connection: Connection, sync: Any, model: Any, compared: int, differing: list[tuple[str, bytes]]
) -> None:
    """Note how many records were compared, and those that differ, each with how."""
    result = dict(sync.result)
    result["compared"] = result.get("compared", 0) + compared
    result["differing"] = result.get("differing", 0) + len(differing)
    examples = list(result.get("examples", ()))
    for way in (CHANGED, NEW, GONE):
        room = NAMED - sum(isinstance(each, list) and each[0] == way for each in examples)
        keys = [key for how, key in differing if how == way][: max(0, room)]
        examples += [[way, *_name(model, key)] for key in keys]
    progress.note(connection, sync.id, result=result | {"examples": examples})
