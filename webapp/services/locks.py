"""The lock under which whatever concerns customers of several sources is written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, exists, or_, select
from sqlalchemy.orm import Session

from webapp.models import Decision, Source


def _is_merged(source_id: Any) -> ColumnElement[bool]:
    """Whether anything was decided about records of a source."""
    ends = (Decision.primary_source_id, Decision.other_source_id)
    return or_(*(exists().where(end == source_id) for end in ends))


# `key_share`: the webhook inserts events meanwhile, and holds the same rows.
_ALL = select(Source.id).order_by(Source.id).with_for_update(key_share=True)
_ASKED: Any = bindparam("source")
_TIED = _ALL.where((Source.id == _ASKED) | (_is_merged(_ASKED) & _is_merged(Source.id)))


def lock_sources(connection: Connection | Session) -> None:
    """Lock every source until the transaction ends, in the order of their ids.

    A customer may have data source customers of any of them, and whoever projects one holds that one's lock.
    """
    connection.execute(_ALL).all()


def lock_one(connection: Connection | Session, source_id: int) -> None:
    """Lock a source until the transaction ends, and before it those whose customers may be its own too.

    Whoever projects a source composes customers that it was merged with. Two who did so at once would each
    read what the other has not committed yet, and the later would write over what the earlier wrote.
    """
    asked = {"source": source_id}
    if len(connection.execute(_TIED, asked).all()) == 1:
        connection.execute(_TIED, asked).all()  # it may have been merged while this waited
