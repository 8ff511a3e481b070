"""What may be seen: nothing of a source that is being deleted, in any table, search, count or export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, Connection, select, true
from sqlalchemy.orm import Session

from webapp.models import Contact, Customer, DataSourceCustomer, Source

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
        source_id: only rows of this source; None for those of every source. Contacts that stand within
            another are shown by their own source only.

    Returns:
        A condition that leaves the table's own indexes in use: with nothing being deleted it asks nothing.
    """
    hidden = unseen(connection)
    allowed = model.source_id.not_in(hidden) if hidden else true()
    if hidden and model is Customer:
        # Merged with one that goes: out of sight until it is what the other sources tell.
        going = select(DataSourceCustomer.customer_id).where(DataSourceCustomer.source_id.in_(hidden))
        allowed &= Customer.id.not_in(going)
    if source_id is not None:
        return of_source(connection, model, source_id) & allowed
    return allowed & Contact.within_id.is_(None) if model is Contact else allowed


def of_source(connection: Connection | Session, model: Any, source_id: int) -> ColumnElement[bool]:
    """The condition that a row is of a source: of a customer, that the source stands behind it."""
    mine = model.source_id == source_id
    if model is not Customer or not stands_behind_others(connection, source_id):
        return cast("ColumnElement[bool]", mine)
    following = select(DataSourceCustomer.customer_id).where(
        DataSourceCustomer.source_id == source_id, DataSourceCustomer.follows
    )
    return mine | Customer.id.in_(following)


def stands_behind_others(connection: Connection | Session, source_id: int) -> bool:
    """Whether a source stands behind customers that another source leads."""
    following = select(DataSourceCustomer.id).where(
        DataSourceCustomer.source_id == source_id, DataSourceCustomer.follows
    )
    return connection.scalar(following.limit(1)) is not None


def unseen(connection: Connection | Session) -> Sequence[int]:
    """Ids of the sources that are being deleted."""
    return connection.execute(select(Source.id).where(Source.state != ACTIVE)).scalars().all()
