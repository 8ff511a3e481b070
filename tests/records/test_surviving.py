"""What people did by hand outlives every re-sync and rebuild: nobody has to do it twice."""

from __future__ import annotations

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from tests.projection import support
from tests.records.conftest import AT
from tests.tables.conftest import texts
from webapp.database import writing
from webapp.models import Contact, Customer, Decision, Edit, Note, Source
from webapp.services import syncs

SOLO = {"type": "identify", "messageId": "9", "userId": "u9", "timestamp": AT}
SOLO |= {"traits": {"email": "hello@acme.com", "name": "Solo Person", "title": "CEO", "plan": "pro"}}


@pytest.fixture
def segment(pair, engine, settings) -> int:
    """The Segment source, which tells of a person without a company too: their customer is a lead."""
    with engine.connect() as connection:
        source_id = connection.execute(select(Source.id).where(Source.kind == "segment")).scalar_one()
    support.receive(engine, source_id, [SOLO])
    support.drain(engine, settings, source_id)
    return source_id


def work(engine, settings, source_id, kind, policy="user"):
    """A re-sync to a policy, or a rebuild."""
    with writing(), Session(engine) as session:
        source = session.get_one(Source, source_id)
        source.policy = policy
        session.flush()
        sync_id = syncs.request(session, source, kind).id
        session.commit()
    syncs.run(engine, sync_id, settings=settings)


def by_hand(pair):
    """Notes, status, owner, tags, values over what was told, and who is not the same as whom."""
    solo, person, ada = pair.path("u9"), pair.contact("hello@acme.com"), pair.contact()
    handled = {"status": "Working Lead", "owner": "administrator@example.com", "tags": "eu, vip"}
    pair.send(solo, f"{solo}/handling", **handled)
    pair.send(solo, f"{solo}/values/city", value="Paris")
    for path, note in ((solo, "on the customer"), (person, "on the contact"), (ada, "on Ada")):
        pair.send(path, f"{path}/notes", text=note)
    for path, title in ((person, "Countess"), (ada, "Programmer")):
        pair.send(path, f"{path}/values/title", value=title)
    pair.send(person, f"{person}/values/custom.plan", clear="1")
    other = pair.path("g1").removeprefix("/customers/")
    pair.send(f"{solo}/merge", f"{solo}/told-apart", other=other)


def kept(engine):
    """All that people wrote, set and decided, as it is kept."""
    columns = {
        Note: ("entity", "uuid", "origin_uuid", "source_id", "user_id", "text", "created_at"),
        Edit: ("entity", "said_of", "origin_uuid", "source_id", "fields"),
        Decision: ("entity", "kind", "primary_uuid", "primary_now", "other_uuid", "other_now"),
    }
    with engine.connect() as connection:
        return {
            model.__tablename__: connection.execute(
                select(*(getattr(model, name) for name in names)).order_by(model.id)
            ).all()
            for model, names in columns.items()
        }


def rows(engine):
    """Every customer and contact by its table and uuid, but for its id and the moments of its writing."""
    found = {}
    with engine.connect() as connection:
        for model in (Customer, Contact):
            for row in connection.execute(select(model.__table__)).mappings():
                left_out = ("id", "customer_id", "created_at", "updated_at")
                found[model.__tablename__, row["uuid"]] = {
                    name: row[name] for name in row if name not in left_out
                }
    return found


def seen(pair, solo, person, ada):
    """What pages show of it."""
    return {
        "notes": [texts(pair.page(path), ".notes__text") for path in (solo, person, ada)],
        "suggested": texts(pair.page(f"{solo}/merge"), "#suggestions .identity__name"),
    }


def test_what_people_did_survives_another_policy_and_back_and_a_rebuild(pair, segment, engine, settings):
    """Notes, lead status, owner, tags, values of customers and contacts, "not a duplicate"."""
    suggested = texts(pair.page(f"{pair.path('u9')}/merge"), "#suggestions .identity__name")
    assert suggested == ["Acme Inc", "ACME"]
    by_hand(pair)
    paths = pair.path("u9"), pair.contact("hello@acme.com"), pair.contact()
    shown, written, looked = rows(engine), kept(engine), seen(pair, *paths)
    assert looked["notes"] == [["on the customer"], ["on the contact"], ["on Ada"]]
    assert looked["suggested"] == ["ACME"]
    solo = shown["customers", paths[0].rpartition("_")[2]]
    assert (solo["lead_status"], solo["owner"], solo["tags"], solo["city"]) == (
        *("Working Lead", "administrator@example.com", "eu, vip", "Paris"),
    )
    person = shown["contacts", paths[1].rpartition("_")[2]]
    assert (person["title"], person["custom"]) == ("Countess", {})
    assert [len(each) for each in written.values()] == [3, 3, 1]

    work(engine, settings, segment, "resync", "company")
    assert [pair.client.get(path).status_code for path in paths] == [404, 404, 200]
    assert kept(engine) == written
    assert rows(engine)["contacts", paths[2].rpartition("_")[2]]["title"] == "Programmer"
    work(engine, settings, segment, "resync", "user")
    assert (rows(engine), kept(engine), seen(pair, *paths)) == (shown, written, looked)

    work(engine, settings, segment, "rebuild")
    assert (rows(engine), kept(engine), seen(pair, *paths)) == (shown, written, looked)


def test_what_people_did_survives_a_rebuild_while_another_policy_hides_it(pair, segment, engine, settings):
    """It waits with whom it was said of, whatever is folded again meanwhile."""
    by_hand(pair)
    shown, written = rows(engine), kept(engine)
    work(engine, settings, segment, "rebuild", "company")
    assert kept(engine) == written
    work(engine, settings, segment, "rebuild", "user")
    assert (rows(engine), kept(engine)) == (shown, written)
