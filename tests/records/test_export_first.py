"""What can be taken along before a source is deleted: all that people and senders told of it."""

from __future__ import annotations

import csv
import io
import random
import zipfile

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from tests import factories
from tests.projection import support
from webapp.database import begin
from webapp.domain import billing_rows, wire
from webapp.models import Event, Note, Source
from webapp.services import source_zip


def sources(engine):
    """The sources by kind."""
    with Session(engine) as session:
        found = {each.kind: each for each in session.scalars(select(Source))}
        session.expunge_all()
        return found


def zipped(engine, source, events=False):
    """The zip of a source, opened."""
    return zipfile.ZipFile(io.BytesIO(b"".join(source_zip.stream(engine, source, events))))


def rows(archive, name):
    """The rows of one of its CSV files."""
    return list(csv.DictReader(io.StringIO(archive.read(name).decode(), newline="")))


def exporting(pair, kind):
    """The zip that the page of a source's deletion links to, and the words around the link."""
    page = pair.page(f"/sources/{sources(pair.engine)[kind].public_id}/deletion/new")
    link = page.select_one("[download]")
    answer = pair.client.get(link["href"])
    return zipfile.ZipFile(io.BytesIO(answer.data)), " ".join(link.parent.get_text(" ").split())


def test_all_that_a_billing_source_loses_is_in_its_zip(paying):
    """Plans, subscriptions with adjustments and connections, and the notes of people."""
    path = paying.path("b1")
    form = f"{path}/subscriptions/{paying.subscription('s2')}/adjustment"
    paying.send(path, form, amount="49.90", reason="=A discount")
    both = [paying.subscription("s1"), paying.subscription("s2")]
    paying.send(path, f"{path}/connections", verb="connect", subscription=both)
    paying.send(path, f"{path}/notes", text="Call her\nback")
    paying.send(paying.contact("Ada@acme.com"), f"{paying.contact('Ada@acme.com')}/notes", text="In Paris")
    archive, said = exporting(paying, "billing")
    assert archive.testzip() is None
    assert archive.namelist() == [
        *("customers.csv", "contacts.csv", "subscriptions.csv", "notes.csv", "README.txt")
    ]
    assert "customers, contacts, plans, subscriptions with their MRR adjustments and connections," in said
    first, second = rows(archive, "subscriptions.csv")
    assert first["customer_uuid"] == second["customer_uuid"] == path.removeprefix("/customers/")
    assert first["uuid"] == both[0]
    assert (first["external_id"], first["customer_external_id"], first["currency"]) == ("s1", "b1", "EUR")
    assert (first["amount"], first["interval"], first["mrr"]) == ("1200.6", "1 year", "100.05")
    assert (first["start"], first["end"], first["past_due"]) == ("2026-01-01T00:00:00Z", "", "false")
    assert (first["mrr_adjustment"], first["adjustment_reason"]) == ("", "")
    assert (second["mrr"], second["mrr_adjustment"]) == ("49.9", "49.9")
    assert second["adjustment_reason"] == "'=A discount"
    assert second["adjusted_by"] == "administrator@example.com"
    assert first["connection"] == second["connection"] != ""
    notes = rows(archive, "notes.csv")
    assert [(n["entity"], n["external_id"], n["email"], n["text"]) for n in notes] == [
        ("customer", "b1", "", "Call her\nback"),
        ("contact", "", "Ada@acme.com", "In Paris"),
    ]
    assert notes[0]["record_uuid"] == path.removeprefix("/customers/")
    assert "/contacts/" + notes[1]["record_uuid"] == paying.contact("Ada@acme.com")
    assert notes[0]["author"] == "administrator@example.com"
    readme = archive.read("README.txt").decode()
    assert "subscriptions.csv" in readme
    assert "plans.csv" not in readme


def test_the_file_of_subscriptions_can_be_imported_again(paying):
    """Each of its columns is known by its heading, and each row says what it said."""
    with zipped(paying.engine, sources(paying.engine)["billing"]) as archive:
        heading, *told = csv.reader(io.StringIO(archive.read("subscriptions.csv").decode(), newline=""))
    columns = billing_rows.guess(billing_rows.SUBSCRIPTIONS, heading)
    assert set(columns) - {""} == set(billing_rows.FIELDS[billing_rows.SUBSCRIPTIONS])
    read = [billing_rows.read(billing_rows.SUBSCRIPTIONS, columns, row) for row in told]
    assert [each.problems for each in read] == [[], []]
    assert [str(each.values["amount"]) for each in read] == ["1200.6", "10"]
    assert read[0].values["interval"] == ("year", 1)


def test_plans_are_in_the_zip_where_there_are_any(paying):
    """With what a subscription needs to name one."""
    from webapp.services.billing.subscriptions import PlanTold, put_plans

    source = sources(paying.engine)["billing"]
    with begin(paying.engine) as connection:
        put_plans(connection, source.id, [PlanTold("pro", "Pro, yearly", "month", 3)])
    with zipped(paying.engine, source) as archive:
        plan = rows(archive, "plans.csv")[0]
    assert (plan["external_id"], plan["name"], plan["interval"]) == ("pro", "Pro, yearly", "3 months")
    assert plan["uuid"].startswith("pl_")


def test_a_note_on_a_customer_that_is_gone_for_now_is_in_the_zip(pair):
    """A policy hides a customer and keeps what people wrote; a deletion takes that too."""
    source = sources(pair.engine)["segment"]
    pair.send(pair.path("g1"), f"{pair.path('g1')}/notes", text="Mine")
    with begin(pair.engine) as connection:
        connection.execute(update(Note).values(origin_uuid="nobody"))
    with zipped(pair.engine, source) as archive:
        note = rows(archive, "notes.csv")[0]
    assert (note["record_uuid"], note["external_id"], note["text"]) == ("cus_nobody", "", "Mine")
    with zipped(pair.engine, sources(pair.engine)["billing"]) as archive:
        assert "notes.csv" not in archive.namelist()


def test_events_come_as_they_were_received_one_a_line(pair):
    """What stood on several lines stands on one, and says the same."""
    source = sources(pair.engine)["segment"]
    spread = b'{\r\n\t"type": "identify",\n "userId": "\\n u9", "traits": {"n": 1.0}\r}'
    support.receive(pair.engine, source.id, [spread])
    archive, said = exporting(pair, "segment")
    assert archive.namelist() == ["customers.csv", "contacts.csv", "README.txt"]
    assert "events as they were received are not in it" in archive.read("README.txt").decode()
    assert "with the 4 events as they were received" in said
    page = pair.page(f"/sources/{source.public_id}/deletion/new")
    link = page.select("[download]")[1]["href"]
    with zipfile.ZipFile(io.BytesIO(pair.client.get(link).data)) as archive:
        assert archive.namelist()[-2:] == ["events.ndjson", "README.txt"]
        lines = archive.read("events.ndjson").splitlines()
        assert "events.ndjson" in archive.read("README.txt").decode()
    with pair.engine.connect() as connection:
        bodies = connection.scalars(select(Event.body).order_by(Event.id)).all()
    assert lines[:-1] == bodies[:-1]
    assert wire.decode(lines[-1]) == wire.decode(spread)
    assert len(lines) == len(bodies) == 4


def test_an_export_of_events_breaks_off_when_its_source_is_deleted(pair, monkeypatch):
    """A file that is cut short does not pass for a whole one."""
    monkeypatch.setattr(source_zip, "EVENTS_AT_ONCE", 1)
    source = sources(pair.engine)["segment"]
    pieces = source_zip.stream(pair.engine, source, events=True)
    next(pieces)
    with begin(pair.engine) as connection:
        connection.execute(update(Source).where(Source.id == source.id).values(state="deleting"))
    with pytest.raises(source_zip.CutShort):
        list(pieces)


def incompressible(size, seed):
    """A text that no zip makes much smaller."""
    return random.Random(seed).randbytes(size // 2).hex()


def test_the_zip_is_never_in_memory(engine, monkeypatch):
    """It goes out while it is read, in pieces that are small beside it, whichever file they are of."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        for number in range(1200):
            factories.customer(connection, source_id, f"o{number}", name=incompressible(1000, number))
        note = {"entity": "customer", "said_of": "x", "origin_uuid": "x", "source_id": source_id}
        note |= {"said_key": None, "user_id": None, "created_at": 1, "updated_at": 1}
        notes = [note | {"uuid": f"n{n}", "text": incompressible(1000, -n)} for n in range(1200)]
        connection.execute(insert(Note), notes)
    events = [{"userId": "u", "text": incompressible(2000, n + 0.5)} for n in range(1200)]
    support.receive(engine, source_id, events)
    monkeypatch.setattr(source_zip, "MOST_BYTES", 100_000)
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        pieces = [len(piece) for piece in source_zip.stream(engine, source, events=True)]
    assert sum(pieces) > 2_000_000
    assert max(pieces) < sum(pieces) / 5


def test_a_file_of_more_than_two_gigabytes_can_be_in_the_zip(engine, monkeypatch):
    """Whoever deletes much has the most to take along. The limit of the older format is made small here."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        for number in range(3):
            factories.customer(connection, source_id, f"o{number}", name="x" * 1000)
    support.receive(engine, source_id, [{"userId": "u" * 1000} for _ in range(3)])
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 1000)
    with Session(engine) as session, zipped(engine, session.get_one(Source, source_id), True) as archive:
        assert archive.testzip() is None
        assert len(rows(archive, "customers.csv")) == 3
