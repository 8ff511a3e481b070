"""What the API changes, where: at the source that tells it, or by hand over a Segment source."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select

from tests.api.support import ADMIN, Caller, make_key
from tests.people import signed_in
from tests.projection.support import drain, make_source, receive
from tests.projection.test_resync import ask, work
from webapp.config import Settings
from webapp.database import begin
from webapp.models import (
    Contact,
    Customer,
    DataSourceCustomer,
    Decision,
    Edit,
    MrrAdjustment,
    Note,
    Source,
    Subscription,
)
from webapp.services import edits
from webapp.services.checkup import OK
from webapp.services.checkup import records as checkup
from webapp.services.composing import compose
from webapp.services.tables import CUSTOMERS, columns_of

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ACME = {"type": "group", "messageId": "g1", "userId": "u1", "groupId": "acme", "timestamp": "2026-01-01"}
ACME |= {"traits": {"name": "Acme", "city": "Berlin", "plan": "free"}}
ADA = {"type": "identify", "messageId": "i1", "userId": "u1", "timestamp": "2026-01-02"}
ADA |= {"traits": {"email": "ada@acme.com", "firstName": "Ada", "seats": 4}, "context": {"groupId": "acme"}}


@pytest.fixture
def api(app: Flask, engine: Engine) -> Caller:
    """Calls with a key that may write."""
    return Caller(app.test_client(), make_key(engine))


@pytest.fixture
def segment(engine: Engine, settings: Settings) -> int:
    """A Segment source with a company and a person; its id."""
    source_id = make_source(engine)
    receive(engine, source_id, [ACME, ADA])
    drain(engine, settings, source_id)
    return source_id


def number(engine: Engine, model: Any, *conditions: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def only(api: Caller, path: str) -> Any:
    """The one entry of a list."""
    [entry] = api("GET", path)["entries"]
    return entry


def test_what_segment_tells_is_set_by_hand_and_outlives_more_events(
    api: Caller, engine: Engine, settings: Settings, segment: int
) -> None:
    """A Segment source is not ours to change: the value set over it stays when the source tells again."""
    acme = only(api, "/customers")
    assert (acme["billing-system-type"], acme["attributes"]["custom"]) == ("Segment", {"plan": "free"})
    told = {"name": "ACME Inc.", "city": None, "attributes": {"custom": {"plan": "paid", "n": 1}}}
    changed = api("PATCH", f"/customers/{acme['uuid']}", told | {"status": "Working Lead", "owner": ADMIN})
    assert (changed["name"], changed["city"], changed["owner"]) == ("ACME Inc.", None, ADMIN)
    assert (changed["status"], changed["attributes"]["custom"]) == ("Working Lead", {"n": 1, "plan": "paid"})
    ada = only(api, "/contacts")
    told = {
        "first_name": "Augusta",
        "custom": [{"key": "seats", "type": "Integer", "value": 5}],
        "notes": "Hi",
    }
    assert api("PATCH", f"/contacts/{ada['uuid']}", told)["first_name"] == "Augusta"
    receive(engine, segment, [ACME | {"messageId": "g2", "timestamp": "2026-02-01"}])
    receive(engine, segment, [ADA | {"messageId": "i2", "timestamp": "2026-02-01"}])
    drain(engine, settings, segment)
    again = api("GET", f"/customers/{acme['uuid']}")
    assert again == changed
    ada = only(api, "/contacts")
    assert (ada["first_name"], ada["custom"], ada["notes"]) == ("Augusta", {"seats": 5}, "Hi")
    with engine.connect() as connection:
        told_still = connection.scalar(select(DataSourceCustomer.told))
        by = [f["by"] for fields in connection.scalars(select(Edit.fields)) for f in fields.values()]
    assert told_still["name"] == "Acme"
    assert set(by) == {None}


def test_a_key_that_only_people_tell_has_a_column_and_outlives_a_rebuild(
    api: Caller, engine: Engine, settings: Settings, segment: int
) -> None:
    """What is set over a Segment source can be shown, sorted and filtered like what the source tells."""
    acme = only(api, "/customers")
    told = {"attributes": {"custom": {"renews": "2026-05-01", "plan": 1}}}
    api("PATCH", f"/customers/{acme['uuid']}", told)
    work(engine, settings, ask(engine, segment, "rebuild"))
    with engine.connect() as connection:
        columns = columns_of(connection, CUSTOMERS, segment)
        assert [each.status for each in checkup.generations(connection)] == [OK]
    assert (columns["custom.renews"].type, columns["custom.plan"].type) == ("Timestamp", "String")
    page = signed_in(api.client.application).get("/attributes").text
    assert "renews" in page
    assert "event 0" not in page


def test_what_a_billing_source_tells_is_changed_where_it_is_told(api: Caller, engine: Engine) -> None:
    """No edit by hand is left behind, and one that was there gives way to what is said later."""
    source = api.source()
    uuid = api.customer(source, "cus_1", name="One", city="Rome")
    assert api("PATCH", f"/customers/{uuid}", {"city": None, "zip": "1"})["address"]["address_zip"] == "1"
    assert number(engine, Edit) == 0
    with engine.connect() as connection:
        assert connection.scalar(select(DataSourceCustomer.told)) == {"name": "One", "zip": "1"}
        origin, source_id = connection.execute(
            select(DataSourceCustomer.origin_uuid, DataSourceCustomer.source_id)
        ).one()
    with begin(engine) as connection:
        edits.set_fields(connection, "customer", origin, source_id, {"name": "By hand"}, None)
        compose(connection, [connection.scalar(select(Customer.id))])
    assert api("GET", f"/customers/{uuid}")["name"] == "By hand"
    assert api("PATCH", f"/customers/{uuid}", {"name": "Later"})["name"] == "Later"
    assert number(engine, Edit) == 0


def test_segment_and_billing_merge_over_the_api_and_part_again(
    api: Caller, engine: Engine, segment: int
) -> None:
    """One customer with what both tell and each contact once; unmerged, both are as before."""
    before = only(api, "/customers")
    source = api.source()
    paid = api.customer(
        source, "cus_1", name="ACME", primary_contact={"email": "Ada@acme.com", "title": "CEO"}
    )
    api.subscription(paid, source, "sub_1", amount_in_cents=4990)
    with engine.connect() as connection:
        segment_uuid = f"ds_{connection.scalar(select(Source.uuid).where(Source.id == segment))}"
    api(
        "POST",
        "/customers/merges",
        {
            "from": {"data_source_uuid": segment_uuid, "external_id": "acme"},
            "into": {"customer_uuid": paid},
        },
        202,
    )
    one = only(api, "/customers")
    assert (one["uuid"], one["name"], one["city"], one["mrr"]) == (paid, "ACME", "Berlin", 4990)
    assert one["external_ids"] == ["cus_1", "acme"]
    ada = only(api, "/contacts")
    assert (ada["email"], ada["first_name"], ada["title"]) == ("Ada@acme.com", "Ada", "CEO")
    with engine.connect() as connection:
        hidden = connection.scalar(select(Contact.uuid).where(Contact.within_id.is_not(None)))
    api("GET", f"/contacts/con_{hidden}", status=404)
    for wanted in (
        f"external_id=acme&data_source_uuid={segment_uuid}",
        "external_id=cus_1",
        "system=segment",
    ):
        assert only(api, f"/customers?{wanted}")["uuid"] == paid
    assert api("GET", f"/customers?external_id=acme&data_source_uuid={source}")["entries"] == []
    refused = api("DELETE", f"/customers/{paid}", status=422)
    assert "Unmerge the billing customer first" in refused["message"]
    names = {"customer_uuid": paid, "data_source_uuid": segment_uuid, "external_id": "acme"}
    api("POST", "/customers/unmerges", names, 202)
    after = api("GET", f"/customers/{before['uuid']}")
    assert after | {"id": before["id"]} == before, "only the row is another one"
    assert len(api("GET", "/contacts")["entries"]) == 2
    assert (
        "leave nothing behind"
        in api("POST", "/customers/unmerges", {**names, "customer_uuid": before["uuid"]}, 422)["message"]
    )


def test_a_deleted_customer_takes_everything_about_it_along(api: Caller, engine: Engine) -> None:
    """Contacts, subscriptions, notes and edits go; another customer stays whole."""
    source = api.source()
    person = {"email": "a@b.c", "notes": "x"}
    doomed = api.customer(source, "cus_1", owner=ADMIN, attributes={"tags": ["vip"]}, primary_contact=person)
    stays = api.customer(source, "cus_2", primary_contact=person)
    api("PATCH", f"/contacts/{only(api, f'/customers/{doomed}/contacts')['uuid']}", {"notes": "Remember"})
    for customer in (doomed, stays):
        api.subscription(customer, source, f"sub_{customer}")
    other = api.customer(source, "cus_3")
    api(
        "POST",
        "/customers/merges",
        {"from": {"customer_uuid": other}, "into": {"customer_uuid": doomed}},
        202,
    )
    api("DELETE", f"/customers/{doomed}", status=204)
    assert only(api, "/customers")["uuid"] == stays
    assert only(api, "/contacts")["customer_uuid"] == stays
    assert number(engine, Subscription) == 1
    assert [number(engine, model) for model in (Edit, Note, Decision, MrrAdjustment)] == [0, 0, 0, 0]
    assert api.customer(source, "cus_1") != doomed


@SQLITE
def test_segment_records_cannot_be_deleted_or_added_to(api: Caller, segment: int, engine: Engine) -> None:
    """They would come back with the next re-sync, so the answer says what to do instead."""
    acme, ada = only(api, "/customers"), only(api, "/contacts")
    assert "would bring it back" in api("DELETE", f"/customers/{acme['uuid']}", status=422)["message"]
    assert "would bring it back" in api("DELETE", f"/contacts/{ada['uuid']}", status=422)["message"]
    [source] = api("GET", "/data_sources?system=Segment")["data_sources"]
    told = {"data_source_uuid": source["uuid"], "external_id": "x"}
    assert "Segment alone" in api("POST", "/customers", told, 422)["errors"]["data_source_uuid"]
    told = {"data_source_uuid": source["uuid"], "customer_uuid": acme["uuid"]}
    assert "Segment alone" in api("POST", "/contacts", told, 422)["errors"]["data_source_uuid"]
    assert "on its own page" in api("DELETE", f"/data_sources/{source['uuid']}", status=422)["message"]
    assert number(engine, Source, Source.state == "active") == 1


@SQLITE
def test_tags_of_a_merged_customer_part_with_it(api: Caller, engine: Engine) -> None:
    """Each side keeps the tags that it had; a new one belongs to the primary."""
    source = api.source()
    one = api.customer(source, "a", attributes={"tags": ["x"]})
    two = api.customer(source, "b", attributes={"tags": ["y", "z"]})
    api("POST", "/customers/merges", {"from": {"customer_uuid": two}, "into": {"customer_uuid": one}}, 202)
    assert api("POST", f"/customers/{one}/attributes/tags", {"tags": ["new"]})["tags"] == [
        "new",
        "x",
        "y",
        "z",
    ]
    assert api("DELETE", f"/customers/{one}/attributes/tags", {"tags": ["z", "none"]})["tags"] == [
        "new",
        "x",
        "y",
    ]
    api(
        "POST",
        "/customers/unmerges",
        {"customer_uuid": one, "data_source_uuid": source, "external_id": "b"},
        202,
    )
    assert api("GET", f"/customers/{one}/attributes/tags")["tags"] == ["new", "x"]
    assert api("PUT", f"/customers/{two}/attributes/tags", {"tags": ["only"]})["tags"] == ["only"]


@SQLITE
def test_the_status_of_who_pays_follows_from_subscriptions(api: Caller) -> None:
    """Nobody sets it by hand; without subscriptions a lead's status can be chosen."""
    source = api.source()
    uuid = api.customer(source, "a", status="Qualified_Lead")
    assert api("GET", f"/customers/{uuid}")["status"] == "Qualified Lead"
    subscription = api.subscription(uuid, source, "s", end_date="2025-01-01")
    assert api("GET", f"/customers/{uuid}")["status"] == "Cancelled"
    assert (
        "follows from" in api("PATCH", f"/customers/{uuid}", {"status": "New Lead"}, 422)["errors"]["status"]
    )
    api("DELETE", f"/import/subscriptions/{subscription}", status=204)
    assert api("GET", f"/customers/{uuid}")["status"] == "Qualified Lead"
    assert "one of" in api("PATCH", f"/customers/{uuid}", {"status": "Active"}, 422)["errors"]["status"]


def test_deleting_a_contact_shows_who_stood_within_it(api: Caller, engine: Engine) -> None:
    """The other source still tells of that human."""
    source, other = api.source(), api.source("Other")
    one = api.customer(source, "a", primary_contact={"email": "a@b.c", "title": "CTO"})
    two = api.customer(other, "a", primary_contact={"email": "A@b.c", "first_name": "Ann"})
    api("POST", "/customers/merges", {"from": {"customer_uuid": two}, "into": {"customer_uuid": one}}, 202)
    shown = only(api, "/contacts")
    assert (shown["title"], shown["first_name"]) == ("CTO", "Ann")
    api("DELETE", f"/contacts/{shown['uuid']}")
    left = only(api, "/contacts")
    assert (left["title"], left["first_name"], left["customer_uuid"]) == (None, "Ann", one)
    with engine.connect() as connection:
        assert connection.execute(select(Customer.contacts)).scalars().all() == [1]


@SQLITE
def test_a_contact_made_for_somebody_known_is_shown_within_them(api: Caller) -> None:
    """The answer is the contact that can be seen, so what was made can be read."""
    source, other = api.source(), api.source("Other")
    one = api.customer(source, "a", primary_contact={"email": "a@b.c"})
    two = api.customer(other, "a")
    api("POST", "/customers/merges", {"from": {"customer_uuid": two}, "into": {"customer_uuid": one}}, 202)
    told = {"customer_uuid": one, "data_source_uuid": other, "email": "A@B.C", "phone": "1"}
    made = api("POST", "/contacts", told, 201)
    assert made == only(api, "/contacts")
    assert (made["email"], made["phone"]) == ("a@b.c", "1")
