"""Whose turn it is to work on an import: whoever took it up last, and nobody else."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, or_, select, update

from webapp.database import begin
from webapp.models import Import, now
from webapp.models.imports import BUSY, CANCELLING, CHOOSING
from webapp.services.heartbeats import silent

CHOSEN_WITHIN = 7 * 86_400 * 1_000_000
"""Microseconds for which uploaded files wait for a choice."""


class Lost(Exception):
    """Somebody else has taken the import up, cancelled it, or its source is being deleted."""


def stalled(engine: Engine) -> list[int]:
    """Ids of imports that wait for a worker: just asked for, silent, or not chosen from for a week."""
    expired = (Import.state == CHOOSING) & (Import.heartbeat_at < now() - CHOSEN_WITHIN)
    with engine.connect() as connection:
        query = select(Import.id).where(or_(Import.state.in_(BUSY) & silent(Import.heartbeat_at), expired))
        return list(connection.scalars(query.order_by(Import.id)))


def take_up(engine: Engine, import_id: int) -> Any | None:
    """The row of an import that is now ours to work on; None when there is nothing to do.

    One that nobody has chosen from for a week is cancelled by this.
    """
    with begin(engine) as connection:
        query = select(Import.__table__).where(Import.id == import_id)
        row = connection.execute(query.with_for_update()).first()
        if row is None:
            return None
        at = now()
        values: dict[str, Any] = {"turn": row.turn + 1, "started_at": row.started_at or at}
        if row.state == CHOOSING and row.heartbeat_at < at - CHOSEN_WITHIN:
            values["state"] = CANCELLING
        elif row.state not in BUSY:
            return None
        connection.execute(update(Import).where(Import.id == import_id).values(heartbeat_at=at, **values))
        return connection.execute(query).one()


def own(row: Any) -> tuple[ColumnElement[bool], ...]:
    """The condition that an import is as it was when we took it up."""
    return Import.id == row.id, Import.turn == row.turn, Import.state == row.state


def move(connection: Connection, row: Any, **values: Any) -> None:
    """Write what became of an import that was taken up.

    Raises:
        Lost: it is not ours any more.
    """
    held = connection.scalar(select(Import.id).where(*own(row)).with_for_update())
    if held is None:
        raise Lost
    connection.execute(update(Import).where(Import.id == row.id).values(heartbeat_at=now(), **values))
