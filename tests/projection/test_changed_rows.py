"""Writing customers and contacts again: what differs is written, and what does not is left alone."""

from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select

from tests import factories
from webapp.database import begin
from webapp.models import Customer
from webapp.services import row_statements
from webapp.services.rows import upsert

KEPT = ("created_at", "contacts", "lead_status")


def write(connection: Connection, rows: list[dict[str, Any]]) -> None:
    """Write rows as the projection does."""
    upsert(connection, Customer, rows, ("uuid",), keep=KEPT, moment="updated_at")


def shown(connection: Connection) -> dict[str, Any]:
    """What is kept, by external id."""
    rows = connection.execute(select(Customer.__table__)).mappings()
    return {row["external_id"]: row for row in rows}


def test_only_what_differs_becomes_another(engine: Engine) -> None:
    """`true` does not count as 1, a value that went is gone, and what was set by hand stays."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        first = factories.customer_row(source_id, "a", name="Acme", custom={"paid": 1}, contacts=3)
        second = factories.customer_row(source_id, "b", email="b@x.example", custom={"n": 1})
        write(connection, [first, second])
        later = {"updated_at": factories.SOME_DAY + 1, "created_at": 5, "contacts": 0}
        third = factories.customer_row(source_id, "c")
        again = [first | later | {"custom": {"paid": True}}, second | later | {"email": None}, third]
        write(connection, again)
        found = shown(connection)
    assert found["a"]["custom"] == {"paid": True}
    assert found["a"]["custom"]["paid"] is True
    assert found["b"]["email"] is None
    assert (found["a"]["contacts"], found["a"]["created_at"]) == (3, factories.SOME_DAY)
    assert {found[key]["updated_at"] for key in "ab"} == {factories.SOME_DAY + 1}
    assert set(found) == {"a", "b", "c"}


@pytest.mark.parametrize("many", [1, 3, 64, 65, 130])
def test_each_of_many_rows_becomes_what_it_was_told(engine: Engine, many: int) -> None:
    """However many there are, and whether the search has to follow."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        rows = [factories.customer_row(source_id, f"c{n}", name=f"Name {n}") for n in range(many)]
        write(connection, rows)
        later = [
            row | {"name": f"Now {n}", "search": f"\n\nnow {n}", "updated_at": factories.SOME_DAY + n}
            for n, row in enumerate(rows)
        ]
        write(connection, later[1:])
        found = shown(connection)
    names = {key: (row["name"], row["search"]) for key, row in found.items()}
    told = [rows[0], *later[1:]]
    assert names == {row["external_id"]: (row["name"], row["search"]) for row in told}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_rows_of_one_key_each_are_looked_up_by_it(engine: Engine) -> None:
    """An update of many rows goes to each of them, and through no others."""
    statement = row_statements.update_many(Customer, ("name", "search"), "uuid", 3)
    with engine.connect() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", ("a", "b", "c") * 3)
        steps = [row[-1] for row in plan]
    assert any(step.startswith("SEARCH customers") for step in steps), steps
    assert not any(step.startswith("SCAN customers") for step in steps), steps
