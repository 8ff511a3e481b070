"""Where answers lead: every way on that a request can name, and no way to another site by any of them."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from tests.people import PASSWORD, add_user, csrf_token, sign_in, signed_in
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Login, SavedView

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HERE = "http://localhost"
GOOD = "/contacts?q=ada"
ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example/",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "//evil.example@localhost/",
    "//localhost@evil.example/",
    "https:evil.example",
    "https:/evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "/\r\nLocation: https://evil.example/",
    "evil.example",
    "",
]

_numbers = count()

Door = Callable[[Flask, str], str]


def by_sign_in(app: Flask, target: str) -> str:
    """`next` of the sign-in page, after the right password."""
    email = somebody()
    add_user(app, email)
    client = app.test_client()
    fields = {"csrf_token": csrf_token(client, "/sign-in"), "email": email, "password": PASSWORD}
    return client.post("/sign-in", query_string={"next": target}, data=fields).headers["Location"]


def by_the_page_of_the_sign_in(app: Flask, target: str) -> str:
    """The same for somebody who is signed in."""
    return signed_in(app).get("/sign-in", query_string={"next": target}).headers["Location"]


def by_confirm(app: Flask, target: str) -> str:
    """`next` of the page that asks for the password again."""
    client = app.test_client()
    sign_in(client, email=somebody())
    fields = {"csrf_token": csrf_token(client, "/confirm"), "password": PASSWORD}
    return client.post("/confirm", query_string={"next": target}, data=fields).headers["Location"]


def by_bulk(app: Flask, target: str) -> str:
    """`back` of what changes many rows."""
    return sent(signed_in(app), "/customers/bulk", action="tag", back=target)


def by_saving_a_view(app: Flask, target: str) -> str:
    """`back` of the form that saves a view."""
    return sent(signed_in(app), "/saved-views", noun="contacts", name="Mine", query="q=a", back=target)


def by_deleting_a_view(app: Flask, target: str) -> str:
    """`back` of the button that deletes one."""
    client = signed_in(app)
    sent(client, "/saved-views", noun="contacts", name="Mine", query="q=a")
    with app.app_context():
        kept = db.session.scalars(select(SavedView.id)).one()
    return sent(client, f"/saved-views/{kept}/deletion", back=target)


def by_the_address_of_a_part(app: Flask, target: str) -> str:
    """What htmx tells of the page, kept for after the sign-in."""
    headers = {"HX-Request": "true", "HX-Current-URL": whole(target)}
    return onward(app.test_client().get("/users", headers=safe(headers)).headers["HX-Redirect"])


def by_referer(app: Flask, target: str) -> str:
    """The page of a form that a stranger sends, kept for after the sign-in."""
    client = app.test_client()
    headers = {"X-CSRFToken": csrf_token(client, "/sign-in"), "Referer": whole(target)}
    return onward(client.post("/users", headers=safe(headers)).headers["Location"])


def by_referer_of_what_is_confirmed(app: Flask, target: str) -> str:
    """The page of a form for which the password is asked again, to a page and to a part of one."""
    client = signed_in(app)
    headers = {"X-CSRFToken": csrf_token(client, "/profile"), "Referer": whole(target)}
    with app.app_context(), begin(db.engine) as connection:
        connection.execute(update(Login).values(confirmed_at=0))
    page = client.post("/api-keys", headers=safe(headers))
    part = client.post("/api-keys", headers=safe(headers | {"HX-Request": "true"}))
    assert page.headers["Location"] == part.headers["HX-Redirect"]
    return onward(page.headers["Location"])


DOORS = [
    by_sign_in,
    by_the_page_of_the_sign_in,
    by_confirm,
    by_bulk,
    by_saving_a_view,
    by_deleting_a_view,
    by_the_address_of_a_part,
    by_referer,
    by_referer_of_what_is_confirmed,
]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_no_way_on_leads_to_another_site(app: Flask, door: Door) -> None:
    """A link in an e-mail, or another site's form, cannot use ours to lead somebody astray."""
    for target in ELSEWHERE:
        reached = door(app, target)
        assert urlsplit(urljoin(f"{HERE}/x", reached)).netloc == "localhost", (target, reached)
        # What a browser makes of it: backslashes are slashes to it, and it passes over tabs and line feeds.
        assert reached.startswith("/"), (target, reached)
        assert not reached.replace("\\", "/").startswith("//"), (target, reached)
        assert not set(reached) & set("\\\t\r\n"), (target, reached)


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_the_way_on_within_this_site_is_kept(app: Flask, door: Door) -> None:
    """Who was interrupted comes to the page that they wanted."""
    assert door(app, GOOD) == GOOD


def somebody() -> str:
    """The address of somebody new, whose tries nobody has counted yet."""
    return f"person{next(_numbers)}@example.com"


def sent(client: FlaskClient, path: str, **fields: str) -> str:
    """Where a form leads."""
    return client.post(path, data={"csrf_token": csrf_token(client, "/profile")} | fields).headers["Location"]


def whole(target: str) -> str:
    """A target as an address: a path is one of this site."""
    return HERE + target if target.startswith("/") else target


def safe(headers: dict[str, str]) -> dict[str, str]:
    """Headers without line feeds, which end one on the way."""
    return {name: value.replace("\r", "").replace("\n", "") for name, value in headers.items()}


def onward(location: str) -> str:
    """Where the page that an answer leads to will lead in the end: the start, where it bears no `next`."""
    parts = urlsplit(location)
    assert parts.path in ("/sign-in", "/confirm"), location
    return parse_qs(parts.query).get("next", ["/"])[0]
