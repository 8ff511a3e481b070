"""How many rows there are: exact up to ten thousand, past that an estimate that reads no more than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, func, literal, select, union_all
from sqlalchemy.orm import Session

EXACT = 10_000
LOOKED_AT = 20_000
"""Rows looked at one by one for an exact number; where there are more of them, a sample has to do."""
_WINDOWS = 25
_SAMPLE = 10_000
"""Ids looked at, evenly over all there are, to estimate a number past EXACT."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows.

    Attributes:
        number: how many.
        exact: whether exactly so many; past EXACT it is about so many.
    """

    number: int
    exact: bool = True

    def __str__(self) -> str:
        return f"{self.number:,}" if self.exact else f"about {self.number:,}"

    def of(self, one: str, many: str) -> str:
        """The number with its noun: `1 contact`, `about 120,000 contacts`."""
        return f"{self} {one if self.number == 1 and self.exact else many}"


def count(
    connection: Connection | Session,
    model: Any,
    where: ColumnElement[bool],
    candidates: Select[Any] | None = None,
    reached: ColumnElement[bool] | None = None,
    least: int = 0,
) -> Count:
    """Count rows, without ever reading a large table whole for a number.

    Args:
        connection: to ask with.
        model: the mapped class of the rows; has an `id`.
        where: which rows.
        candidates: a query of ids by an index, among which all of these rows are; None when `where` is
            one that an index answers to.
        reached: the same condition, said so that the best index is taken; `where` itself unless given.
        least: how many there are at least.
    """
    if candidates is None or number(connection, candidates, LOOKED_AT) <= LOOKED_AT:
        found = number(connection, select(model.id).where(where if reached is None else reached), EXACT)
        if found <= EXACT:
            return Count(found)
        least = max(least, EXACT)
    return Count(max(least, _rounded(_estimate(connection, model, where))), exact=False)


def number(connection: Connection | Session, rows: Select[Any], most: int) -> int:
    """How many rows a query has; one more than `most` when there are more."""
    few = rows.limit(most + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(few)).scalar_one())


def windows(connection: Connection | Session, model: Any) -> tuple[list[ColumnElement[bool]], float]:
    """A sample of a table: some runs of ids, evenly spread.

    Returns:
        (a condition for each run, rows that one row of the sample stands for). Ask for each run in a query of
        its own, joined by UNION ALL: beside another condition a database may take another index and read all.
    """
    # Apart, each is one look at an end of the key; SQLite reads the whole table for both at once.
    ends = (select(end(model.id)).scalar_subquery() for end in (func.min, func.max))
    first, last = connection.execute(select(*ends)).one()
    if first is None:
        return [], 1.0
    span = last - first + 1
    if span <= _SAMPLE:
        return [model.id >= first], 1.0
    length = _SAMPLE // _WINDOWS
    starts = [first + span * step // _WINDOWS for step in range(_WINDOWS)]
    runs = [and_(model.id >= start, model.id < start + length) for start in starts]
    return runs, span / (_WINDOWS * length)


def _estimate(connection: Connection | Session, model: Any, where: ColumnElement[bool]) -> int:
    runs, weight = windows(connection, model)
    parts = [select(literal(1).label("one")).select_from(model).where(run, where) for run in runs]
    sample = union_all(*parts).subquery()
    found = connection.execute(select(func.count()).select_from(sample)).scalar_one()
    return round(found * weight)


def _rounded(number: int) -> int:
    """Two digits that count: a number that is only about right should look so."""
    step = 10 ** max(0, len(str(number)) - 2)
    return round(number / step) * step
