"""How many rows there are: exact up to ten thousand, past that an estimate that reads no more than that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import mul
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    func,
    literal,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import array
from sqlalchemy.orm import Session

EXACT = 10_000
LOOKED_AT = 20_000
"""Rows looked at one by one for an exact number; where there are more of them, a sample has to do."""
_WINDOWS, _WINDOW = 10, 400
"""At least so many runs of ids, each of at most so many."""
LARGE = 5000
"""Ids looked at, evenly over all there are, to estimate a number past EXACT."""
SMALL = 2500
"""Ids looked at to choose a way by; twice as quick."""


@dataclass(frozen=True, slots=True)
class Count:
    """A number of rows.

    Attributes:
        number: how many.
        exact: whether exactly so many; past EXACT it is about so many.
    """

    number: int
    exact: bool = True

    def __bool__(self) -> bool:
        return self.number > 0

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
    return about(connection, model, where, least)


def number(connection: Connection | Session, rows: Select[Any], most: int) -> int:
    """How many rows a query has; one more than `most` when there are more."""
    few = rows.limit(most + 1).subquery()
    return int(connection.execute(select(func.count()).select_from(few)).scalar_one())


@dataclass(frozen=True, slots=True)
class Sample:
    """What a look at some rows says of a whole table.

    Attributes:
        rows: looked at.
        weight: rows of the table that each stands for; 1 when these are all.
        hits: how many of them met all conditions that were asked for, then how many met each.
        ids: of the whole table.
    """

    rows: int
    weight: float
    hits: tuple[int, ...]
    ids: range = range(0)

    def estimate(self, condition: int = 0) -> float:
        """About how many rows meet all conditions (0), or one; where none did, as if half a row had."""
        return max(self.hits[condition], 0 if self.weight == 1 else 0.5) * self.weight


def sample(
    connection: Connection | Session, model: Any, conditions: Sequence[ColumnElement[bool]], size: int = SMALL
) -> Sample:
    """Look at some rows of a table, evenly over all ids there are.

    Args:
        connection: to ask with.
        model: the mapped class of the rows; has an `id`.
        conditions: what to count, each and all together.
        size: how many ids are looked at, at most.
    """
    return _looked_at(connection, model, conditions, ids(connection, model), size)


def _looked_at(
    connection: Connection | Session,
    model: Any,
    conditions: Sequence[ColumnElement[bool]],
    among: range,
    size: int,
    between: bool = False,
) -> Sample:
    starts, length, weight = _spread(among, size, between)
    if not starts:
        return Sample(0, 1.0, (0,) * (1 + len(conditions)), among)
    marks = [case((each, 1), else_=0).label(f"c{n}") for n, each in enumerate(conditions)]
    told = select(literal(1).label("one"), *marks)
    at = connection.connection() if isinstance(connection, Session) else connection
    if at.dialect.name == "postgresql":  # it takes as long to plan many queries as to run them
        begun = select(
            func.unnest(array([literal(each, BigInteger) for each in starts])).label("at")
        ).subquery()
        run = told.where(model.id >= begun.c.at, model.id < begun.c.at + length).limit(length).lateral()
        sampled = select(run).select_from(begun.join(run, true())).subquery()
    else:
        sampled = union_all(*(told.where(run) for run in _runs(model, starts, length))).subquery()
    met = [sampled.c[mark.name] for mark in marks]
    # Whether all hold follows from the marks, so that no condition is asked twice.
    sums = [func.coalesce(func.sum(each), 0) for each in (reduce(mul, met), *met)]
    counted, *hits = connection.execute(select(func.count(), *sums).select_from(sampled)).one()
    return Sample(counted, weight, tuple(int(each) for each in hits), among)


def windows(
    connection: Connection | Session, model: Any, size: int = LARGE
) -> tuple[list[ColumnElement[bool]], float]:
    """A sample of a table: some runs of ids, evenly spread.

    Returns:
        (a condition for each run, rows that one row of the sample stands for). Ask for each run in a query of
        its own, joined by UNION ALL: beside another condition a database may take another index and read all.
    """
    starts, length, weight = _spread(ids(connection, model), size)
    return _runs(model, starts, length), weight


def _runs(model: Any, starts: Sequence[int], length: int) -> list[ColumnElement[bool]]:
    return [and_(model.id >= start, model.id < start + length) for start in starts]


def ids(connection: Connection | Session, model: Any) -> range:
    """The ids of a table, from the first to the last; there are at most so many rows."""
    # Apart, each is one look at an end of the key; SQLite reads the whole table for both at once.
    ends = (select(end(model.id)).scalar_subquery() for end in (func.min, func.max))
    first, last = connection.execute(select(*ends)).one()
    return range(0) if first is None else range(first, last + 1)


def _spread(among: range, size: int, between: bool = False) -> tuple[list[int], int, float]:
    """Where runs of ids begin, how long each is, and the rows that one row of them stands for.

    Args:
        among: all ids.
        size: how many are looked at, at most.
        between: halfway between those that are looked at else.
    """
    span = len(among)
    if span <= size:
        return [among.start] if span else [], span, 1.0
    number = max(_WINDOWS, size // _WINDOW)
    length = size // number
    step = span / number
    starts = [among.start + int(step * (n + between / 2)) for n in range(number)]
    return starts, length, span / (number * length)


def about(
    connection: Connection | Session,
    model: Any,
    where: ColumnElement[bool],
    least: int = 0,
    known: Sample | None = None,
) -> Count:
    """An estimate of how many rows meet a condition, at least so many, from a sample.

    Args:
        connection: to ask with.
        model: the mapped class of the rows; has an `id`.
        where: which rows.
        least: how many there are at least.
        known: a sample of SMALL for this condition, or its parts: as many rows more are looked at then.
    """
    if known is None or len(known.ids) < 2 * LARGE:  # there is room between its runs
        found = sample(connection, model, [where], LARGE)
        return Count(max(least, rounded(round(found.hits[0] * found.weight))), exact=False)
    more = _looked_at(connection, model, [where], known.ids, SMALL, between=True)
    hits = (known.hits[0] + more.hits[0]) / 2
    return Count(max(least, rounded(round(hits * more.weight))), exact=False)


def rounded(number: int) -> int:
    """Two digits that count: a number that is only about right should look so."""
    step = 10 ** max(0, len(str(number)) - 2)
    return round(number / step) * step
