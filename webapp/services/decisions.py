"""Reading decisions about who is the same."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, or_, select

from webapp.models import Decision
from webapp.models.merging import APART, MERGE
from webapp.services.rows import select_in

Pair = tuple[str, str]


def reached(connection: Connection, entity: str, origins: Iterable[str]) -> tuple[set[str], set[Pair]]:
    """Everything that merge decisions connect with some origins, however far.

    Args:
        entity: `customer` or `contact`.
        origins: where to begin.

    Returns:
        All origins on the way, those given included; the decided pairs, as (primary, other).
    """
    nodes, fresh = set(origins), set(origins)
    pairs: set[Pair] = set()
    while fresh:
        rows = _of(connection, entity, MERGE, fresh)
        pairs |= {(row.primary_now, row.other_now) for row in rows}
        fresh = {end for row in rows for end in (row.primary_now, row.other_now)} - nodes
        nodes |= fresh
    return nodes, pairs


def apart(connection: Connection, entity: str, origins: Iterable[str]) -> set[Pair]:
    """Pairs, with one of some origins in each, of which somebody said that they are not the same."""
    return {(row.primary_now, row.other_now) for row in _of(connection, entity, APART, origins)}


def _of(connection: Connection, entity: str, kind: str, origins: Iterable[str]) -> list[Any]:
    query = select(Decision.id, Decision.primary_now, Decision.other_now)
    query = query.where(Decision.entity == entity, Decision.kind == kind)
    wanted = sorted(origins)
    ends = (Decision.primary_now, Decision.other_now)
    return [row for end in ends for row in select_in(connection, query, end, wanted)]


def about(connection: Connection, entity: str, origins: Iterable[str]) -> list[Any]:
    """All decisions with one of some origins at either end, as rows, the oldest first."""
    wanted = list(origins)
    query = select(Decision.__table__).where(
        Decision.entity == entity, or_(Decision.primary_now.in_(wanted), Decision.other_now.in_(wanted))
    )
    return list(connection.execute(query.order_by(Decision.id)).all())
