"""Looking up the rows of many values at once."""

from __future__ import annotations

import gc
import weakref
from typing import Any

from sqlalchemy import Engine, bindparam, event, insert, select

from tests import factories
from webapp.database import begin
from webapp.models import Company, Customer
from webapp.services.rows import delete_in, select_in, upsert

ROWS = 600


def test_many_values_are_looked_up_by_few_statements(engine: Engine) -> None:
    """However many values there are, all are found once, and a driver has few statements to keep prepared."""
    said: set[str] = set()

    def note(*told: Any) -> None:
        said.add(told[2])

    with begin(engine) as connection:
        source_id = factories.source(connection)
        rows = [factories.customer_row(source_id, str(number)) for number in range(ROWS)]
        upsert(connection, Customer, rows, ("uuid",))
        uuids = [row["uuid"] for row in rows]
        query = select(Customer.uuid)
        event.listen(engine, "before_cursor_execute", note)
        for length in range(1, ROWS, 7):
            found = select_in(connection, query, Customer.uuid, uuids[:length])
            assert sorted(row.uuid for row in found) == sorted(uuids[:length])
        event.remove(engine, "before_cursor_execute", note)
        assert len(said) == 1
        assert not select_in(connection, query, Customer.uuid, [])
        assert delete_in(connection, Customer, Customer.uuid, uuids[:300]) == 300


def test_bytes_are_looked_up_whatever_they_are(engine: Engine) -> None:
    """Identifiers are bytes as they came: not text, empty, with a zero, one the beginning of another."""
    keys = [b"u", b"u1", b"u12", b"u\x00", b"u\x001", b"u\xff\xfe", b"u'\"", "uZoë".encode(), b"a" * 5000]
    with begin(engine) as connection:
        source_id = factories.source(connection)
        base = {"source_id": source_id, "generation": 1, "told": b"", "first_seen": 1, "last_seen": 1}
        rows = [base | {"key": key, "uuid": str(number)} for number, key in enumerate(keys)]
        connection.execute(insert(Company), rows)
        query = select(Company.key).where(Company.source_id == bindparam("source"))
        for wanted in (keys, keys[::2], [*keys, b"u123", b""], [b""], []):
            found = select_in(connection, query, Company.key, wanted, source=source_id)
            assert sorted(row.key for row in found) == sorted(set(wanted) & set(keys))
        assert not select_in(connection, query, Company.key, keys, source=source_id + 1)


def test_a_statement_that_is_no_constant_is_not_kept(engine: Engine) -> None:
    """What it was told would stay in memory with it."""
    query = select(Customer.uuid).where(Customer.name == "Ada Lovelace")
    gone = weakref.ref(query)
    with engine.connect() as connection:
        select_in(connection, query, Customer.uuid, ["one"])
    del query
    gc.collect()
    assert gone() is None
