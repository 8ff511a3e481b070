"""Fills the data tables with made-up customers and contacts, as quickly as the database takes them."""

from __future__ import annotations

import csv
import io
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

from sqlalchemy import JSON, Connection, Engine, text

from tests import factories
from webapp.database import begin, json_dumps
from webapp.models import Contact, Customer
from webapp.models.search import FTS
from webapp.services.standing import searchable

COUNTRIES = ("US",) * 8 + ("DE",) * 4 + ("GB", "FR", "JP", "BR", "IN", "CA", "NL", "SE", None)
PLANS = ("free", "free", "free", "starter", "pro", "enterprise")
WORDS = tuple(
    "alder birch cedar delta ember flint grove harbor iris juniper kelp linden maple north onyx".split()  # noqa: SIM905
)
FIRST = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Frances", "John", "Leslie", "Margaret")
LAST = ("Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Allen", "Backus", "Lamport")
HOUR = factories.DAY // 24


def fill(engine: Engine, rows: int) -> int:
    """Fill an empty, migrated database with so many customers and as many contacts; the id of their source.

    Indexes are made after the rows, which takes a fraction of the time.
    """
    with begin(engine) as connection:
        source_id = factories.source(connection, "Bench")
        for entity, told in (
            ("customer", {"plan": "String", "seats": "Integer", "mrr": "Decimal", "signed_at": "Timestamp"}),
            ("contact", {"role": "String", "score": "Integer", "newsletter": "Boolean"}),
        ):
            for key, type_ in told.items():
                factories.sighting(connection, source_id, entity, key, [type_])
    with loading(engine) as connection:
        load(connection, Customer, _customers(source_id, rows))
        load(connection, Contact, _contacts(source_id, rows))
    return source_id


@contextmanager
def loading(engine: Engine) -> Iterator[Connection]:
    """A transaction for many rows, in which customers and contacts have no indexes; these come at its end."""
    with begin(engine) as connection:
        made = without_indexes(connection)
        yield connection
        make_indexes(connection, made)
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def _customers(source_id: int, rows: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(1)
    for n in range(1, rows + 1):
        word = f"{WORDS[n % 15]}{n}"
        name = f"{WORDS[n % 15].title()} {draw.choice(WORDS).title()} {n}" if n % 20 else None
        email = f"office@{word}.example" if n % 3 else None
        seen = factories.SOME_DAY - draw.randrange(365 * 24) * HOUR - n
        custom: dict[str, Any] = {"plan": draw.choice(PLANS)}
        if n % 4:
            custom |= {"seats": draw.randrange(500), "mrr": draw.randrange(100_000) / 100}
            custom["signed_at"] = f"202{draw.randrange(6)}-0{draw.randrange(1, 10)}-1{draw.randrange(10)}"
        country = draw.choice(COUNTRIES)
        external_id = f"org_{n}"
        yield factories.customer_row(
            source_id,
            external_id,
            id=n,
            uuid=f"{n:08x}-0000-4000-8000-000000000001",
            name=name,
            email=email,
            website_url=f"https://{word}.example" if n % 2 else None,
            country=country,
            state=f"State {n % 50}" if country == "US" else None,
            city=f"City {draw.randrange(2000)}",
            zip=f"{draw.randrange(99_999):05}",
            custom=custom,
            contacts=draw.randrange(1, 40),
            lead_status="New Lead",
            first_seen=seen - draw.randrange(100) * factories.DAY,
            last_seen=seen,
            created_at=seen,
            updated_at=seen,
            search=searchable(name, email, external_id),
        )


def _contacts(source_id: int, rows: int) -> Iterator[dict[str, Any]]:
    draw = random.Random(2)
    for n in range(1, rows + 1):
        first, last = draw.choice(FIRST), f"{draw.choice(LAST)}{n % 9973}"
        seen = factories.SOME_DAY - draw.randrange(365 * 24) * HOUR - n
        yield factories.contact_row(
            source_id,
            draw.randrange(1, rows + 1),
            id=n,
            uuid=f"{n:08x}-0000-4000-8000-000000000002",
            user_id=f"u_{n}" if n % 5 else None,
            email=f"{first.lower()}.{last.lower()}{n}@mail.example",
            first_name=first if n % 10 else None,
            last_name=last if n % 10 else None,
            title="Engineer" if n % 3 else None,
            phone=f"+1 555 {n:07}" if n % 4 == 0 else None,
            custom={"role": draw.choice(("owner", "admin", "member")), "score": draw.randrange(1000)}
            | ({"newsletter": n % 2 == 0} if n % 3 else {}),
            first_seen=seen - draw.randrange(100) * factories.DAY,
            last_seen=seen,
            created_at=seen,
            updated_at=seen,
        )


def make_indexes(connection: Connection, made: Sequence[str]) -> None:
    """Make again what `without_indexes` dropped, and fill SQLite's trigram tables."""
    for statement in made:
        connection.exec_driver_sql(statement)
    if connection.dialect.name == "sqlite":
        for table in FTS.values():
            connection.execute(text(f"INSERT INTO {table}({table}) VALUES ('rebuild')"))


def without_indexes(connection: Connection) -> list[str]:
    """Drop the indexes and triggers of the two tables; the statements that make them again."""
    if connection.dialect.name == "sqlite":
        query = (
            "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL "
            "AND type IN ('index', 'trigger') AND tbl_name IN ('customers', 'contacts')"
        )
        found = [(row.type, row.name, row.sql) for row in connection.execute(text(query))]
    else:
        query = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('customers', 'contacts') "
            "AND indexname NOT IN (SELECT conname FROM pg_constraint)"
        )
        found = [("index", row.indexname, row.indexdef) for row in connection.execute(text(query))]
    for type_, name, _ in found:
        connection.exec_driver_sql(f"DROP {type_} {name}")
    return [sql for _, _, sql in found]


def load(connection: Connection, model: Any, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows with their ids; columns that they leave out are as the model has them."""
    usual = {column.name: getattr(column.default, "arg", None) for column in model.__table__.columns}
    columns = list(usual)
    raw: Any = connection.connection.driver_connection
    documents = [column.name for column in model.__table__.columns if isinstance(column.type, JSON)]
    told = (row | {name: json_dumps(row[name]) for name in documents if name in row} for row in rows)
    whole = (usual | row for row in told)
    values = ([row[name] for name in columns] for row in whole)
    table = model.__table__.name
    if isinstance(raw, sqlite3.Connection):
        marks = ", ".join("?" * len(columns))
        raw.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
        return
    with raw.cursor() as cursor:
        with cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN WITH (FORMAT csv)") as copy:
            while some := list(islice(values, 5000)):
                copy.write(_as_csv(some))
        cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")


def _as_csv(rows: Sequence[Sequence[Any]]) -> str:
    """Rows for COPY: None is an empty cell, every text is quoted."""
    buffer = io.StringIO()
    csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC).writerows(
        [["\x00NONE" if value is None else value for value in row] for row in rows]
    )
    return buffer.getvalue().replace('"\x00NONE"', "")
