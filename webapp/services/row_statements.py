"""The statements by which many rows are written, put together once for each set of columns.

SQLite's are the driver's own, for some rows each. PostgreSQL gets an array a column, for any number of rows.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from sqlalchemy import JSON, Table, TextClause, text
from sqlalchemy.dialects import postgresql


@cache
def documents(model: Any) -> frozenset[str]:
    """The names of the columns that hold JSON."""
    return frozenset(c.name for c in model.__table__.c if isinstance(c.type, JSON))


@lru_cache(maxsize=256)
def upsert(
    model: Any, columns: tuple[str, ...], key: tuple[str, ...], keep: tuple[str, ...], count: int
) -> str:
    """SQLite's statement that inserts some rows, or updates those whose key is there.

    Args:
        keep: columns that an update leaves as they are.
        count: of the rows; the driver gets their values one behind the other.
    """
    changed = ", ".join(f'"{c}" = excluded."{c}"' for c in columns if c not in key and c not in keep)
    return (
        f"INSERT INTO {model.__table__.name} ({_listed(columns)}) VALUES {_marks(len(columns), count)} "  # noqa: S608
        f"ON CONFLICT ({_listed(key)}) DO UPDATE SET {changed}"
    )


def _marks(columns: int, count: int) -> str:
    return ", ".join([f"({', '.join('?' * columns)})"] * count)


@lru_cache(maxsize=256)
def upsert_arrays(
    model: Any, columns: tuple[str, ...], key: tuple[str, ...], keep: tuple[str, ...], moment: str | None
) -> TextClause:
    """PostgreSQL's statement for all rows at once: an array a column, several times as fast as a row each.

    A row that is as it should be is left alone: writing it again would write all its indexes again.
    """
    table: Table = model.__table__
    changed = [c for c in columns if c not in key and c not in keep]
    compared, told_as_json = [c for c in changed if c != moment], documents(model)
    before, after = (
        ", ".join(f"{of}.{c}::text" if c in told_as_json else f"{of}.{c}" for c in compared)
        for of in (table.name, "excluded")
    )
    return text(
        f"INSERT INTO {table.name} ({_listed(columns)}) SELECT * FROM {_unnested(model, columns)} "  # noqa: S608
        f"ON CONFLICT ({_listed(key)}) DO UPDATE SET {', '.join(f'{c} = excluded.{c}' for c in changed)} "
        f"WHERE ({before}) IS DISTINCT FROM ({after})".replace("::", r"\:\:")
    )


@lru_cache(maxsize=256)
def update(model: Any, names: tuple[str, ...], key: str) -> str:
    """SQLite's statement that updates one row: values of the names, then that of the key."""
    changed = ", ".join(f'"{name}" = ?' for name in names)
    return f'UPDATE {model.__table__.name} SET {changed} WHERE "{key}" = ?'  # noqa: S608


@lru_cache(maxsize=256)
def update_many(model: Any, names: tuple[str, ...], key: str, count: int) -> str:
    """SQLite's statement that updates some rows. Columns of `VALUES` are called by their numbers."""
    table, told = model.__table__.name, f"(VALUES {_marks(len(names) + 1, count)}) AS told"
    changed = ", ".join(f'"{name}" = told.column{number}' for number, name in enumerate(names, 1))
    found = f'{table}."{key}" = told.column{len(names) + 1}'
    return f"UPDATE {table} SET {changed} FROM {told} WHERE {found}"  # noqa: S608


@lru_cache(maxsize=256)
def update_arrays(model: Any, columns: tuple[str, ...]) -> TextClause:
    """PostgreSQL's statement that updates all rows by their `id`."""
    name = model.__table__.name
    changed = ", ".join(f"{c} = told.{c}" for c in columns if c != "id")
    return text(
        f"UPDATE {name} SET {changed} FROM {_unnested(model, columns)} AS told ({', '.join(columns)}) "  # noqa: S608
        f"WHERE {name}.id = told.id"
    )


def _unnested(model: Any, columns: tuple[str, ...]) -> str:
    types = (model.__table__.c[name].type.compile(postgresql.dialect()) for name in columns)
    return f"unnest({', '.join(f'CAST(:{c} AS {t}[])' for c, t in zip(columns, types, strict=True))})"


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(f'"{name}"' for name in names)
