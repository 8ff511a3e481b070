"""The audit log on what a key does: each act that a page would record, and no line for each row of data."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import Engine, select

from tests.api.support import ADMIN, Caller, make_key
from tests.api.test_records import ACME, ADA, only
from tests.people import signed_in
from tests.projection.support import drain, make_source, receive
from webapp.config import Settings
from webapp.models import ApiKey


@pytest.fixture
def api(app: Flask, engine: Engine) -> Caller:
    """Calls with a key that may write."""
    return Caller(app.test_client(), make_key(engine))


@pytest.fixture
def segment(engine: Engine, settings: Settings) -> None:
    """A Segment source with a company and a person."""
    source_id = make_source(engine)
    receive(engine, source_id, [ACME, ADA])
    drain(engine, settings, source_id)


class Log:
    """The Audit log page, which tells each time what came since it was read last."""

    def __init__(self, app: Flask, engine: Engine) -> None:
        self.client = signed_in(app)
        self.read = 0
        with engine.connect() as connection:
            self.key = f"API key {connection.scalar(select(ApiKey.name))}"
        self()

    def __call__(self) -> list[str]:
        """What the key did since, the oldest first."""
        page = BeautifulSoup(self.client.get("/audit-log").text, "html.parser")
        lines = [
            (row.select_one("th").text, row.select("td")[1].text)
            for row in page.select("#audit-log tbody tr")
        ]
        new, self.read = lines[: len(lines) - self.read], len(lines)
        return [what for who, what in reversed(new) if who == self.key]


@pytest.fixture
def log(app: Flask, engine: Engine, api: Caller) -> Log:
    """See `Log`."""
    return Log(app, engine)


def test_merges_and_their_undoing_name_both_records_and_the_key(api: Caller, log: Log, segment: None) -> None:
    """Who looks for what became of a customer finds it by either name."""
    acme = only(api, "/customers")["uuid"]
    source = api.source()
    paid = api.customer(source, "c1", primary_contact={"email": "x@acme.com"})
    log()
    both = {"from": {"customer_uuid": acme}, "into": {"customer_uuid": paid}}
    api("POST", "/customers/merges", both, 202)
    api("POST", "/customers/merges", both, 404)  # there is one left
    assert log() == [f"merged {acme} into {paid}"]
    one, other = (each["uuid"] for each in api("GET", f"/customers/{paid}/contacts")["entries"])
    api("POST", f"/contacts/{one}/merge/{other}")
    assert log() == [f"merged {other} into {one}"]
    out = {"customer_uuid": paid, "data_source_uuid": source, "external_id": "c1"}
    api("POST", "/customers/unmerges", out, 202)
    assert log() == [f"took the merge of {acme} into {paid} back"]


def test_what_is_set_over_segment_s_word_is_recorded_once(api: Caller, log: Log, segment: None) -> None:
    """A program that says the same every hour does not bury what others did; no line holds a value."""
    acme, ada = only(api, "/customers")["uuid"], only(api, "/contacts")["uuid"]
    told: dict[str, Any] = {"name": "Xq", "city": "Berlin", "owner": ADMIN, "status": "Working Lead"}
    told |= {"attributes": {"tags": ["xq"], "custom": {"plan": "xq"}}}
    expected = [
        f"set the status of the lead {acme} to Working Lead",
        f"gave the customer {acme} an owner",
        f"changed the tags of the customer {acme}",
        f"set name, custom.plan of the customer {acme} by hand",
    ]
    for lines in (expected, []):
        api("PATCH", f"/customers/{acme}", told)
        assert log() == lines
    for lines in ([f"set title of the contact {ada} by hand", f"wrote a note on the contact {ada}"], []):
        api("PATCH", f"/contacts/{ada}", {"title": "Xq", "notes": "xq"})
        assert log() == lines
    for lines in ([f"changed the tags of the customer {acme}"], []):
        api("POST", f"/customers/{acme}/attributes/tags", {"tags": ["more"]})
        assert log() == lines
    api("PUT", f"/customers/{acme}/attributes/custom", {"custom": {"plan": 1}})
    api("PATCH", f"/customers/{acme}", {"owner": None})
    assert log() == [
        f"set custom.plan of the customer {acme} by hand",
        f"took the owner of the customer {acme} away",
    ]


def test_what_is_deleted_is_recorded_and_data_is_not(api: Caller, log: Log) -> None:
    """A billing system may tell of thousands a day; what can never be had back is named each time."""
    source = api.source()
    log()
    uuids = [api.customer(source, f"c{n}", email="a@x.com", owner=ADMIN) for n in range(5)]
    plan = {"data_source_uuid": source, "name": "Pro", "interval_unit": "month", "interval_count": 1}
    pro = api("POST", "/plans", plan, 201)["uuid"]
    first, second = (api.subscription(uuids[0], source, name) for name in ("s1", "s2"))
    contact = {"customer_uuid": uuids[0], "data_source_uuid": source, "email": "b@x.com", "notes": "Hi"}
    con = api("POST", "/contacts", contact, 201)["uuid"]
    api("PATCH", f"/customers/{uuids[0]}", {"name": "Other"})
    api("PATCH", f"/contacts/{con}", {"title": "Other"})
    api("PATCH", f"/plans/{pro}", {"name": "Max"})
    api("PATCH", f"/import/subscriptions/{first}", {"past_due": True})
    assert log() == []
    both = {"subscriptions": [{"uuid": first}, {"uuid": second}]}
    for verb in ("connect", "connect", "disconnect", "disconnect"):
        api("POST", f"/customers/{uuids[0]}/{verb}_subscriptions", both, 202)
    api("DELETE", f"/import/subscriptions/{first}", status=204)
    api("DELETE", f"/contacts/{con}")
    api("DELETE", f"/customers/{uuids[0]}", status=204)
    api("DELETE", f"/plans/{pro}", status=204)
    assert log() == [
        f"connected subscriptions of the customer {uuids[0]}",
        f"disconnected subscriptions of the customer {uuids[0]}",
        f"deleted a subscription of the customer {uuids[0]}",
        f"deleted the contact {con}",
        f"deleted the customer {uuids[0]}",
        "deleted the plan Max of Billing",
    ]
    for lines in (["gave 4 customers tags"], []):
        api("POST", "/customers/attributes/tags", {"email": "a@x.com", "tags": ["many"]})
        assert log() == lines
