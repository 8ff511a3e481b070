"""Looking up the rows of many values at once."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event, select

from tests import factories
from webapp.database import begin
from webapp.models import Customer
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
        assert len(said) <= 12
        assert not select_in(connection, query, Customer.uuid, [])
        assert delete_in(connection, Customer, Customer.uuid, uuids[:300]) == 300
