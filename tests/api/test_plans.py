"""Lists of the API walk along indexes, so their pages take as long at a million rows as at a thousand."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, text

from bench.api import BEHIND
from bench.filling import fill
from tests.copies import Fill
from webapp.config import Settings
from webapp.database import begin
from webapp.services import listing
from webapp.services.listing import Wanted

READS_ALL = re.compile(
    r"Seq Scan on (customers|contacts|data_source_customers)|SCAN \w+\b(?! USING| VIRTUAL)"
)
SORTS = re.compile(r"Sort Key|USE TEMP B-TREE FOR ORDER BY")


def thousands(engine: Engine, _settings: Settings) -> int:
    """Some thousand customers and contacts of one source; its id."""
    source_id = fill(engine, 3000)
    with begin(engine) as connection:
        connection.execute(text(BEHIND))
        if engine.dialect.name == "postgresql":
            connection.execute(text("ANALYZE"))
    return source_id


@pytest.fixture
def filling() -> Fill:
    return thousands


@pytest.fixture
def filled(remembered: int, engine: Engine) -> Iterator[tuple[Connection, int]]:
    """A connection to `thousands`, and the id of their source."""
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # so few rows it would rather read than look up
            for how in ("hashjoin", "mergejoin", "seqscan", "bitmapscan"):
                connection.execute(text(f"SET enable_{how} = off"))
        yield connection, remembered


def plans(connection: Connection, ask: Callable[[], Any]) -> list[str]:
    """What the database would do for each statement that a list runs on records."""
    told: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if re.search(r"FROM (customers|contacts|data_source_customers)", statement):
            told.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    ask()
    event.remove(connection, "before_cursor_execute", note)
    assert told
    how = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return [
        s + "\n" + "\n".join(str(row) for row in connection.exec_driver_sql(f"{how} {s}", p)) for s, p in told
    ]


def test_no_list_reads_all_rows(filled: tuple[Connection, int]) -> None:
    """Each filter has an index that leads to its rows, at the beginning and in the middle."""
    connection, source_id = filled
    for what, wanted in (
        (listing.customers, Wanted()),
        (listing.customers, Wanted(source_ids=[source_id])),
        (listing.customers, Wanted(source_ids=[source_id], status="Past Due")),
        (listing.customers, Wanted(external_id="org_7")),
        (listing.customers, Wanted(external_id="org_7", source_ids=[source_id])),
        (listing.customers, Wanted(email="a@example.com")),
        (listing.contacts, Wanted()),
        (listing.contacts, Wanted(source_ids=[source_id])),
        (listing.contacts, Wanted(email="a@example.com")),
        (listing.contacts, Wanted(customer_id=7)),
        (listing.contacts, Wanted(external_id="org_7")),
    ):
        for after in (0, 1500):

            def ask(what: Any = what, wanted: Wanted = wanted, after: int = after) -> Any:
                return what(connection, wanted, after, 200)

            for plan in plans(connection, ask):
                assert READS_ALL.search(plan) is None, (what, wanted, plan)
                if wanted in (Wanted(), Wanted(source_ids=[source_id])):
                    assert SORTS.search(plan) is None, (what, wanted, plan)
