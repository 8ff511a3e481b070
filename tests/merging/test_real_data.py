"""Segment's data of a whole workspace and a billing system's CSV: merged by a rule, then either deleted."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.copies import Fill
from tests.merging.test_automations import rule, run
from tests.merging.world import Remembered, World
from tests.projection.workspace import bodies
from webapp.config import Settings
from webapp.models import Contact, DataSourceCustomer, Source
from webapp.services.automations import runs
from webapp.services.billing import files, reading, uploads


def told(engine: Engine, source_id: int, kind: str) -> list[dict[str, str]]:
    """What Segment told of its companies or its lone persons, in the order of their names."""
    query = select(DataSourceCustomer.told).where(
        DataSourceCustomer.source_id == source_id, DataSourceCustomer.kind == kind
    )
    with engine.connect() as connection:
        return list(connection.scalars(query.order_by(DataSourceCustomer.external_id)))


def table(engine: Engine, source_id: int) -> str:
    """A billing system's customers: some as Segment's, by domain or by e-mail, one without a match."""
    companies = [each for each in told(engine, source_id, "company") if "website_url" in each]
    persons = [each for each in told(engine, source_id, "person") if "email" in each]
    with_domain, with_email = companies[::2], companies[1::2] + persons[:1]
    rows = [
        (f"by-domain-{n}", f"Paid {n}", f"http://WWW.{each['website_url'].partition('//')[2]}/pay", "")
        for n, each in enumerate(with_domain)
    ]
    rows += [(f"by-email-{n}", "", "", each["email"].upper()) for n, each in enumerate(with_email)]
    rows += [("alone", "Nobody’s", "https://nobody-else.example", "pay@nobody-else.example")]
    text = io.StringIO()
    csv.writer(text).writerows([("Customer ID", "Name", "Website", "E-mail"), *rows])
    return text.getvalue()


def upload(engine: Engine, settings: Settings, source_id: int, text: str) -> None:
    """Have a file of customers read, its columns as they are guessed."""
    folder = files.new_folder(settings)
    path = Path(folder) / "0"
    path.write_text(text)
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        size = path.stat().st_size
        file = uploads.take_in(session, source, "customers", "paid.csv", path, size, None)
        uploads.begin(session, source, file, file.columns, None)
        file_id = file.id
    reading.run(engine, file_id, settings=settings)


def both_sources(engine: Engine, settings: Settings) -> Remembered:
    """Both sources, nothing merged yet."""
    world = World(engine, settings)
    for name in ("segment-spec-events.ndjson", "segment-destination-bodies.ndjson"):
        world.tell("s", bodies(name))
    upload(engine, settings, world.sources["b"], table(engine, world.sources["s"]))
    return world.remembered


@pytest.fixture
def filling() -> Fill:
    return both_sources


def contact_uuids(world: World, source: str) -> set[str]:
    with world.engine.connect() as connection:
        query = select(Contact.uuid).where(Contact.source_id == world.sources[source])
        return set(connection.scalars(query))


@pytest.mark.parametrize(("gone", "stays"), [("s", "b"), ("b", "s")])
def test_either_source_of_merged_customers_may_go_and_the_other_is_as_it_was(
    engine: Engine, world: World, gone: str, stays: str
) -> None:
    """What is left is to the last column what the other source tells, under the uuids of the merged."""
    number = len(world.all_uuids())
    alone, contacts = world.shown(without=gone), contact_uuids(world, stays)
    result = run(engine, rule(engine, keys=["domain", "email"]), runs.APPLY)
    assert result["pairs"] >= 10
    assert len(world.all_uuids()) == number - result["pairs"]
    merged = world.merged_uuids(gone)
    assert len(merged) == result["pairs"]
    world.delete(gone)
    assert world.shown() == alone
    assert merged <= world.all_uuids()
    assert contact_uuids(world, stays) == contacts


def test_all_merges_of_the_rule_undone_leave_both_sources_as_they_were(engine: Engine, world: World) -> None:
    """To the last column, uuids included."""
    before = world.rows()
    automation_id = rule(engine, keys=["domain", "email"])
    result = run(engine, automation_id, runs.APPLY)
    assert world.rows() != before
    assert run(engine, automation_id, runs.UNDO) == {"undone": result["pairs"]}
    assert world.rows() == before
