"""Filters: read from an address or a form, said as a sentence, and turned into a condition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    String,
    and_,
    false,
    func,
    literal,
    select,
    true,
)

from webapp.domain.clock import iso, read_time, timestamp_form
from webapp.models import Customer, Source
from webapp.models.base import folded
from webapp.models.search import sortable
from webapp.services.tables import expressions
from webapp.services.tables.columns import JSON, MICROS, MONEY, OTHER, TEXT, Column, Table

# What each operator is called, in the order in which a page offers them.
OPERATORS = {
    "contains": "contains",
    "is": "is",
    "empty": "is empty",
    "filled": "is not empty",
    "before": "is before",
    "after": "is after",
    "greater": "is greater than",
    "less": "is less than",
}
ALONE = ("empty", "filled")
"""Operators that take no value."""

_FIT = {
    "String": ("contains", "is", *ALONE),
    "Integer": ("is", "greater", "less", *ALONE),
    "Decimal": ("is", "greater", "less", *ALONE),
    "Timestamp": ("is", "before", "after", *ALONE),
    "Boolean": ("is", *ALONE),
}
_IN_WORDS = {
    "String": "a text",
    "Integer": "a number",
    "Decimal": "a number",
    "Timestamp": "a time",
    "Boolean": "either true or false",
}
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_DAY = timedelta(days=1)
LONGEST = 1000
SHORTEST = 3
"""Letters of a text that an index of trigrams finds anywhere; a shorter one it finds at a beginning only."""
WHOLE = 100
"""Letters of a text that its sort key holds wholly, even where lower case is longer."""
SEARCHED = ("name", "email", "external_id", "user_id")
"""Columns whose texts the search looks into."""


class Unreadable(ValueError):
    """A filter that cannot be applied; the text says why and what would do."""


@dataclass(frozen=True, slots=True)
class Filter:
    """One condition on one column.

    Attributes:
        column: what it is about.
        operator: a key of OPERATORS.
        text: the value as typed, trimmed; empty where the operator takes none.
        value: the value as it is compared: a text, a number, True or False, or (first instant, instant behind
            the last) in microseconds.
    """

    column: Column
    operator: str
    text: str
    value: str | Decimal | bool | tuple[int, int] | None

    @property
    def written(self) -> str:
        """The filter as an address bears it: `email:contains:acme`."""
        return f"{self.column.key}:{self.operator}" + (f":{self.text}" if self.text else "")

    @property
    def sentence(self) -> str:
        """The filter in words: `Email contains “acme”`."""
        words = f"{self.column.label} {OPERATORS[self.operator]}"
        if self.operator in ALONE:
            return words
        return f"{words} “{self.text}”" if self.column.type == "String" else f"{words} {self.text}"


def make(columns: Mapping[str, Column], key: str, operator: str, text: str) -> Filter:
    """A filter from its parts.

    Args:
        columns: of the table, by key.
        key: the column's.
        operator: a key of OPERATORS.
        text: the value as typed.

    Raises:
        Unreadable: there is no such column or operator, they do not fit, or the value is of another type.
    """
    column = columns.get(key)
    if column is None:
        raise Unreadable(f"There is no column “{key[:60]}” to filter by, so that filter was left out.")
    if operator not in OPERATORS:
        raise Unreadable(
            f"“{operator[:60]}” is no way to filter, so the filter on {column.label} was left out."
        )
    fit = _FIT[column.type]
    if operator not in fit:
        offered = ", ".join(OPERATORS[each] for each in fit)
        raise Unreadable(
            f"{column.label} holds {_IN_WORDS[column.type]}, so “{OPERATORS[operator]}” says nothing about "
            f"it. Choose one of: {offered}."
        )
    if operator in ALONE:
        return Filter(column, operator, "", None)
    text = text.strip()[:LONGEST].replace("\0", "")
    if not text:
        raise Unreadable(f"What should {column.label} be compared with? Type a value, or choose “is empty”.")
    return Filter(column, operator, text, _value(column, text))


def _value(column: Column, text: str) -> str | Decimal | bool | tuple[int, int]:
    if column.numeric:
        return _number(column, text)
    if column.type == "Timestamp":
        return _span(column, text)
    if column.type == "Boolean":
        if text.lower() not in _BOOLEANS:
            raise Unreadable(f"{column.label} is either true or false, not “{text}”.")
        return _BOOLEANS[text.lower()]
    return text


def _number(column: Column, text: str) -> Decimal:
    try:
        number = Decimal(text.replace(",", "").replace(" ", ""))
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number.adjusted()) > 300:
        raise Unreadable(f"{column.label} holds a number, and “{text}” is none. Write it as 1200 or 2.5.")
    return number


def _span(column: Column, text: str) -> tuple[int, int]:
    start = read_time(text) if timestamp_form(text.replace(" ", "T", 1)) else None
    if start is None:
        raise Unreadable(
            f"{column.label} holds a time, and “{text}” is none. Write a day as 2026-09-24, "
            "or a moment as 2026-09-24T13:30 (UTC)."
        )
    length = _DAY if len(text) == len("2026-09-24") else timedelta(0)
    return start, start + length // timedelta(microseconds=1)


def condition(table: Table, filter: Filter, dialect: str) -> ColumnElement[bool]:
    """The rows that a filter lets through."""
    column = filter.column
    if column.kind == OTHER:
        return _other_condition(table, filter, dialect)
    if filter.operator in ALONE:
        is_custom = column.kind == JSON
        return _alone(
            filter, expressions.told(table, column, dialect) if is_custom else _kept(table, column, dialect)
        )
    if isinstance(filter.value, str):
        return _text_condition(table, column, filter, dialect)
    key = expressions.sort_key(table, column, dialect)
    if isinstance(filter.value, tuple):
        return _time_condition(key, filter.operator, filter.value, column, dialect)
    if isinstance(filter.value, bool):
        return key == int(filter.value)
    assert filter.value is not None  # noqa: S101
    value = filter.value * 100 if column.kind == MONEY else filter.value
    number = expressions.number(value, dialect)
    return {"greater": key > number, "less": key < number}.get(filter.operator, key == number)


def one_of(table: Table, key: str, values: Sequence[str]) -> ColumnElement[bool]:
    """The rows that have one of some texts in a column, said so that its index leads to them."""
    wanted = [sortable(literal(value, String)) for value in values]
    found: ColumnElement[bool] = sortable(getattr(table.model, key)).in_(wanted)
    return found


def is_indexed(filter: Filter) -> bool:
    """Whether an index leads to the rows that a filter lets through."""
    if filter.operator == "contains":
        return searched(filter) is not None
    if filter.column.kind == JSON:
        return filter.column.indexed
    return filter.operator == "is" or not (filter.column.kind == OTHER or filter.column.key == "name")


def has_values(filter: Filter) -> bool:
    """Whether the different values of its column lead to the rows that a filter lets through."""
    column = filter.column
    indexed = column.kind == TEXT or column.indexed
    return filter.operator == "contains" and indexed and column.key not in SEARCHED


def searched(filter: Filter) -> str | None:
    """What the search column must hold where a filter lets a row through; None when it says nothing of it."""
    if filter.operator != "contains" or filter.column.key not in SEARCHED:
        return None
    wanted = folded(filter.text)
    return wanted if len(wanted) >= SHORTEST else None


def reached(table: Table, filter: Filter, dialect: str) -> ColumnElement[bool]:
    """The rows that a filter lets through, said so that an index leads to them."""
    if filter.operator in ALONE:
        key = expressions.sort_key(table, filter.column, dialect)
        return key.is_(None) if filter.operator == "empty" else expressions.filled(key, dialect)
    if filter.column.key != "customer":
        return condition(table, filter, dialect)
    found: ColumnElement[bool] = table.model.customer_id.in_(
        select(Customer.id).where(_other_text(filter, dialect))
    )
    return found


def _other_condition(table: Table, filter: Filter, dialect: str) -> ColumnElement[bool]:
    """A filter on what stands in another table, as a row is asked: of a customer, by its key."""
    model = table.model
    if filter.operator in ALONE:  # each row has a source, and each contact a customer
        return false() if filter.operator == "empty" else true()
    found = _other_text(filter, dialect)
    if filter.column.key == "customer":
        return select(Customer.id).where(Customer.id == model.customer_id, found).correlate(model).exists()
    there: ColumnElement[bool] = model.source_id.in_(select(Source.id).where(found))
    return there


def _other_text(filter: Filter, dialect: str) -> ColumnElement[bool]:
    wanted, contained = str(filter.value), filter.operator == "contains"
    if filter.column.key == "customer":
        name, wanted = Customer.__table__.c.sort_name, folded(wanted)
        return holds(name, wanted, dialect) if contained else name == wanted
    if contained:
        return contains(Source.__table__.c.name, wanted, dialect)
    return func.lower(Source.name) == func.lower(literal(wanted, String))


def _alone(filter: Filter, kept: ColumnElement[Any]) -> ColumnElement[bool]:
    return kept.is_(None) if filter.operator == "empty" else kept.is_not(None)


def _kept(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    # A customer that told no name is shown by its external id, and yet has no name.
    if column.key == "name" and table.one == "customer":
        return table.model.name
    # What is sorted by has the index.
    return expressions.sort_key(table, column, dialect)


def _text_condition(table: Table, column: Column, filter: Filter, dialect: str) -> ColumnElement[bool]:
    text, value = expressions.text(table, column, dialect), str(filter.value)
    if column.key == "name":
        wanted = folded(value)
        return holds(text, wanted, dialect) if filter.operator == "contains" else text == wanted
    if filter.operator == "contains":
        return contains(text, value, dialect)
    wanted_text = literal(value, String)
    # What the index holds is the beginning, which is whole for all but very long texts.
    begins = sortable(text) == sortable(wanted_text)
    if len(value) < WHOLE:
        return begins
    return and_(begins, func.lower(text) == func.lower(wanted_text))


def holds(text: ColumnElement[Any], wanted: str, dialect: str) -> ColumnElement[bool]:
    """Whether a folded text holds another folded text somewhere."""
    if dialect == "sqlite":
        return func.instr(text, literal(wanted, String)) > 0
    return text.like(literal(_pattern(wanted), String), escape="\\")


def words_begin(text: ColumnElement[Any], wanted: str) -> ColumnElement[bool] | None:
    """Which rows PostgreSQL's trigrams lead to for a text of one or two letters behind a line feed.

    They know words, and nothing between them: to all rows in which any word begins so. None for other texts.
    """
    begun = wanted.lstrip("\n")
    if len(begun) >= SHORTEST or not begun.isalnum():
        return None
    return text.regexp_match(literal(f"(^|[^[:alnum:]]){begun}", String))


def contains(text: ColumnElement[Any], wanted: str, dialect: str) -> ColumnElement[bool]:
    """Whether a text holds another somewhere, in any case; no character of it is a wildcard."""
    pattern = literal(_pattern(wanted), String)
    if dialect == "postgresql":
        return text.ilike(pattern, escape="\\")
    return text.like(pattern, escape="\\")


def _pattern(wanted: str) -> str:
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def _time_condition(
    key: ColumnElement[Any], operator: str, span: tuple[int, int], column: Column, dialect: str
) -> ColumnElement[bool]:
    start, end = (_bound(each, column, dialect) for each in span)
    if operator == "before":
        return key < start
    whole = span[1] > span[0]
    if operator == "after":
        return key >= end if whole else key > start
    return (key >= start) & (key < end) if whole else key == start


def _bound(instant: int, column: Column, dialect: str) -> ColumnElement[Any]:
    if column.kind == MICROS:
        return literal(instant)
    if dialect == "postgresql":
        return literal(instant, BigInteger)
    last = datetime.max.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    instant = min(instant, last // timedelta(microseconds=1))
    return expressions.instant(literal(iso(instant), String))
