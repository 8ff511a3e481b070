"""Erasing many rows in small steps, each as quick as the one before, however many are gone already."""

from __future__ import annotations

from functools import cache
from typing import Any

from sqlalchemy import Connection, bindparam, func, select

from webapp.models import Event


def erase(connection: Connection, model: Any, limit: int, after: int = 0, **of: int) -> tuple[int, int]:
    """Delete at most `limit` rows.

    Args:
        model: the mapped class; has an `id`.
        after: the last id that an earlier step came to.
        of: what columns have to hold; an index has them.

    Returns:
        How many went, and the last id come to.
    """
    told = of | {"after": after, "most": limit}
    done = connection.execute(_erasing(model, tuple(of), connection.dialect.name), told)
    if connection.dialect.name != "postgresql":
        return done.rowcount, after
    count, last = done.one()
    return count, last or after


@cache
def _erasing(model: Any, columns: tuple[str, ...], dialect: str) -> Any:
    table = model.__table__
    rows = select(model.id).where(*(table.c[name] == bindparam(name) for name in columns))
    some = passing(rows, model, dialect).limit(bindparam("most"))
    doomed = table.delete().where(table.c.id.in_(some))
    if dialect != "postgresql":
        return doomed
    gone = doomed.returning(table.c.id).cte("gone")
    return select(func.count(), func.max(gone.c.id))


def passing(query: Any, model: Any, dialect: str) -> Any:
    """A query of rows to be erased, in the order in which a database finds them at once.

    PostgreSQL's indexes keep entries of what is gone until its vacuum comes by, and every step would go
    through all of them again; so it passes over what earlier steps came to, the parameter `after`. SQLite's
    keep none, and to sort would be to read everything that is left.
    """
    if dialect == "postgresql":
        return query.where(model.id > bindparam("after")).order_by(model.id)
    # By id where an index has that order: what was received together lies together.
    return query.order_by(model.id) if model is Event else query
