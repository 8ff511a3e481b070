"""What may be seen: nothing of a source that is being deleted, in any table, search, count or export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, true
from sqlalchemy.orm import Session

from webapp.models import Source

ACTIVE = "active"


def names(connection: Connection | Session) -> dict[int, tuple[str, str]]:
    """The sources whose data may be seen: `{id: (public id, name)}`."""
    rows = connection.execute(select(Source.id, Source.uuid, Source.name).where(Source.state == ACTIVE))
    return {row.id: (f"ds_{row.uuid}", row.name) for row in rows}


def seen(connection: Connection | Session, model: Any, source_id: int | None = None) -> ColumnElement[bool]:
    """The condition under which rows of a table may be shown.

    Args:
        connection: to ask which sources are being deleted.
        model: a mapped class with a `source_id`.
        source_id: only rows of this source; None for those of every source.

    Returns:
        A condition that leaves the table's own indexes in use: with nothing being deleted it asks nothing.
    """
    hidden = unseen(connection)
    allowed = model.source_id.not_in(hidden) if hidden else true()
    return allowed if source_id is None else (model.source_id == source_id) & allowed


def unseen(connection: Connection | Session) -> Sequence[int]:
    """Ids of the sources that are being deleted."""
    return connection.execute(select(Source.id).where(Source.state != ACTIVE)).scalars().all()
