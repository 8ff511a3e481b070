"""Whatever is sent to the API is answered in JSON, with a sentence, and loses nothing."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select, update

from tests.api.support import Caller, call, make_key
from webapp.database import begin
from webapp.models import Customer, Source, Subscription

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def api(app: Flask, engine: Engine) -> Caller:
    """Calls with a key that may write."""
    return Caller(app.test_client(), make_key(engine))


@SQLITE
def test_a_body_that_is_no_json_object_is_a_400_with_a_sentence(api: Caller) -> None:
    """Never a 500, however odd the bytes are."""
    bodies = (
        b'{"name": ',
        b"[1]",
        b"null",
        b'"x"',
        b"\xff\xfe",
        b"[" * 200_000,
        b'{"a":' * 5_000,
        b"{'a': 1}",
    )
    for raw in bodies:
        answer = call(api.client, api.key, "POST", "/data_sources", raw=raw)
        assert answer.status_code == 400, raw[:20]
        assert answer.json["message"].endswith("Nothing was changed.")


@SQLITE
def test_unknown_addresses_methods_and_large_bodies_are_answered_in_json(api: Caller) -> None:
    """A program reads JSON, also where there is nothing."""
    for verb, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/customers/x/nothing", 404),
        ("PUT", "/ping", 405),
        ("GET", "", 404),
    ):
        answer = call(api.client, api.key, verb, path)
        assert (answer.status_code, answer.json["code"]) == (status, status)
    large = call(api.client, api.key, "POST", "/data_sources", raw=b" " * 1024 * 1024 + b"{}")
    assert (large.status_code, large.json["code"]) == (413, 413)


def test_unknown_records_are_a_404_that_names_the_kind(api: Caller) -> None:
    """Also where the id is of another kind, or no id at all."""
    source = api.source()
    gone = f"cus_{source[3:]}"
    for verb, path, kind in (
        ("GET", f"/customers/{gone}", "Customer"),
        ("GET", "/customers/%00%ff", "Customer"),
        ("PATCH", f"/customers/{gone}", "Customer"),
        ("DELETE", f"/customers/{gone}", "Customer"),
        ("GET", f"/customers/{gone}/subscriptions", "Customer"),
        ("GET", f"/customers/{gone}/attributes", "Customer"),
        ("GET", "/contacts/con_x", "Contact"),
        ("PATCH", "/contacts/con_x", "Contact"),
        ("POST", "/contacts/con_x/merge/con_y", "Contact"),
        ("GET", "/plans/pl_x", "Plan"),
        ("DELETE", "/plans/pl_x", "Plan"),
        ("PATCH", "/import/subscriptions/sub_x", "Subscription"),
        ("GET", "/data_sources/ds_x", "Data source"),
        ("DELETE", "/data_sources/ds_x", "Data source"),
        ("DELETE", "/data_sources/ds_%00", "Data source"),
    ):
        answer = call(api.client, api.key, verb, path, {} if verb != "GET" else None)
        assert (answer.status_code, answer.json["message"]) == (404, f"{kind} not found"), path


def test_wrong_fields_are_named_all_at_once_and_nothing_is_made(api: Caller, engine: Engine) -> None:
    """422 with a sentence for each field, so that one look mends them all."""
    told = {
        "data_source_uuid": api.source(),
        "external_id": "x" * 256,
        "email": "nobody",
        "name": {"first": "A"},
        "lead_created_at": "soon",
        "attributes": {
            "tags": ["a,b"],
            "custom": [
                {"key": "a b", "value": 1},
                {"key": "n", "type": "Integer", "value": "many"},
                {"key": "s", "type": "Text", "value": "x"},
            ],
        },
    }
    errors = api("POST", "/customers", told, 422)["errors"]
    assert errors.keys() == {
        *("external_id", "email", "name", "lead_created_at", "attributes.tags", "attributes.custom"),
    }
    assert api("POST", "/customers", {}, 422)["errors"].keys() == {"data_source_uuid", "external_id"}
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Customer)) == 0


ODD_TEXTS: tuple[Any, ...] = (
    "\0",
    "\ud83d",
    "x" * 5000,
    "%_\\",
    10**30,
    "1e999999999",
    "9999-12-31T23:59:59-23:00",
)
ODD: tuple[Any, ...] = (
    *("", " ", 0, -1, 1.5, True, None, [], {}, [[]], [None], {"a": {"b": []}}),
    *ODD_TEXTS,
)


def test_no_value_of_any_field_is_a_500(api: Caller, engine: Engine) -> None:
    """Each kind of field holds each odd value once; the answer says what is wrong, or it is taken."""
    api.client.application.extensions["api_buckets"].at_once = 10_000
    source = api.source()
    customer = api.customer(source, "cus_1")
    one = f"/customers/{customer}"
    subscription = f"/import/subscriptions/{api.subscription(customer, source, 'sub_1')}"
    contact = api("POST", f"{one}/contacts", {"data_source_uuid": source}, 201)["uuid"]
    plan = {"data_source_uuid": source, "name": "P", "interval_unit": "day", "interval_count": 1}
    bodies: tuple[tuple[str, str, dict[str, Any], tuple[str, ...]], ...] = (
        ("POST", "/customers", {"data_source_uuid": source}, ("external_id", "primary_contact")),
        ("PATCH", one, {}, ("name", "email", "country", "attributes", "owner", "status", "lead_created_at")),
        ("PATCH", f"/contacts/{contact}", {}, ("notes", "external_id", "custom")),
        ("POST", "/plans", plan, ("interval_unit", "interval_count", "external_id")),
        ("PATCH", subscription, {}, ("amount_in_cents", "currency", "plan_uuid", "end_date", "past_due")),
        ("PATCH", subscription, {}, ("cancellation_dates",)),
        ("POST", f"{one}/attributes/tags", {}, ("tags",)),
        ("DELETE", f"{one}/attributes/custom", {}, ("custom",)),
        ("POST", "/customers/attributes/tags", {"tags": ["a"]}, ("email",)),
        ("POST", "/customers/merges", {"into": {"customer_uuid": customer}}, ("from",)),
        (
            "POST",
            "/customers/unmerges",
            {"customer_uuid": customer, "external_id": "x"},
            ("data_source_uuid",),
        ),
        ("POST", f"{one}/connect_subscriptions", {}, ("subscriptions",)),
    )
    # What PostgreSQL alone may refuse are texts that it cannot keep.
    for value in ODD if engine.dialect.name == "sqlite" else ODD_TEXTS:
        for verb, path, body, names in bodies:
            for name in names:
                answer = call(api.client, api.key, verb, path, {**body, name: value})
                assert answer.status_code in (200, 201, 202, 400, 404, 422), (path, name, value, answer.text)


def test_no_parameter_of_a_list_is_a_500(api: Caller) -> None:
    """Filters find nothing and pages are refused, whatever they ask for."""
    api.customer(api.source(), "cus_1")
    for value in (
        "\0",
        "%ud83d",
        "x" * 5000,
        "0",
        "-1",
        "99999999999999999999",
        "%_\\",
        "OTk5OTk5OTk5OTk5OTk5OTk5OTk=",
    ):
        for path, name in (
            *(
                ("/customers", name)
                for name in ("external_id", "status", "system", "data_source_uuid", "cursor")
            ),
            *(("/contacts", name) for name in ("email", "customer_external_id", "customer_uuid", "per_page")),
            ("/customers/search", "email"),
        ):
            answer = api.client.get(f"/v1{path}", query_string={name: value}, auth=(api.key, ""))
            assert answer.status_code in (200, 400, 404), (path, name, value, answer.text)


@SQLITE
def test_a_paused_source_takes_nothing_and_says_when_to_try_again(api: Caller, engine: Engine) -> None:
    """503 with Retry-After, since the caller is to send it again; reading goes on."""
    source = api.source()
    customer = api.customer(source, "cus_1", name="Before")
    subscription = api.subscription(customer, source, "sub_1")
    with begin(engine) as connection:
        connection.execute(update(Source).values(pause="refuse"))
    for verb, path, body in (
        ("POST", "/customers", {"data_source_uuid": source, "external_id": "cus_2"}),
        ("PATCH", f"/customers/{customer}", {"name": "After"}),
        ("DELETE", f"/customers/{customer}", None),
        ("PATCH", f"/import/subscriptions/{subscription}", {"past_due": True}),
    ):
        answer = call(api.client, api.key, verb, path, body)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert api("GET", f"/customers/{customer}")["name"] == "Before"


@SQLITE
def test_names_that_are_taken_are_refused_and_nothing_is_overwritten(api: Caller, engine: Engine) -> None:
    """A customer, plan or subscription that is there is changed by PATCH, never by making it again."""
    source = api.source()
    customer = api.customer(source, "cus_1", name="First")
    api.subscription(customer, source, "sub_1")
    plan = {"data_source_uuid": source, "name": "P", "interval_unit": "month", "interval_count": 1}
    api("POST", "/plans", plan | {"external_id": "p"}, 201)
    paid = {"data_source_uuid": source, "external_id": "sub_1", "amount_in_cents": 1, "currency": "EUR"}
    for path, body in (
        ("/customers", {"data_source_uuid": source, "external_id": "cus_1", "name": "Second"}),
        ("/plans", plan | {"external_id": "p", "name": "Q"}),
        (f"/customers/{customer}/subscriptions", paid | {"start_date": "2024-01-01"}),
    ):
        assert "already exists" in api("POST", path, body, 422)["errors"]["external_id"]
    assert api("GET", f"/customers/{customer}")["name"] == "First"
    with engine.connect() as connection:
        assert connection.scalar(select(Subscription.amount)) == "10"
