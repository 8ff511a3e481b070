"""Fills an inbox with events that wait, as quickly as the database takes them, and has a worker drain it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Engine, insert

from bench import memory
from tests.conftest import environment_of
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event, Source, WebhookUrl, now
from webapp.models.base import new_uuid
from webapp.services import tokens
from webapp.services.rows import chunks

Run = dict[str, float]
RECEIVED_AT = 4_000_000_000_000_000  # later than any event, so that no time is capped
_COLUMNS = "source_id, received_at, body, state"


def make_source(engine: Engine, policy: str = "user", name: str = "Bench") -> int:
    """A Segment source; its id."""
    row = {"uuid": new_uuid(), "name": name, "name_key": name.lower(), "created_at": now()}
    statement = insert(Source).values(policy=policy, applied_policy=policy, **row).returning(Source.id)
    with begin(engine) as connection:
        return connection.execute(statement).scalar_one()


def make_token(engine: Engine, source_id: int) -> str:
    """A webhook URL's token for a source."""
    token = tokens.make_token()
    row = {"source_id": source_id, "token_digest": tokens.digest(token), "created_at": now()}
    with begin(engine) as connection:
        connection.execute(insert(WebhookUrl).values(row))
    return token


def receive(engine: Engine, source_id: int, bodies: Iterable[bytes]) -> int:
    """Put events into the inbox of a source; how many."""
    count = 0
    for some in chunks(bodies, 20_000):
        rows = [(source_id, RECEIVED_AT, body, 0) for body in some]
        with begin(engine) as connection:
            raw: Any = connection.connection.driver_connection
            if isinstance(raw, sqlite3.Connection):
                raw.executemany(f"INSERT INTO events ({_COLUMNS}) VALUES (?, ?, ?, ?)", rows)
            else:
                with raw.cursor().copy(f"COPY events ({_COLUMNS}) FROM STDIN (FORMAT binary)") as copy:
                    copy.set_types(["int8", "int8", "bytea", "int2"])
                    for row in rows:
                        copy.write_row(row)
        count += len(rows)
    if engine.dialect.name == "postgresql":
        with engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
                f"VACUUM ANALYZE {Event.__tablename__}"
            )
    return count


def drained(settings: Settings, source_id: int) -> Run:
    """Drain a source in a process of its own.

    Returns:
        What `bench.draining` tells, `rate` in events a second, and the memory (`Memory.told`).
    """
    said, seen = memory.run(["bench.draining", str(source_id)], environment_of(settings))
    run: Run = json.loads(said)
    return run | {"rate": run["events"] / run["seconds"], **seen.told()}
