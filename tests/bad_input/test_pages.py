"""Addresses and forms, asked with what no page of ours sends: each is answered, and none is a fault."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient

from tests.accounts.test_access import Place
from tests.bad_input.conftest import catalogue
from tests.people import signed_in

PAGES = catalogue("pages")
# What PostgreSQL alone may refuse are texts that it cannot keep, and numbers that it cannot hold.
FOR_POSTGRESQL = [value for value in PAGES["values"] if value in ("a\0b", "\ud800", "9" * 23)]


@pytest.fixture
def values(database_url: str) -> list[str]:
    """The odd values that this database is asked with."""
    return PAGES["values"] if database_url.startswith("sqlite") else FOR_POSTGRESQL


def test_no_parameter_of_any_address_is_a_fault(app: Flask, places: list[Place], values: list[str]) -> None:
    """Every list, filter and page takes what it understands and passes over the rest."""
    client = signed_in(app)
    for place in {place.path: place for place in places if place.method == "GET"}.values():
        for value in values:
            asked = dict.fromkeys(PAGES["names"], value)
            answer = client.get(place.path, query_string={k: safe(v) for k, v in asked.items()})
            assert answer.status_code < 500, (place, value)
            assert "<script>alert" not in (answer.text if "html" in (answer.content_type or "") else "")


def safe(value: str) -> bytes:
    """As a browser would never send it: half a surrogate pair too."""
    return value.encode("utf-8", "surrogatepass")


def test_no_field_of_any_form_is_a_fault(app: Flask, places: list[Place], values: list[str]) -> None:
    """Every form says what is wrong with what it is sent, or takes it."""
    client = signed_in(app)
    forms = {form["action"]: form for place in places for form in forms_of(client, place)}
    assert len(forms) > 10
    for action, form in forms.items():
        for value in values:
            answer = client.post(action, data=filled(form, value))
            assert answer.status_code < 500, (action, value)
            client = client if answer.status_code != 403 else signed_in(app)


def forms_of(client: FlaskClient, place: Place) -> list[Tag]:
    """The forms of a page that change something, but not the sign-out."""
    if place.method != "GET":
        return []
    answer = client.get(place.path)
    if "html" not in (answer.content_type or ""):
        return []
    found = BeautifulSoup(answer.text, "html.parser").select("form[method=post][action]")
    return [form for form in found if "sign-out" not in str(form["action"])]


def filled(form: Tag, value: str) -> dict[str, Any]:
    """The form with this value in every field but the one that proves where it came from."""
    names = [str(field["name"]) for field in form.select("[name]")]
    proof = {str(field["name"]): field["value"] for field in form.select("input[name=csrf_token]")}
    return {name: value.encode("utf-8", "replace").decode() for name in names} | proof
