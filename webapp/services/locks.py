"""The lock under which whatever concerns customers of several sources is written."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.models import Source


def lock_sources(connection: Connection | Session) -> None:
    """Lock every source until the transaction ends, in the order of their ids.

    A customer may have data source customers of any of them, and whoever projects one holds that one's lock.
    """
    # `key_share`: the webhook inserts events meanwhile, whose foreign keys look at the same rows.
    connection.execute(select(Source.id).order_by(Source.id).with_for_update(key_share=True)).all()
