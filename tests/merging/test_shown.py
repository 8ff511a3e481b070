"""Where merged customers are shown: tables, exports, events, the list of sources."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.copies import Fill
from tests.merging.world import Remembered, World
from webapp.config import Settings
from webapp.models import Contact, Customer, Event, Source
from webapp.services import export, outcomes, source_summary, tables

ADA = {"email": "ada@x.example", "firstName": "Ada", "company": {"id": "g1", "name": "Acme", "plan": "pro"}}


def acme(engine: Engine, settings: Settings) -> Remembered:
    """Acme of Segment behind the billing customer that leads it; both tell of Ada, Segment of Bob too."""
    world = World(engine, settings)
    bob = {"email": "bob@x.example", "company": {"id": "g1"}}
    world.tell("s", [{"type": "identify", "userId": "u1", "timestamp": 1, "traits": ADA}])
    world.tell("s", [{"type": "identify", "userId": "u2", "timestamp": 2, "traits": bob}])
    world.bill("b1", name="ACME")
    world.bill_contact("b1", email="ada@x.example", title="CTO")
    world.merge(("b", "b1"), ("s", "gg1"))
    return world.remembered


@pytest.fixture
def filling() -> Fill:
    return acme


def names(world: World) -> dict[str, str]:
    """The names of the sources."""
    with world.engine.connect() as connection:
        rows = dict(connection.execute(select(Source.id, Source.name)).tuples().all())
    return {source: rows[id] for source, id in world.sources.items()}


def records(world: World, table: tables.Table, model: Any) -> list[dict[str, Any]]:
    with world.engine.connect() as connection:
        ids = connection.scalars(select(model.id).order_by(model.id)).all()
        return tables.records(connection, table, ids)


def test_a_table_names_all_sources_of_a_merged_record(world: World) -> None:
    """The primary's first; of contacts too."""
    name = names(world)
    (customer,) = records(world, tables.CUSTOMERS, Customer)
    assert customer["source"] == f"{name['b']}, {name['s']}"
    found = {record["email"]: record["source"] for record in records(world, tables.CONTACTS, Contact)}
    assert found["bob@x.example"] == name["s"]
    assert f"{name['b']}, {name['s']}" in {
        record["source"] for record in records(world, tables.CONTACTS, Contact)
    }


def test_the_files_of_either_source_have_the_merged_customer(world: World, tmp_path: Path) -> None:
    """Under its uuid, with what it shows; and of contacts those that the source tells of."""
    for source, contacts in (("s", 2), ("b", 1)):
        folder = tmp_path / source
        folder.mkdir()
        written = export.write(world.engine, world.sources[source], folder)
        customers, people = (
            list(csv.DictReader(io.StringIO(path.read_bytes().decode(), newline="")))
            for path in sorted(written)[::-1]
        )
        (row,) = customers
        told = {"s": "pro", "b": None}[source]  # a source's file has the attributes that it told of anybody
        assert (row["external_id"], row["name"], row.get("custom.plan")) == ("b1", "ACME", told)
        assert len(people) == contacts
        assert {each["customer_uuid"] for each in people} == {row["uuid"]}


def test_an_event_leads_to_the_customer_and_contact_that_show_it(world: World) -> None:
    """Not to what stands out of sight within them."""
    with Session(world.engine) as session:
        source = session.get_one(Source, world.sources["s"])
        rows = session.execute(select(Event).where(Event.source_id == source.id)).scalars().all()
        found = outcomes.of(session.connection(), source, rows)
        customer = session.scalars(select(Customer)).one()
        shown = {
            f"con_{uuid}" for uuid in session.scalars(select(Contact.uuid).where(Contact.within_id.is_(None)))
        }
    for outcome in found.values():
        assert outcome.customer == (customer.public_id, "ACME")
        assert outcome.contact is not None
        assert outcome.contact[0] in shown


def test_each_source_counts_the_customer_once(world: World) -> None:
    """Though another leads it."""
    with Session(world.engine) as session:
        counted = {
            each.source.id: (each.customers.number, each.contacts.number)
            for each in source_summary.every(session)
        }
    assert counted[world.sources["s"]] == (1, 2)
    assert counted[world.sources["b"]] == (1, 1)
