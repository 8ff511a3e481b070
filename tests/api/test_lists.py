"""Lists and pages of the API: what is on them, in which order, and what is never seen."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select

from tests.api.support import Caller, call, make_key
from webapp.models import AttributeSighting, Source
from webapp.services import attributes

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def api(app: Flask, engine: Engine) -> Caller:
    """Calls with a key that may write."""
    return Caller(app.test_client(), make_key(engine))


def only(api: Caller, path: str) -> Any:
    """The one entry of a list."""
    [entry] = api("GET", path)["entries"]
    return entry


def test_nothing_of_a_source_that_goes_is_seen_or_written(api: Caller, engine: Engine) -> None:
    """From the moment of its deletion on, as on the pages."""
    source, stays = api.source(), api.source("Stays")
    customer = api.customer(source, "cus_1", email="a@b.c", primary_contact={"email": "a@b.c"})
    subscription = api.subscription(customer, source, "sub_1")
    contact = only(api, "/contacts")["uuid"]
    plan = {"data_source_uuid": source, "name": "P", "interval_unit": "day", "interval_count": 1}
    plan_uuid = api("POST", "/plans", plan, 201)["uuid"]
    api("DELETE", f"/data_sources/{source}", status=204)
    assert [each["uuid"] for each in api("GET", "/data_sources")["data_sources"]] == [stays]
    for path in ("/customers", "/contacts"):
        assert api("GET", path)["entries"] == []
    assert api("GET", "/plans")["plans"] == []
    assert api("GET", f"/customers?data_source_uuid={source}")["entries"] == []
    api("GET", "/customers/search?email=a@b.c", status=404)
    for path in (
        f"/customers/{customer}",
        f"/contacts/{contact}",
        f"/plans/{plan_uuid}",
        f"/data_sources/{source}",
    ):
        api("GET", path, status=404)
    for verb, path in (
        ("PATCH", f"/customers/{customer}"),
        ("DELETE", f"/contacts/{contact}"),
        ("PATCH", f"/import/subscriptions/{subscription}"),
        ("POST", f"/customers/{customer}/attributes/tags"),
    ):
        api(verb, path, {"tags": ["x"], "name": "y"}, 404)
    told = {"data_source_uuid": source, "external_id": "cus_2"}
    assert "no data source" in api("POST", "/customers", told, 422)["errors"]["data_source_uuid"]
    with engine.connect() as connection:
        kinds = connection.execute(select(Source.state).order_by(Source.id)).scalars().all()
    assert kinds == ["deleting", "active"]


def test_pages_tell_each_customer_once_whatever_happens_between(api: Caller) -> None:
    """A cursor stands behind an id, so what is deleted or made meanwhile moves nothing."""
    source = api.source()
    uuids = [api.customer(source, f"cus_{n}") for n in range(7)]
    seen: list[str] = []
    cursor = ""
    for n in range(4):
        page = api("GET", f"/customers?data_source_uuid={source}&per_page=2&cursor={cursor}")
        seen += [each["uuid"] for each in page["entries"]]
        assert page["has_more"] is (n < 3)
        cursor = page["cursor"]
        if n == 0:
            api("DELETE", f"/customers/{uuids[1]}", status=204)
            uuids.append(api.customer(source, "cus_new"))
    assert seen == uuids
    last = api("GET", f"/customers?cursor={cursor}")
    assert (last["entries"], last["cursor"], last["has_more"]) == ([], None, False)
    assert api("GET", "/customers?per_page=1000")["per_page"] == 200
    for bad in ("per_page=0", "per_page=x", "cursor=x", "cursor=LTE="):
        assert call(api.client, api.key, "GET", f"/customers?{bad}").status_code == 400


def test_filters_go_together(api: Caller) -> None:
    """Status, source, system and external id leave out whoever does not have all of them."""
    one, two = api.source(), api.source("Two")
    lead, active = api.customer(one, "a"), api.customer(one, "b")
    other = api.customer(two, "a")
    api.subscription(active, one, "s")
    late = api.customer(two, "c")
    api.subscription(late, two, "t", past_due=True)
    for wanted, found in (
        ("status=Active", [active]),
        ("status=past_due", [late]),
        ("status=New_Lead", [lead, other]),
        (f"status=New Lead&data_source_uuid={two}", [other]),
        ("external_id=a", [lead, other]),
        (f"external_id=a&data_source_uuid={one}", [lead]),
        ("system=Import API", [lead, active, other, late]),
        ("system=Stripe", []),
        ("data_source_uuid=ds_unknown", []),
    ):
        entries = api("GET", f"/customers?{wanted}")["entries"]
        assert [each["uuid"] for each in entries] == found, wanted


@SQLITE
def test_custom_attributes_of_the_api_are_in_the_registry(app: Flask, api: Caller, engine: Engine) -> None:
    """So tables offer them, and a type that has to widen shows every value as it was told."""
    source = api.source()
    first = api.customer(source, "a", attributes={"custom": {"CAC": 213, "since": "2026-01-31"}})
    custom = [{"key": "CAC", "type": "String", "value": "2026-01-31"}]
    api.customer(source, "b", attributes={"custom": custom})
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(AttributeSighting)) == 2
        assert attributes.types(connection, "customer") == {"CAC": "String", "since": "Timestamp"}
    entries = api("GET", "/customers")["entries"]
    assert [each["attributes"]["custom"] for each in entries] == [
        {"CAC": "213", "since": "2026-01-31T00:00:00Z"},
        {"CAC": "2026-01-31"},
    ]
    object.__setattr__(app.extensions["settings"], "max_custom_attributes", 2)
    errors = api("PATCH", f"/customers/{first}", {"attributes": {"custom": {"more": 1}}}, 422)["errors"]
    assert "at most 2 custom attributes" in errors["custom"]
    api("PATCH", f"/customers/{first}", {"attributes": {"custom": {"CAC": 7}}})


@SQLITE
def test_only_subscriptions_of_one_customer_are_connected(api: Caller) -> None:
    """Whoever names another customer's, or one alone, is told so."""
    source = api.source()
    one, two = api.customer(source, "a"), api.customer(source, "b")
    mine, other = api.subscription(one, source, "s"), api.subscription(two, source, "t")
    for named, status in (([mine], 422), ([mine, mine], 422), ([mine, other], 404)):
        told = {"subscriptions": [{"uuid": each} for each in named]}
        api("POST", f"/customers/{one}/connect_subscriptions", told, status)


@SQLITE
def test_a_customer_of_several_currencies_says_the_greatest(api: Caller, engine: Engine) -> None:
    """Nothing is exchanged; `mrr` is of `currency`."""
    source = api.source()
    uuid = api.customer(source, "a")
    api.subscription(uuid, source, "s", amount_in_cents="100.5", currency="EUR")
    api.subscription(uuid, source, "t", amount_in_cents=120_000, currency="USD", interval_unit="year")
    got = api("GET", f"/customers/{uuid}")
    assert (got["mrr"], got["currency"], got["currency-sign"]) == (10_000, "USD", "$")
    listed = api("GET", f"/import/customers/{uuid}/subscriptions")["subscriptions"]
    assert [each["amount_in_cents"] for each in listed] == [100, 120_000]
