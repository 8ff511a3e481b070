"""Addresses, asked with what no page of ours asks for: each is answered as it should be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, event, select
from werkzeug.test import TestResponse

from tests import factories
from tests.bad_input.conftest import catalogue, each
from tests.people import signed_in
from tests.projection import support
from webapp.config import Settings
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Automation, Contact, Customer
from webapp.models.base import folded

PAGES = catalogue("pages")
LISTS = {name: PAGES[name] for name in ("texts", "numbers", "times", "few")} | {"each": PAGES["values"]}
# What PostgreSQL alone may refuse are texts that it cannot keep, and numbers that it cannot hold.
FOR_POSTGRESQL = LISTS | {"each": PAGES["few"]}
KEY = "a\"b'c%s"  # of a custom attribute, of which `custom.a_b_c_s` is made
TOLD = {"plan": "pro", "seats": 12, "ratio": 0.5, "when": "2026-01-01T00:00:00Z", "paid": True, KEY: "x"}
MARKUP = "<script>alert(1)"


@pytest.fixture
def ids(engine: Engine, settings: Settings) -> dict[str, str]:
    """What the words in capitals of the catalogue's addresses stand for: rows that are there."""
    source = support.make_source(engine)
    company = {"type": "group", "userId": "u1", "groupId": "g1", "traits": {"name": "Acme", "plan": "pro"}}
    told = [{"type": "identify", "userId": "u1", "traits": {"email": "ada@example.com"} | TOLD}, company]
    support.receive(engine, source, [*told, company | {"groupId": "g2", "userId": "u2"}])
    support.drain(engine, settings, source)
    with begin(engine) as connection:
        billing = factories.source(connection, "Billing", kind="billing", policy="", applied_policy="")
        one, other = connection.scalars(select(Customer.uuid).order_by(Customer.id).limit(2)).all()
        contact = connection.scalars(select(Contact.uuid).order_by(Contact.id)).first()
        automation = connection.scalars(select(Automation.uuid)).first()
        return {
            "SOURCE": factories.public_id(connection, source),
            "BILLING": factories.public_id(connection, billing),
            "CUSTOMER": f"cus_{one}",
            "OTHER": f"cus_{other}",
            "CONTACT": f"con_{contact}",
            "AUTOMATION": str(automation),
        }


@pytest.fixture
def statements(app: Flask) -> Iterator[list[tuple[str, str]]]:
    """What the pages have asked the database: statements, and their parameters as a text."""
    with app.app_context():
        engine = db.engine
    asked: list[tuple[str, str]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        values = parameters.values() if isinstance(parameters, dict) else parameters
        asked.append((statement, "\n".join(str(value) for value in values)))

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


def sent(text: str) -> bytes:
    """As no browser would send it: half a surrogate pair too."""
    return text.encode("utf-8", "surrogatepass")


def db_name(app: Flask) -> str:
    """The kind of database that an application stands on."""
    with app.app_context():
        return db.engine.dialect.name


def asked_for(client: FlaskClient, ids: dict[str, str], path: str, query: dict[str, str]) -> TestResponse:
    """The answer to an address, after those that tidy it up."""
    for word, id in ids.items():
        path = path.replace(word, id)
    path, _, more = path.partition("?")
    pairs = [part.partition("=")[::2] for part in more.split("&") if part]
    string = {**dict(pairs), **{name: sent(value) for name, value in query.items()}}
    return client.get(path, query_string=string, follow_redirects=True, buffered=True)


def test_no_parameter_of_any_address_is_a_fault(app: Flask, ids: dict[str, str]) -> None:
    """Every list, filter and page takes what it understands, and passes over the rest or says so."""
    client = signed_in(app)
    lists = FOR_POSTGRESQL if db_name(app) == "postgresql" else LISTS
    for case in (case for entry in PAGES["parameters"] for case in each(entry, lists)):
        path = case["path"].replace("VALUE", quote(sent(case["value"]), safe=""))
        answer = asked_for(client, ids, path, {case["name"]: case["value"]} if case["name"] else {})
        assert answer.status_code in case["answer"], case
        assert MARKUP not in (answer.text if "html" in answer.mimetype else ""), case
        assert "a=b" not in str(answer.headers.getlist("Set-Cookie")), case


def test_no_filter_is_a_fault_and_its_value_reaches_the_database_as_a_value(
    app: Flask, ids: dict[str, str], statements: list[tuple[str, str]]
) -> None:
    """A value of the column's type is compared, whatever it is made of; another is refused before that."""
    client = signed_in(app)
    client.get("/contacts")
    for case in (case for entry in PAGES["filters"] for case in each(entry, LISTS)):
        statements.clear()
        query = {"f": f"{case['column']}:{case['operator']}:{case['value']}"}
        answer = asked_for(client, ids, case["path"], query)
        assert answer.status_code in case["answer"], case
        assert MARKUP not in (answer.text if "html" in answer.mimetype else ""), case
        value = read(case["value"])
        if len(value) > 4:
            assert not [statement for statement, _ in statements if value in statement], case
        if case["value"] in PAGES["texts"] and answer.status_code == 200:
            forms = {folded(value), folded(like(value))}
            assert any(form in folded(bound) for _, bound in statements for form in forms), case


def read(text: str) -> str:
    """A text as it arrives: what is no UTF-8 stays as it was written in the address."""
    try:
        return sent(text).decode().replace("\0", "").strip()
    except UnicodeDecodeError:
        return quote(sent(text))


def like(text: str) -> str:
    """A text as a part of a pattern of LIKE, in which no character of it stands for others."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_catalogue_tries_every_parameter_that_a_table_or_a_list_reads(app: Flask) -> None:
    """No table has a filter, and no custom attribute a type, that hostile values are not tried on."""
    from webapp.services.tables import CONTACTS, CUSTOMERS, LEADS

    tried = {
        case["column"] for entry in PAGES["filters"] for case in each(entry, LISTS) if 200 in case["answer"]
    }
    times = {"last_seen", "lead_created_at", "free_trial_started_at"}  # as first_seen, which is tried
    for table in (CUSTOMERS, CONTACTS, LEADS):
        assert {column.key for column in table.standard} <= tried | times
    assert {f"custom.{key}" for key in TOLD if key != KEY} <= tried
