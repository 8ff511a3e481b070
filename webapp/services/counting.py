"""How many rows there are: exact up to ten thousand, past that an estimate that reads no more than that."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, literal, or_, select
from sqlalchemy.orm import Session

EXACT = 10_000
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


def count(connection: Connection | Session, model: Any, where: ColumnElement[bool]) -> Count:
    """Count rows, without ever reading a large table whole for a number.

    Args:
        connection: to ask with.
        model: the mapped class of the rows; has an `id`.
        where: which rows.
    """
    few = select(literal(1)).select_from(model).where(where).limit(EXACT + 1).subquery()
    number = connection.execute(select(func.count()).select_from(few)).scalar_one()
    if number <= EXACT:
        return Count(number)
    return Count(max(EXACT, _rounded(_estimate(connection, model, where))), exact=False)


def windows(connection: Connection | Session, model: Any) -> tuple[ColumnElement[bool], float]:
    """A sample of a table: some runs of ids, evenly spread.

    Returns:
        (the condition that a row is in the sample, rows that one row of the sample stands for).
    """
    first, last = connection.execute(select(func.min(model.id), func.max(model.id))).one()
    if first is None:
        return model.id < 0, 1.0
    span = last - first + 1
    if span <= _SAMPLE:
        return model.id >= first, 1.0
    length = _SAMPLE // _WINDOWS
    starts = [first + span * step // _WINDOWS for step in range(_WINDOWS)]
    runs = [and_(model.id >= start, model.id < start + length) for start in starts]
    return or_(*runs), span / (_WINDOWS * length)


def _estimate(connection: Connection | Session, model: Any, where: ColumnElement[bool]) -> int:
    sampled, weight = windows(connection, model)
    found = connection.execute(select(func.count()).select_from(model).where(sampled, where)).scalar_one()
    return round(found * weight)


def _rounded(number: int) -> int:
    """Two digits that count: a number that is only about right should look so."""
    step = 10 ** max(0, len(str(number)) - 2)
    return round(number / step) * step
