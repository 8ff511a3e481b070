"""Writing customers and contacts again: what differs is written, and what does not is left alone."""

from typing import Any

from sqlalchemy import Connection, Engine, select

from tests import factories
from webapp.database import begin
from webapp.models import Customer
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
