"""Billing sources: made by hand, filled by a program, with tabs and settings of their own."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import Engine

from tests.api.support import Caller, make_key
from tests.people import post, signed_in

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def api(app: Flask, engine: Engine) -> Caller:
    """Calls with a key that may write."""
    return Caller(app.test_client(), make_key(engine))


def soup(answer) -> BeautifulSoup:
    """A page to be read by selector."""
    assert answer.status_code == 200
    return BeautifulSoup(answer.text, "html.parser")


def words(page: BeautifulSoup, selector: str) -> str:
    """What all that a selector finds says, with single blanks."""
    return " ".join(" ".join(each.get_text(" ").split()) for each in page.select(selector))


@SQLITE
def test_a_billing_source_is_made_with_a_name_and_says_how_it_is_called(app: Flask, api: Caller) -> None:
    """The page has the id and a call to paste, and no secret."""
    client = signed_in(app)
    answer = post(client, "/sources/new/billing", "/sources/new/billing", name=" Stripe ")
    assert answer.status_code == 303
    page = soup(client.get(answer.headers["Location"]))
    uuid = page.select_one("#data-source-uuid")["value"]
    assert [each["name"] for each in api("GET", "/data_sources")["data_sources"]] == ["Stripe"]
    assert uuid in words(page, "pre")
    assert '-u "$API_KEY:"' in words(page, "pre")
    assert page.select_one("#calls a[href='/api-keys']")
    for name, complaint in (("stripe", "already a source"), (" ", "Give this source a name")):
        again = post(client, "/sources/new/billing", "/sources/new/billing", name=name)
        assert again.status_code == 422
        assert complaint in again.text


def test_its_tabs_are_those_of_a_billing_source(app: Flask, api: Caller) -> None:
    """Plans and subscriptions with whose they are; nothing of webhooks and events."""
    uuid = api.source("Stripe")
    client = signed_in(app, "viewer")
    assert "No plans yet" in client.get(f"/sources/{uuid}/plans").text
    customer = api.customer(uuid, "cus_1", name="Adam")
    plan = {"data_source_uuid": uuid, "external_id": "gold", "name": "Gold"}
    made = api("POST", "/plans", plan | {"interval_unit": "month", "interval_count": 3}, 201)
    api.subscription(customer, uuid, "sub_1", plan_uuid=made["uuid"], amount_in_cents=123450)
    page = soup(client.get(f"/sources/{uuid}/plans"))
    tabs = [each.get_text(" ", strip=True) for each in page.select(".tabs a")]
    assert tabs == ["Customers 1", "Contacts 0", "Plans", "Subscriptions", "Settings"]
    assert words(page, "#plans tbody tr") == "Gold gold every 3 months 1"
    page = soup(client.get(f"/sources/{uuid}/subscriptions"))
    row = words(page, "#subscriptions tbody tr")
    assert row.startswith("sub_1 Adam Gold 1,234.50 EUR every 3 months Active")
    assert page.select_one("tbody a")["href"] == f"/customers/{customer}"
    head = words(page, "#source-head")
    assert "Billing system" in head
    assert "event" not in head


@SQLITE
def test_long_lists_go_on_on_the_next_page(app: Flask, api: Caller) -> None:
    """Fifty rows a page; the last page leads back to the first."""
    app.extensions["api_buckets"].at_once = 1000
    uuid = api.source()
    customer = api.customer(uuid, "cus_1")
    for n in range(51):
        api.subscription(customer, uuid, f"sub_{n:02}&")
    client = signed_in(app)
    page = soup(client.get(f"/sources/{uuid}/subscriptions"))
    assert len(page.select("tbody tr")) == 50
    page = soup(client.get(page.select_one("nav[aria-label=Pages] a")["href"]))
    assert [each.get_text(strip=True) for each in page.select("tbody th")] == ["sub_50&"]
    assert [each.get_text(strip=True) for each in page.select("nav[aria-label=Pages] a")] == ["First page"]


@SQLITE
def test_what_only_segment_sources_have_is_not_there(app: Flask, api: Caller, engine: Engine) -> None:
    """No page of a webhook, policy, mapping or re-sync answers for a billing source, nor does a form."""
    uuid = api.source()
    client = signed_in(app)
    home = f"/sources/{uuid}"
    for path in ("events", "mapping", "waiting", "syncs/new", "webhook-url/new", "test-event", "imports"):
        assert client.get(f"{home}/{path}").status_code in (404, 405), path
    page = soup(client.get(f"{home}/settings"))
    cards = {each["id"] for each in page.select("section.card")}
    assert cards >= {"general", "calls", "delete"}
    assert not cards & {"webhook", "write-key", "signature", "test-event", "pause", "resync", "retention"}
    for path in ("syncs", "webhook-url"):
        assert post(client, f"{home}/settings", f"{home}/{path}").status_code == 404


@SQLITE
def test_it_is_renamed_and_deleted_on_its_settings(app: Flask, api: Caller) -> None:
    """The question before a deletion counts plans and subscriptions, which go."""
    uuid = api.source()
    api.subscription(api.customer(uuid, "cus_1"), uuid, "sub_1")
    client = signed_in(app)
    settings = f"/sources/{uuid}/settings"
    assert post(client, settings, f"/sources/{uuid}/name", name="Paddle").status_code == 303
    assert api("GET", f"/data_sources/{uuid}")["name"] == "Paddle"
    taken = api.source("Taken")
    assert post(client, settings, f"/sources/{uuid}/name", name="taken").status_code == 422
    report = words(soup(client.get(f"/sources/{uuid}/deletion/new")), "[data-report]")
    assert "0 plans and 1 subscription go with them" in report
    assert "webhook" not in report
    gone = post(client, f"/sources/{uuid}/deletion/new", f"/sources/{uuid}/deletion", name="Paddle")
    assert gone.status_code == 303
    assert client.get(settings).status_code == 404
    assert [each["uuid"] for each in api("GET", "/data_sources")["data_sources"]] == [taken]


@SQLITE
def test_commands_of_segment_sources_say_that_it_is_one_of_billing(app: Flask, api: Caller) -> None:
    """A script that means another source gets one clear line."""
    uuid = api.source("Stripe")
    runner = app.test_cli_runner()
    for words_ in (["resync", uuid], ["rebuild", uuid], ["regenerate", uuid], ["policy", uuid, "company"]):
        done = runner.invoke(args=["source", *words_])
        assert done.exit_code != 0
        assert "is a billing source" in done.output + done.stderr
