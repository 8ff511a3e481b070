"""Who shares a value with whom: each value is looked up in an index, so that a look at a few stays small
however many data source customers there are, and however many of them bear the same value."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, NamedTuple

from sqlalchemy import Connection, String, cast, func, select
from sqlalchemy.orm import aliased

from webapp.models import MatchKey
from webapp.services.rows import select_in

LOOKED_AT = 20
"""Of those that share one value so many are looked at; with more it says too little to matter which."""


class Shared(NamedTuple):
    """One that shares a value with another: ids of both data source customers, and the kind of the value."""

    id: int
    kind: str
    other_id: int


def sharing(
    connection: Connection,
    ids: Iterable[int],
    kinds: Collection[str],
    billing: bool,
    source_id: int | None = None,
) -> list[Shared]:
    """Who shares values with some data source customers; of each value at most LOOKED_AT.

    Args:
        ids: of data source customers; they may be among those who share with them.
        kinds: of match keys.
        billing: whether those of billing sources are looked for, else those of Segment.
        source_id: only those of this source.
    """
    mine, other = aliased(MatchKey), aliased(MatchKey)
    same = select(other.data_source_customer_id.label("id")).where(
        other.kind == mine.kind, other.value == mine.value, other.billing if billing else ~other.billing
    )
    if source_id is not None:
        same = same.where(other.source_id == source_id)
    few = same.order_by(other.data_source_customer_id).limit(LOOKED_AT).correlate(mine).subquery()
    # As one text: a query for each value that stops early is what no planner makes a walk over the table of.
    listed: Any = select(func.aggregate_strings(cast(few.c.id, String), ",")).correlate(mine)
    query = select(mine.data_source_customer_id, mine.kind, listed.scalar_subquery().label("others"))
    rows = select_in(connection, query.where(mine.kind.in_(kinds)), mine.data_source_customer_id, ids)
    return [
        Shared(row.data_source_customer_id, row.kind, int(each))
        for row in rows
        for each in (row.others or "").split(",")
        if each
    ]
