"""The lock under which whatever concerns customers of several sources is written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, or_, select
from sqlalchemy.orm import Session

from webapp.models import Decision, Source


def lock_sources(connection: Connection | Session) -> None:
    """Lock every source until the transaction ends, in the order of their ids.

    A customer may have data source customers of any of them, and whoever projects one holds that one's lock.
    """
    # `key_share`: the webhook inserts events meanwhile, whose foreign keys look at the same rows.
    connection.execute(select(Source.id).order_by(Source.id).with_for_update(key_share=True)).all()


def lock_one(connection: Connection | Session, source_id: int) -> None:
    """Lock a source until the transaction ends, and before it those whose customers may be its own too.

    Whoever projects a source composes customers that it was merged with. Two who did so at once would each
    read what the other has not committed yet, and the later would write over what the earlier wrote.
    """
    tied = (Source.id == source_id) | (_is_merged(source_id) & _is_merged(Source.id))
    wanted = select(Source.id).where(tied).order_by(Source.id).with_for_update(key_share=True)
    if len(connection.execute(wanted).all()) == 1:
        connection.execute(wanted).all()  # it may have been merged while this waited


def _is_merged(source_id: Any) -> ColumnElement[bool]:
    """Whether anything was decided about records of a source."""
    ends = (Decision.primary_source_id, Decision.other_source_id)
    return or_(*(exists().where(end == source_id) for end in ends))
