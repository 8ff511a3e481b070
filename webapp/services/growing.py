"""Tables that some work lets grow: PostgreSQL is told to look at them again in time.

Of a table that it has not looked at it takes it for granted that a few hundred keys are half of it, and walks
through the whole for every page of the work. By itself it looks after a minute at the earliest.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, text

TIMES = 3
"""How much more work than at the last look leads to the next."""

_UNSEEN = text(
    "SELECT relname FROM pg_class WHERE oid = ANY(CAST(:names AS regclass[]))"
    " AND reltuples < 1000 AND pg_relation_size(oid) > 262144 ORDER BY relname"
)


def look_at_unseen(connection: Connection, *models: Any) -> list[str]:
    """Have PostgreSQL look at those of some tables that have grown since it saw next to nothing in them.

    Returns:
        Their names; of tables that it knows none, which costs a fraction of a millisecond.
    """
    if connection.dialect.name != "postgresql":
        return []
    names = [model.__table__.name for model in models]
    unseen = list(connection.scalars(_UNSEEN, {"names": names}))
    if unseen:
        connection.exec_driver_sql(f"ANALYZE {', '.join(unseen)}")
    return unseen


class Growing:
    """Some tables, and how much work went into them."""

    def __init__(self, *models: Any) -> None:
        self._tables = ", ".join(model.__table__.name for model in models)
        self._done = 0
        self._looked_at = 0

    def by(self, connection: Connection, rows: int) -> None:
        """Say how many more rows were worked on, in the transaction that did so."""
        self._done += rows
        if connection.dialect.name == "postgresql" and self._done > TIMES * self._looked_at:
            connection.exec_driver_sql(f"ANALYZE {self._tables}")
            self._looked_at = self._done
