"""Who may do what: every address of the application, as nobody, as viewer, as administrator."""

from dataclasses import dataclass

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import select

from tests import factories
from tests.people import csrf_token, last_user, signed_in
from webapp.database import begin, writing
from webapp.extensions import db
from webapp.models import Contact, Customer
from webapp.services import sources, tokens

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SAFE = {"GET", "HEAD", "OPTIONS"}
# Both lists are the whole truth: another endpoint needs a reason to stand here.
PUBLIC = {
    "static",
    "accounts.sign_in",
    "accounts.setup",
    "operations.healthz",
    "operations.readyz",
    "operations.show_metrics",
}
ONES_OWN = {"accounts.sign_out", "accounts.confirm", "accounts.profile", "accounts.change_password"} | {
    "saved_views.create",
    "saved_views.delete",
}
FOR_ADMINISTRATORS = {"users.index", "audit.index", "new_sources.configure", "webhook_urls.new"} | {
    "api_keys.index",
    "billing_sources.configure",
}
# Without a part of the address that no walk can guess there is nothing to show.
ASKS_FOR_MORE = {"mappings.edit"}


@dataclass
class Place:
    """One method at one address."""

    method: str
    path: str
    endpoint: str


@pytest.fixture
def secret(app: Flask, engine) -> str:
    """The token of the webhook URL of a source that has a customer and a contact."""
    token = tokens.make_token()
    with app.app_context(), writing():
        made = sources.add(db.session(), app.extensions["settings"], "Website", "user", token).id
    with begin(engine) as connection:
        customer = factories.customer(connection, made, name="Acme")
        factories.contact(connection, made, customer, first_name="Ada", user_id="u1")
        factories.event(connection, made)
        factories.source(connection, "Billing", kind="billing", policy="", applied_policy="")
    return token


@pytest.fixture
def places(app: Flask, engine, secret: str) -> list[Place]:
    """Every method of every address, with ids of rows that are there."""
    with engine.connect() as connection:
        customer, contact = connection.scalars(select(Customer.uuid).union_all(select(Contact.uuid))).all()
        source, billing = (factories.public_id(connection, id) for id in (1, 2))
    values = {
        "entity": "customer",
        "source_id": source,
        "customer_id": f"cus_{customer}",
        "contact_id": f"con_{contact}",
        "kind": "url",
        "which": "appear",
    }
    found = []
    with app.test_request_context():
        adapter = app.create_url_adapter(None) or app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if rule.endpoint.startswith("api."):  # opened by keys, never by sessions (tests/api/test_keys.py)
                continue
            of_billing = {"source_id": billing} if rule.endpoint.startswith("billing_") else {}
            given = {name: _value(rule, name, values | of_billing) for name in rule.arguments}
            path = adapter.build(rule.endpoint, given, force_external=False)
            found += [Place(method, path, rule.endpoint) for method in sorted(rule.methods or ())]
    return found


def _value(rule, name, values):
    """What an address has in this place: of a few words one that it takes."""
    words = sorted(getattr(rule._converters.get(name), "items", ()))
    value = values.get(name, 1)
    return value if not words or value in words else words[0]


def walk(client, places, **options):
    """Ask for every place; (place, answer) each."""
    return [
        (place, client.open(place.path, method=place.method, buffered=True, **options)) for place in places
    ]


def test_nobody_gets_past_the_sign_in(app, places):
    """What is not on the list of public addresses sends a stranger to the sign-in page and nowhere else."""
    client = app.test_client()
    token = csrf_token(client, "/sign-in")
    for place, answer in walk(client, places, headers={"X-CSRFToken": token}):
        if place.endpoint in PUBLIC:
            continue
        assert answer.status_code == 303, place
        assert answer.headers["Location"].startswith("/sign-in"), place


def test_a_viewer_changes_nothing(app, places):
    """A viewer's every attempt to send something is refused, but for what is their own."""
    client = signed_in(app, "viewer")
    token = csrf_token(client, "/profile")
    refused = 0
    sending = [
        place for place in places if place.method not in SAFE and place.endpoint not in PUBLIC | ONES_OWN
    ]
    for place, answer in walk(client, sending, headers={"X-CSRFToken": token}):
        assert answer.status_code == 403, place
        refused += 1
    assert refused >= 8


def test_a_viewer_sees_tables_and_never_a_webhook_url(app, places, secret):
    """No page, part or file that a viewer can open holds the secret of a webhook URL."""
    client = signed_in(app, "viewer")
    seen = set()
    for place, answer in walk(client, [place for place in places if place.method == "GET"]):
        assert secret.encode() not in answer.data, place
        assert answer.status_code < 500, place
        if answer.status_code == 200:
            seen.add(place.endpoint)
    assert {"customers.index", "contacts.index", "sources.index"} <= seen
    assert not FOR_ADMINISTRATORS & seen


def test_an_administrator_opens_every_page(app, places):
    """Nothing that can be linked to answers with an error."""
    client = signed_in(app)
    for place, answer in walk(client, [place for place in places if place.method == "GET"]):
        assert answer.status_code in {200, 302, 303, 404, 410}, place
        # An id that the walk had to guess may lead nowhere.
        if "1" not in place.path.split("/") and place.endpoint not in ASKS_FOR_MORE:
            assert answer.status_code != 404, place


def test_every_form_carries_its_token_and_every_change_needs_it(app, places):
    """Another site cannot make an administrator's browser change anything."""
    client = signed_in(app)
    for place, answer in walk(client, [place for place in places if place.method == "GET"]):
        if "html" not in (answer.content_type or ""):
            continue
        for form in BeautifulSoup(answer.text, "html.parser").select("form[method=post]"):
            assert form.select_one("input[name=csrf_token]")["value"], place
    for place, answer in walk(client, [place for place in places if place.method not in SAFE]):
        assert answer.status_code == 400, place
        assert "reload the page" in answer.text
    assert last_user(app).role == "administrator"


@SQLITE
@pytest.mark.parametrize("role", ["administrator", "viewer"])
def test_the_navigation_shows_what_one_may_open(app, role):
    """Nobody is shown a door that is locked to them; the page one is on is marked."""
    client = signed_in(app, role)
    page = BeautifulSoup(client.get("/sources").text, "html.parser")
    shown = {link.text.strip(): link for link in page.select(".sidebar .nav__link[href]")}
    assert ("Users" in shown) == ("Audit log" in shown) == (role == "administrator")
    assert shown["Sources"]["aria-current"] == "page"
    assert "aria-current" not in shown["Customers"].attrs
    for link in shown.values():
        assert client.get(link["href"]).status_code == 200, link
