"""Views of the tables that people keep by name."""

import pytest
from flask.testing import FlaskClient

from tests.people import csrf_token, signed_in
from tests.tables.conftest import Told, texts
from webapp.extensions import db
from webapp.services import saved_views


def save(client: FlaskClient, name: str = "German leads", **more: str):
    """Send the form under Views."""
    form = {"noun": "customers", "query": "f=country:is:DE&sort=-contacts&nonsense=1", "back": "/customers"}
    form |= {"csrf_token": csrf_token(client, "/customers"), "name": name} | more
    return client.post("/saved-views", data=form, follow_redirects=True)


def listed(client: FlaskClient) -> list[str]:
    """The views that somebody is offered."""
    return texts(Told(client, 0, "").page("/customers"), ".views a")


def test_a_view_is_kept_and_leads_to_what_it_showed(app):
    """Search, filters, sort and columns come back together."""
    client = signed_in(app)
    assert "is saved" in save(client).text
    page = Told(client, 0, "").page("/customers")
    assert page.select_one(".views a")["href"] == "/customers?f=country:is:DE&sort=-contacts"
    save(client, query="q=acme")
    page = Told(client, 0, "").page("/customers")
    assert [link["href"] for link in page.select(".views a")] == ["/customers?q=acme"]
    assert texts(Told(client, 0, "").page("/contacts"), ".views a") == []


def test_a_private_view_is_seen_by_nobody_else_and_a_shared_one_by_all(app):
    """A viewer keeps views too; only its owner, or an administrator, takes a shared one away."""
    administrator, viewer = signed_in(app), signed_in(app, "viewer")
    save(viewer, "Mine")
    save(viewer, "Ours", shared="1")
    save(administrator, "Secret")
    assert listed(viewer) == ["Mine", "Ours"]
    assert listed(administrator) == ["Secret", "Ours"]
    token = csrf_token(viewer, "/customers")
    assert viewer.post("/saved-views/3/deletion", data={"csrf_token": token}).status_code == 404
    token = csrf_token(administrator, "/customers")
    assert administrator.post("/saved-views/1/deletion", data={"csrf_token": token}).status_code == 404
    assert administrator.post("/saved-views/2/deletion", data={"csrf_token": token}).status_code == 303
    assert listed(viewer) == ["Mine"]


def test_a_view_without_a_name_or_too_many_of_them_is_explained(app, monkeypatch):
    """Nothing is lost silently."""
    client = signed_in(app)
    assert "needs a name" in save(client, "  ").text
    assert "at most 80 letters" in save(client, "x" * 81).text
    assert save(client, noun="events").status_code == 404
    monkeypatch.setattr(saved_views, "MOST", 1)
    save(client)
    assert "Delete one" in save(client, "Another").text


@pytest.mark.parametrize("back", ["https://elsewhere.example/", "//elsewhere.example"])
def test_saving_leads_nowhere_else(app, back):
    """A forged form cannot use the redirect to send somebody away."""
    client = signed_in(app)
    form = {"noun": "customers", "name": "x", "back": back, "csrf_token": csrf_token(client, "/customers")}
    assert client.post("/saved-views", data=form).location == "/"
    with app.app_context():
        assert len(saved_views.of(db.session(), "customers", 1)) == 1
