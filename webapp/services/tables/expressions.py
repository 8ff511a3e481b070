"""What a column is in SQL, on both databases: what it sorts and compares by, and its text.

A custom attribute is a key in a JSON document. Values are kept as told, so each expression takes only what
its type can hold; anything else counts as empty instead of breaking the query. They are also what the indexes
of custom attributes are made of (`services/attribute_indexes.py`): constants in them are written out, since a
database knows an index by its words, and none of them may fail, since the row could not be written then.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    Select,
    String,
    case,
    cast,
    func,
    literal,
    literal_column,
    select,
)

from webapp.models import Customer, Source
from webapp.models.search import TAGS, sortable
from webapp.services.tables.columns import JSON, OTHER, TEXT, Column, Table


def sort_key(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    """What a column sorts by and compares with; NULL where a row has nothing in it."""
    if column.kind == JSON:
        return custom_key(table.model, column.name, column.type, dialect)
    if column.key == "name":
        return table.model.sort_name
    if column.key == "customer":  # by a join (`joined`), so that the customers' index gives the order
        order: ColumnElement[Any] = Customer.__table__.c.sort_name
        return order
    if column.kind == OTHER:
        return _other(table, column)
    expression = TAGS if column.key == "tags" else getattr(table.model, column.key)
    return sortable(expression) if column.kind == TEXT else expression


def custom_key(model: Any, key: str, type_: str, dialect: str) -> ColumnElement[Any]:
    """What a custom attribute sorts by and compares with: a function of the document alone.

    Args:
        model: Customer or Contact.
        key: the attribute's.
        type_: the attribute's; says what is a value, and anything else is NULL.
        dialect: of the database.
    """
    document = model.custom
    if type_ == "String":
        return sortable(_json_text(document, key, dialect))
    if dialect != "postgresql":
        # The type holds every value, so there is nothing to ask first; true and false are 1 and 0.
        is_time = type_ == "Timestamp"
        raw = func.json_extract(document, _path(key), type_=String if is_time else Float)
        return instant(raw) if is_time else raw
    found = _json_text(document, key, dialect)
    if type_ == "Boolean":
        return case((found == _word("true"), _number(1)), (found == _word("false"), _number(0)))
    if type_ == "Timestamp":
        return func.tributary_instant(found, type_=BigInteger)  # microseconds; made by migration 0009
    value = document.op("->")(_word(key))
    return case((func.jsonb_typeof(value) == _word("number"), cast(value, Numeric)))


def filled(key: ColumnElement[Any], dialect: str) -> ColumnElement[bool]:
    """Whether a row has something to sort by, said so that an index leads to where that begins."""
    # SQLite looks for no "is not null" in an index, and would pass all rows that have nothing. Whatever is
    # something is greater than the least number.
    return key >= literal_column("-9e999") if dialect == "sqlite" else key.is_not(None)


def told(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    """What was told of a custom attribute, as it is in the document; NULL where nothing was."""
    document = table.model.custom
    if dialect == "postgresql":
        found: ColumnElement[Any] = document.op("->")(_word(column.name))
        return found
    return func.json_type(document, _path(column.name), type_=String)


def joined(query: Select[Any], table: Table, column: Column, along: str = "") -> Select[Any]:
    """A query of a table's rows with what sorting by a column needs beside it.

    Args:
        query: of rows of the table.
        table: of which.
        column: what they are sorted by.
        along: the dialect where the column's order is followed, instead of sorting what was found.
    """
    if column.key != "customer":
        return query
    id: ColumnElement[int] = Customer.__table__.c.id
    # SQLite begins with the contacts else, and sorts all of them.
    id = literal_column("+customers.id", Integer) if along == "sqlite" else id
    return query.select_from(table.model).join(Customer, id == table.model.customer_id)


def text(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    """A column as text, for "contains" and "is"; a name without accents and case."""
    if column.kind == JSON:
        return _json_text(table.model.custom, column.name, dialect)
    if column.key == "name":
        return table.model.sort_name
    if column.key == "tags":
        return TAGS
    return _other(table, column) if column.kind == OTHER else getattr(table.model, column.key)


def instant(value: ColumnElement[str]) -> ColumnElement[Any]:
    """A text with the form of a Timestamp as SQLite's number that orders instants, whatever their zones."""
    # Most are understood as they are, so only what is not costs more than one look into the document.
    told = func.replace(value, _word(","), _word("."))
    last = func.substr(told, _number(-2))
    colon = func.substr(told, _number(1), func.length(told) - _number(2)).concat(_word(":")).concat(last)
    sign = func.substr(told, _number(-5), _number(1))
    zoned = case(((sign == _word("+")) | (sign == _word("-")), colon), else_=told.concat(_word(":00")))
    read = func.coalesce(func.julianday(value), func.julianday(told), func.julianday(zoned), type_=Float)
    # `now` is a time to SQLite, and one that no index takes. All that begins with a digit is before a colon.
    return case((value < _word(":"), read))


def number(value: Decimal, dialect: str) -> ColumnElement[Any]:
    """A number to compare with, in the form that the database compares best."""
    if dialect == "postgresql":
        return literal(value, Numeric)
    whole = value == value.to_integral_value() and abs(value) < 2**63
    return literal(int(value), Integer) if whole else literal(float(value), Float)


def _other(table: Table, column: Column) -> ColumnElement[Any]:
    model = table.model
    if column.key == "customer":
        found = select(Customer.sort_name).where(Customer.id == model.customer_id)
    else:
        found = select(func.lower(Source.name)).where(Source.id == model.source_id)
    return found.correlate(model).scalar_subquery()


def _json_text(document: Any, key: str, dialect: str) -> ColumnElement[Any]:
    if dialect == "postgresql":
        found: ColumnElement[Any] = document.op("->>", return_type=String())(_word(key))
        return found
    value = func.json_extract(document, _path(key), type_=String)
    # Only a text is itself: SQLite would show `true` as 1 and 2.50 as 2.5.
    raw = document.op("->", return_type=String())(_path(key))
    kind = func.json_type(document, _path(key), type_=String)
    return case((kind == _word("text"), value), else_=raw)


def _word(text: str) -> ColumnElement[str]:
    """A text that is written out; of a key's or our own letters, so nothing in it needs escaping."""
    return literal_column(f"'{text}'", String)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), Integer)


def _path(key: str) -> ColumnElement[str]:
    return _word(f'$."{key}"')
