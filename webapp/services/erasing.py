"""Erasing many rows in small steps, each as quick as the one before, however many are gone already."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from webapp.models import Event


def erase(
    connection: Connection, model: Any, limit: int, *conditions: Any, after: int = 0
) -> tuple[int, int]:
    """Delete at most `limit` rows that fulfil some conditions.

    Args:
        model: the mapped class; has an `id`.
        conditions: answered to by an index.
        after: the last id that an earlier step came to.

    Returns:
        How many went, and the last id come to.
    """
    table = model.__table__
    some = passing(connection, select(model.id).where(*conditions), model, after).limit(limit)
    doomed = table.delete().where(table.c.id.in_(some))
    if connection.dialect.name != "postgresql":
        return connection.execute(doomed).rowcount, after
    gone = doomed.returning(table.c.id).cte("gone")
    count, last = connection.execute(select(func.count(), func.max(gone.c.id))).one()
    return count, last or after


def passing(connection: Connection, query: Any, model: Any, after: int) -> Any:
    """A query of rows to be erased, in the order in which a database finds them at once.

    PostgreSQL's indexes keep entries of what is gone until its vacuum comes by, and every step would go
    through all of them again; so it passes over what earlier steps came to. SQLite's keep none, and to sort
    would be to read everything that is left.
    """
    if connection.dialect.name == "postgresql":
        return query.where(model.id > after).order_by(model.id)
    # By id where an index has that order: what was received together lies together.
    return query.order_by(model.id) if model is Event else query
