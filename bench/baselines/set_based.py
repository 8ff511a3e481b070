"""The limit of a projection, and of a re-sync: the final rows are known, and only to be written.

Each row is written once, by upserts of many rows at once, in transactions of the size of a large batch, with
all indexes. Nothing is read or compared. Of a projection: the registry of custom attributes, the counts of
paths, companies, identifiers, persons, customers, their data source customers, contacts, and each event's
outcome. Of a re-sync: customers, their data source customers, and contacts.
"""

from __future__ import annotations

import pickle
import sqlite3
import time
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select

from webapp.database import begin, json_dumps
from webapp.models import (
    AttributeSighting,
    Company,
    Contact,
    Customer,
    DataSourceCustomer,
    Event,
    Identifier,
    PathSighting,
    Person,
)
from webapp.services.rows import parts_of

CHUNK = 5000
OUTCOME = ("id", "state", "type", "message_id", "occurred_at", "subject", "company", "reason", "warnings")
PLACED = (Customer, DataSourceCustomer, Contact)
PROJECTED = (AttributeSighting, PathSighting, Company, Identifier, Person, *PLACED, Event)


def keep(engine: Engine, file: Path, models: Iterable[Any]) -> None:
    """Put the final rows of tables into a file, in pieces of one transaction each."""
    with open(file, "wb") as out, engine.connect() as connection:
        for model in models:
            names = OUTCOME if model is Event else tuple(column.name for column in model.__table__.columns)
            query = select(*(model.__table__.c[name] for name in names)).order_by(model.id)
            rows = connection.execution_options(yield_per=CHUNK).execute(query)
            for piece in rows.partitions():
                pickle.dump((model.__table__.name, names, [_plain(row) for row in piece]), out)


def write(engine: Engine, file: Path) -> float:
    """Write those rows into a database that has the rest; seconds that the writing took."""
    taken = 0.0
    for table, names, rows in _pieces(file):
        started = time.perf_counter()
        with begin(engine) as connection:
            raw: Any = connection.connection.driver_connection
            write_piece = _sqlite if isinstance(raw, sqlite3.Connection) else _postgresql
            write_piece(raw, table, names, rows)
        taken += time.perf_counter() - started
    return taken


def _plain(row: Any) -> tuple[Any, ...]:
    return tuple(json_dumps(value) if isinstance(value, dict | list) else value for value in row)


def _pieces(file: Path) -> Iterator[tuple[str, tuple[str, ...], list[tuple[Any, ...]]]]:
    with open(file, "rb") as pieces:
        while True:
            try:
                yield pickle.load(pieces)
            except EOFError:
                return


def _sqlite(raw: sqlite3.Connection, table: str, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    if table == "events":
        changed = ", ".join(f"{name} = ?" for name in names[1:])
        raw.executemany(f"UPDATE events SET {changed} WHERE id = ?", [(*row[1:], row[0]) for row in rows])
        return
    for some in parts_of(rows):  # a statement for each row takes three times as long
        marks = ", ".join([f"({', '.join('?' * len(names))})"] * len(some))
        statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES {marks} {_conflict(names)}"
        raw.execute(statement, tuple(chain.from_iterable(some)))


def _postgresql(raw: Any, table: str, names: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    listed = ", ".join(names)
    with raw.cursor() as cursor:
        cursor.execute(f"CREATE TEMP TABLE piece ON COMMIT DROP AS SELECT {listed} FROM {table} LIMIT 0")
        with cursor.copy(f"COPY piece ({listed}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        if table == "events":
            changed = ", ".join(f"{name} = piece.{name}" for name in names[1:])
            cursor.execute(f"UPDATE events SET {changed} FROM piece WHERE events.id = piece.id")
        else:
            cursor.execute(f"INSERT INTO {table} ({listed}) SELECT {listed} FROM piece {_conflict(names)}")


def _conflict(names: tuple[str, ...]) -> str:
    changed = ", ".join(f"{name} = excluded.{name}" for name in names[1:])
    return f"ON CONFLICT (id) DO UPDATE SET {changed}"
