"""Fills a source with persons and companies as the fold leaves them, as quickly as can be."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from bench.filling import FIRST, LAST, PLANS, WORDS, make_indexes, without_indexes
from tests import factories
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.domain.fold import Register, Told, pack
from webapp.domain.identity import company_key, text_of, user_key
from webapp.models import Company, Event, Identifier, Person, Source
from webapp.services import syncs

# Of ten persons six are attached to a company, three are customers of their own or wait, and one, who told
# neither a user id nor an e-mail, is in no table.
ATTACHED, ALONE = 6, 9
PER_COMPANY = 12
BODY = 700  # bytes of an event


def fill(engine: Engine, persons: int, name: str, events: int = 0, policy: str = "company") -> int:
    """Fill a source with so many persons, their companies and some events; its id. Nothing is placed yet.

    Args:
        engine: of a migrated database.
        persons: how many.
        name: of the source.
        events: how many rows of the inbox, already read.
        policy: of the source.
    """
    with begin(engine) as connection:
        source_id = factories.source(connection, name, policy=policy, applied_policy=policy)
        for entity, key in (("customer", "plan"), ("contact", "role"), ("contact", "score")):
            factories.sighting(
                connection, source_id, entity, key, ["Integer" if key == "score" else "String"]
            )
        load(connection, Company, companies(source_id, persons // PER_COMPANY or 1))
        load(connection, Identifier, identifiers(source_id, persons))
        load(connection, Person, people(source_id, persons))
        load(connection, Event, inbox(source_id, events))
    analyze(engine)
    return source_id


def place(engine: Engine, source_id: int, settings: Settings) -> None:
    """Make the customers and contacts of a source that is filled, by a re-sync; their indexes come after."""
    with begin(engine) as connection:
        made = without_indexes(connection)
        # By these a re-sync finds the contacts of customers.
        needed = [statement for statement in made if "customer_id" in statement]
        for statement in needed:
            connection.exec_driver_sql(statement)
    with writing(), Session(engine) as session:
        sync_id = syncs.request(session, session.get_one(Source, source_id)).id
        session.commit()
    syncs.run(engine, sync_id, settings=settings)
    with begin(engine) as connection:
        make_indexes(connection, [statement for statement in made if statement not in needed])
    analyze(engine)


def analyze(engine: Engine) -> None:
    """Let the database know what it holds, as its own housekeeping does after a while."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _uuid(source_id: int, kind: int, number: int) -> str:
    return f"{number:08x}-{source_id:04x}-4000-8000-{kind:012x}"


def companies(source_id: int, count: int) -> Iterator[dict[str, Any]]:
    """Rows of companies."""
    for n in range(count):
        word = f"{WORDS[n % len(WORDS)]}{n}"
        said = {
            "name": f"{word.title()} Incorporated",
            "website_url": f"https://{word}.example",
            "country": "DE",
        }
        told = _told(said, {"plan": PLANS[n % len(PLANS)]}, n)
        yield {
            "source_id": source_id,
            "generation": 1,
            "key": company_key(f"org_{n}"),
            "uuid": _uuid(source_id, 1, n),
            "told": pack(told),
            "first_seen": told.first_seen,
            "last_seen": told.last_seen,
        }


def identifiers(source_id: int, count: int) -> Iterator[dict[str, Any]]:
    """Rows of identifiers, one a person."""
    for n, user_id, email, company in _drawn(count):
        first, last = FIRST[n % len(FIRST)], f"{LAST[n % len(LAST)]}{n % 9973}"
        said = {"first_name": first, "last_name": last, "title": "Engineer"} | (
            {"email": email} if email else {}
        )
        told = _told(said, {"role": "owner" if n % 3 else "member", "score": n % 1000}, n)
        if company is not None:
            told.company = _word(text_of(company), n)
        key = user_key(user_id) if user_id else b"a" + _uuid(source_id, 3, n).encode()
        yield {
            "source_id": source_id,
            "generation": 1,
            "key": key,
            "uuid": _uuid(source_id, 2, n),
            "led": 1,
            "person_uuid": _uuid(source_id, 2, n),
            "tie_key": None,
            "email": email,
            "told": pack(told),
            "first_seen": told.first_seen,
            "last_seen": told.last_seen,
        }


def people(source_id: int, count: int) -> Iterator[dict[str, Any]]:
    """Rows of persons."""
    for n, user_id, email, company in _drawn(count):
        at = factories.SOME_DAY - n
        yield {
            "source_id": source_id,
            "generation": 1,
            "uuid": _uuid(source_id, 2, n),
            "user_id": user_id,
            "email": email,
            "company": company,
            "first_seen": at,
            "last_seen": at,
        }


def inbox(source_id: int, count: int) -> Iterator[dict[str, Any]]:
    """Rows of events that were applied."""
    for n in range(count):
        start = f'{{"type":"identify","messageId":"m{n}","userId":"u_{n}","traits":{{"role":"owner","note":"'
        yield {
            "source_id": source_id,
            "digest": n.to_bytes(16, "big"),
            "received_at": factories.SOME_DAY + n,
            "body": f'{start}{"x" * (BODY - len(start) - 3)}"}}}}'.encode(),
            "state": 1,
            "type": "identify",
            "message_id": f"m{n}",
            "occurred_at": factories.SOME_DAY + n,
            "subject": user_key(f"u_{n}"),
            "company": None,
        }


def _drawn(count: int) -> Iterator[tuple[int, str | None, str | None, bytes | None]]:
    """For each person: number, user id, e-mail, company."""
    draw = random.Random(1)
    for n in range(count):
        place, company = n % 10, draw.randrange(count // PER_COMPANY or 1)
        if place < ATTACHED:
            yield n, f"u_{n}", f"person{n}@mail.example", company_key(f"org_{company}")
        elif place < ALONE:
            yield n, f"u_{n}" if n % 4 else None, f"person{n}@mail.example", None
        else:
            yield n, None, None, None


def _told(said: dict[str, Any], custom: dict[str, Any], n: int) -> Told:
    told = Told({}, {}, {})
    told.strong = {key: _word(value, n) for key, value in said.items()}
    told.custom = {key: _word(value, n) for key, value in custom.items()}
    told.first_seen = told.last_seen = factories.SOME_DAY - n
    return told


def _word(value: Any, n: int) -> Register:
    return (factories.SOME_DAY - n, f"message-{n}", n + 1, value)


def load(connection: Connection, model: Any, rows: Iterable[dict[str, Any]]) -> None:
    """Write rows in the quickest way that a database has."""
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    columns, table = tuple(first), model.__table__.name
    raw: Any = connection.connection.driver_connection
    values = (tuple(row.values()) for row in chain((first,), rows))
    if isinstance(raw, sqlite3.Connection):
        marks = ", ".join("?" * len(columns))
        raw.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", values)
        return
    with raw.cursor() as cursor, cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN") as copy:
        for row in values:
            copy.write_row(row)
