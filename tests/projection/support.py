"""A source, events in its inbox, and what the tables show, for tests of the projection."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import count
from typing import Any

from sqlalchemy import Engine, func, insert, select

from webapp.config import Settings
from webapp.database import begin
from webapp.models import Contact, Customer, DataSourceCustomer, Event, Source, now
from webapp.models.base import new_uuid
from webapp.services import projection

# Later than any event of the tests, so that no time is capped.
RECEIVED_AT = 4_000_000_000_000_000
_names = count(1)


def make_source(engine: Engine, policy: str = "user") -> int:
    """A Segment source; its id."""
    name = f"Source {next(_names)}"
    with begin(engine) as connection:
        row = {"uuid": new_uuid(), "name": name, "name_key": name.lower(), "created_at": now()}
        statement = insert(Source).values(policy=policy, applied_policy=policy, **row).returning(Source.id)
        return connection.execute(statement).scalar_one()


def raw(event: Any) -> bytes:
    """The bytes of one event."""
    return event if isinstance(event, bytes) else json.dumps(event).encode()


def receive(engine: Engine, source_id: int, events: Iterable[Any]) -> None:
    """Put events into the inbox as the webhook does, whether they came before or not."""
    frame = {"source_id": source_id, "received_at": RECEIVED_AT, "state": 0}
    rows = [frame | {"body": raw(event)} for event in events]
    if rows:
        with begin(engine) as connection:
            connection.execute(insert(Event), rows)


def drain(engine: Engine, settings: Settings, source_id: int) -> projection.Drained:
    """Project what waits."""
    return projection.drain(engine, source_id, settings=settings)


def tables(engine: Engine, source_id: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Customers and contacts in the form of `tests/oracle.py`."""
    with engine.connect() as connection:
        query = select(Customer.__table__, DataSourceCustomer.kind).join(
            DataSourceCustomer, DataSourceCustomer.customer_id == Customer.id
        )
        customers = connection.execute(query.where(DataSourceCustomer.source_id == source_id)).all()
        contacts = connection.execute(select(Contact.__table__).where(Contact.source_id == source_id)).all()
    named = {row.id: (row.kind, row.external_id) for row in customers}
    return (
        [_columns(row, _CUSTOMER) for row in customers],
        [_columns(row, _CONTACT) | {"customer": named[row.customer_id]} for row in contacts],
    )


_CUSTOMER = (
    "external_id", "name", "email", "website_url", "country", "state", "city", "zip", "custom",
    "first_seen", "last_seen", "contacts", "kind",
)  # fmt: skip
_CONTACT = (
    "user_id", "email", "first_name", "last_name", "title", "phone", "linked_in", "twitter", "custom",
    "first_seen", "last_seen",
)  # fmt: skip


def _columns(row: Any, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def in_order(rows: Iterable[dict[str, Any]]) -> list[str]:
    """Rows as texts in an order that depends on what they say alone."""
    rows = (row | {"custom": sorted(row["custom"].items())} for row in rows)
    return sorted(repr(sorted(row.items())) for row in rows)


def uuids(engine: Engine, source_id: int) -> dict[str, set[str]]:
    """The uuids of a source's customers and contacts."""
    with engine.connect() as connection:
        return {
            "customers": set(
                connection.scalars(select(Customer.uuid).where(Customer.source_id == source_id))
            ),
            "contacts": set(connection.scalars(select(Contact.uuid).where(Contact.source_id == source_id))),
        }


def count_rows(engine: Engine, model: Any, *conditions: Any) -> int:
    """How many rows fulfil some conditions."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(model).where(*conditions)) or 0
