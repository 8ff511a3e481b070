"""CSV files: of a table's view, and the two files of a source. One code path makes them all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, String, case, collate

from webapp.services import attributes, csv_files, tables, xlsx
from webapp.services.rows import chunks
from webapp.services.tables import CONTACTS, CUSTOMERS, Column, Scope, Table
from webapp.services.tables.columns import CUSTOM, JSON, MICROS

# The files of a source, column by column.
FILES = {
    CUSTOMERS.noun: (
        *("uuid", "external_id", "name", "email", "website_url", "country", "state", "city", "zip"),
        *("lead_status", "contacts", "first_seen", "last_seen"),
    ),
    CONTACTS.noun: (
        *("uuid", "customer_uuid", "customer_external_id", "user_id", "email", "first_name", "last_name"),
        *("title", "phone", "linked_in", "twitter", "first_seen", "last_seen"),
    ),
}
# Rows stand in an order of their content alone, so that the same events always make the same file.
_ORDER = {
    CUSTOMERS.noun: ("external_id", "email", "name", "first_seen", "last_seen"),
    CONTACTS.noun: (
        "user_id",
        "email",
        "first_seen",
        "last_seen",
        "first_name",
        "last_name",
        "phone",
        "title",
    ),
}
_IDS_ONLY = {
    "uuid": Column("public_id", "UUID"),
    "customer_uuid": Column("customer_public_id", "Customer UUID"),
    "customer_external_id": Column("customer_external_id", "Customer external ID"),
}
_ROWS = 500


def view_csv(scope: Scope) -> Iterator[bytes]:
    """A view of a table as CSV in pieces: its columns, its rows, its order.

    Args:
        scope: of the view (`tables.scope_of`); its connection stays open until the last piece.
    """
    columns = scope.view.columns
    yield from _csv(scope, [column.key for column in columns], columns, None)


def view_xlsx(scope: Scope) -> Iterator[bytes]:
    """A view of a table as a workbook in pieces, with numbers as numbers and times as times.

    Args:
        scope: of the view; its connection stays open until the last piece.
    """
    columns = scope.view.columns
    cells = ([_cell(record, column) for column in columns] for record in _records(scope, None))
    title = scope.view.table.noun.capitalize()
    return xlsx.workbook(title, [column.key for column in columns], cells)


def _cell(record: tables.Record, column: Column) -> xlsx.Cell:
    value = tables.value_of(record, column)
    if value is None:
        return None
    if column.kind == MICROS:
        return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(value))
    is_number = isinstance(value, int | Decimal) and column.type in ("Integer", "Decimal", "Boolean")
    return value if is_number else tables.text_of(record, column)


def source_csv(connection: Connection, table: Table, source_id: int) -> Iterator[bytes]:
    """One of a source's two files in pieces.

    Args:
        connection: stays open until the last piece.
        table: CUSTOMERS or CONTACTS.
        source_id: of the source.
    """
    available = tables.columns_of(connection, table, source_id)
    scope = tables.scope_of(connection, tables.read_view(table, available, {}), source_id)
    names = FILES[table.noun]
    columns = [_IDS_ONLY.get(name) or available[name] for name in names]
    custom = [
        Column(CUSTOM + known.key, known.key, known.type, JSON)
        for known in attributes.exported(connection, table.one, source_id)
    ]
    header = [*names, *(column.key for column in custom)]
    yield from _csv(scope, header, [*columns, *custom], _content_order(scope))


def write(engine: Engine, source_id: int, out_dir: Path) -> list[Path]:
    """Write `customers.csv` and `contacts.csv` of a source into a folder, which is made when it is missing.

    Returns:
        The two files, customers first.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    written = []
    with snapshot(engine) as connection:
        for table in (CUSTOMERS, CONTACTS):
            path = out_dir / f"{table.noun}.csv"
            unfinished = path.with_name(path.name + ".part")
            with unfinished.open("wb") as file:
                file.writelines(source_csv(connection, table, source_id))
            unfinished.replace(path)
            written.append(path)
    return written


def _csv(
    scope: Scope, header: Sequence[str], columns: Sequence[Column], order: Sequence[ColumnElement[Any]] | None
) -> Iterator[bytes]:
    """The one way in which rows become CSV."""
    found = _records(scope, order)
    return csv_files.lines(
        header, ([tables.text_of(record, column) for column in columns] for record in found)
    )


def _records(scope: Scope, order: Sequence[ColumnElement[Any]] | None) -> Iterator[tables.Record]:
    for some in chunks(tables.ids_of(scope, order), _ROWS):
        yield from tables.records(scope.connection, scope.view.table, some)


def _content_order(scope: Scope) -> list[ColumnElement[Any]]:
    model = scope.view.table.model
    order: list[ColumnElement[Any]] = []
    for name in _ORDER[scope.view.table.noun]:
        column = getattr(model, name)
        order.append(case((column.is_(None), 1), else_=0))
        is_text = isinstance(column.type, String)
        # By code point on both databases, so that both make the same file.
        order.append(collate(column, "C") if is_text and scope.dialect == "postgresql" else column)
    return order


def snapshot(engine: Engine) -> Connection:
    """A connection that sees one state of the data, however long the file takes."""
    connection = engine.connect()
    if connection.dialect.name == "postgresql":
        connection = connection.execution_options(isolation_level="REPEATABLE READ")
    return connection
