"""The different values of a column, by its index: a text that few of them hold is found by these.

"City contains 12" has no index of its own. But where all customers live in some hundred cities, these are
read along the column's index, one step for each, and those that hold the text lead to their rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Integer, case, func, literal, select

from webapp.models.search import LONGEST_KEY

MOST = 1000
"""Different values that are read; where there are more, they lead nowhere."""


def holding(
    connection: Connection, model: Any, key: ColumnElement[Any], held: Callable[[Any], ColumnElement[bool]]
) -> list[str] | None:
    """The values of a column in which a text is, as far as its sort key shows them.

    Args:
        connection: to read with.
        model: the mapped class of the column's rows.
        key: what the column sorts by.
        held: makes the condition that a value has to meet.

    Returns:
        The values, as they are sorted; None where there are more than MOST different ones.
    """
    least = select(key).select_from(model).where(key.is_not(None)).order_by(key).limit(1).scalar_subquery()
    steps = select(least.label("value"), literal(1, Integer).label("n")).cte("steps", recursive=True)
    following = select(key).select_from(model).where(key > steps.c.value).order_by(key).limit(1)
    another = select(following.correlate(steps).scalar_subquery(), steps.c.n + 1)
    steps = steps.union_all(another.where(steps.c.value.is_not(None), steps.c.n <= MOST))
    # What a key cuts off may hold the text too, so that a long value has to be looked at.
    asked = case((held(steps.c.value) | (func.length(steps.c.value) >= LONGEST_KEY), 1), else_=0)
    rows = connection.execute(select(steps.c.value, asked).where(steps.c.value.is_not(None))).all()
    return [value for value, is_held in rows if is_held] if len(rows) <= MOST else None
