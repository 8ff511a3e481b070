"""Set-based reading and writing: many rows a statement, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, update
from sqlalchemy.dialects import postgresql, sqlite

# Values in one `IN (...)`; well under SQLite's limit of variables in a statement.
CHUNK = 2000


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Cut a long list into lists that one statement can take."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def select_in(
    connection: Connection,
    statement: Any,
    column: Any,
    values: Iterable[Any],
) -> list[Row[Any]]:
    """The rows of a query whose column is one of many values, in few statements."""
    rows: list[Row[Any]] = []
    for chunk in chunks(sorted(set(values))):
        rows.extend(connection.execute(statement.where(column.in_(chunk))).all())
    return rows


def upsert(
    connection: Connection,
    model: Any,
    rows: Sequence[dict[str, Any]],
    key: tuple[str, ...],
    keep: tuple[str, ...] = (),
) -> None:
    """Insert rows, or update those whose key is there already.

    Args:
        model: the mapped class.
        rows: all with the same columns.
        key: the columns of a unique constraint.
        keep: columns that an update leaves as they are.
    """
    if not rows:
        return
    ordered = sorted(rows, key=lambda row: tuple(row[name] for name in key))
    connection.execute(_upsert(connection.dialect.name, model, tuple(rows[0]), key, keep), ordered)


@lru_cache(maxsize=256)
def _upsert(
    dialect: str, model: Any, columns: tuple[str, ...], key: tuple[str, ...], keep: tuple[str, ...]
) -> Any:
    """The statement, made once: SQLAlchemy recognises it again and compiles it once."""
    insert = postgresql.insert if dialect == "postgresql" else sqlite.insert
    statement = insert(model.__table__)
    excluded = statement.excluded
    changed = {name: excluded[name] for name in columns if name not in key and name not in keep}
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)


def update_by_id(connection: Connection, model: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Update rows by their `id`; all with the same columns."""
    if not rows:
        return
    names = tuple(name for name in rows[0] if name != "id")
    values = [{f"b_{name}": row[name] for name in (*names, "id")} for row in rows]
    connection.execute(_update(model, names), values)


@lru_cache(maxsize=256)
def _update(model: Any, names: tuple[str, ...]) -> Any:
    table: Table = model.__table__
    statement = update(table).where(table.c.id == bindparam("b_id"))
    return statement.values({name: bindparam(f"b_{name}", type_=table.c[name].type) for name in names})


def delete_in(connection: Connection, model: Any, column: Any, values: Iterable[Any]) -> int:
    """Delete the rows whose column is one of many values; how many went."""
    gone = 0
    for chunk in chunks(sorted(set(values))):
        gone += connection.execute(model.__table__.delete().where(column.in_(chunk))).rowcount
    return gone
