"""What a column is in SQL, on both databases: what it sorts and compares by, and its text.

A custom attribute is a key in a JSON document. Values are kept as told, so each expression takes only what
its type can hold; anything else counts as empty instead of breaking the query.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Float,
    Integer,
    Numeric,
    Select,
    String,
    case,
    cast,
    extract,
    func,
    literal,
    select,
)

from webapp.models import Customer, Source
from webapp.models.search import sortable
from webapp.services.tables.columns import JSON, OTHER, TEXT, Column, Table

# Zones that PostgreSQL takes; it refuses to read the rest instead of answering nothing.
_POSTGRES_TIME = r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-](0\d|1[0-5])(:?\d\d)?)?)?$"
_POSTGRES_ZONE = r"T.*(Z|[+-]\d\d(:?\d\d)?)$"


def sort_key(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    """What a column sorts by and compares with; NULL where a row has nothing in it."""
    if column.kind == JSON:
        return _json_key(table, column, dialect)
    if column.key == "name":
        return table.model.sort_name
    if column.key == "customer":  # by a join (`joined`), so that the customers' index gives the order
        order: ColumnElement[Any] = Customer.__table__.c.sort_name
        return order
    if column.kind == OTHER:
        return _other(table, column)
    expression = getattr(table.model, column.key)
    return sortable(expression) if column.kind == TEXT else expression


def joined(query: Select[Any], table: Table, column: Column) -> Select[Any]:
    """A query of a table's rows with what sorting by a column needs beside it."""
    if column.key != "customer":
        return query
    return query.join(Customer, Customer.id == table.model.customer_id)


def text(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    """A column as text, for "contains" and "is"; a name without accents and case."""
    if column.kind == JSON:
        return _json_text(table, column, dialect)
    if column.key == "name":
        return table.model.sort_name
    return _other(table, column) if column.kind == OTHER else getattr(table.model, column.key)


def instant(value: ColumnElement[str], dialect: str) -> ColumnElement[Any]:
    """A text with the form of a Timestamp as a number that orders instants, whatever their zones."""
    if dialect == "postgresql":
        told = func.replace(value, ",", ".")
        zoned = case((value.regexp_match(_POSTGRES_ZONE), told), else_=told + " UTC")
        epoch = cast(extract("epoch", cast(zoned, TIMESTAMP(timezone=True))), Numeric)
        return case((value.regexp_match(_POSTGRES_TIME), epoch))
    # Most are understood as they are, so only what is not costs more than one look into the document.
    told = func.replace(value, ",", ".")
    colon = func.substr(told, 1, func.length(told) - 2) + ":" + func.substr(told, -2)
    zoned = case((func.substr(told, -5, 1).in_(("+", "-")), colon), else_=told + ":00")
    rare = case((func.instr(value, "T") > 0, func.coalesce(func.julianday(told), func.julianday(zoned))))
    return func.coalesce(func.julianday(value), rare, type_=Float)


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


def _json_key(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    if column.type == "String":
        return func.lower(_json_text(table, column, dialect))
    if dialect != "postgresql":
        # The type holds every value, so there is nothing to ask first; true and false are 1 and 0.
        is_time = column.type == "Timestamp"
        raw = func.json_extract(table.model.custom, _path(column), type_=String if is_time else Float)
        return instant(raw, dialect) if is_time else raw
    found = _json_text(table, column, dialect)
    if column.type == "Boolean":
        return case((found == "true", 1), (found == "false", 0), else_=None)
    if column.type == "Timestamp":
        return instant(found, dialect)
    return case((_json_kind(table, column, dialect) == "number", cast(found, Numeric)))


def _json_text(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    document = table.model.custom
    if dialect == "postgresql":
        return func.jsonb_extract_path_text(document, literal(column.name, String), type_=String)
    value = func.json_extract(document, _path(column), type_=String)
    # Only a text is itself: SQLite would show `true` as 1 and 2.50 as 2.5.
    raw = document.op("->", return_type=String())(_path(column))
    return case((_json_kind(table, column, dialect) == "text", value), else_=raw)


def _json_kind(table: Table, column: Column, dialect: str) -> ColumnElement[Any]:
    document = table.model.custom
    if dialect == "postgresql":
        value = func.jsonb_extract_path(document, literal(column.name, String))
        return func.jsonb_typeof(value, type_=String)
    return func.json_type(document, _path(column), type_=String)


def _path(column: Column) -> ColumnElement[str]:
    # Keys hold [a-z0-9_] only, so nothing in them needs escaping.
    return literal(f'$."{column.name}"', String)
