"""A browser in which somebody is signed in, and a source that has told of some people and companies."""

from dataclasses import dataclass
from functools import partial

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from sqlalchemy import select

from tests import people
from tests.projection import support
from webapp.models import Source
from webapp.security import COOKIE

EVENTS = [
    {
        "type": "group",
        "messageId": "m1",
        "groupId": "org_1",
        "timestamp": "2026-09-01T10:00:00Z",
        "traits": {"name": "Acme", "website": "https://acme.example", "seats": 12, "plan": "<b>pro</b>"},
    },
    {
        "type": "identify",
        "messageId": "m2",
        "userId": "u_1",
        "timestamp": "2026-09-01T11:00:00Z",
        "traits": {
            "name": "Ada Lovelace",
            "email": "ada@acme.example",
            "age": 36,
            "company": {"id": "org_1"},
        },
    },
    {
        "type": "track",
        "messageId": "m3",
        "anonymousId": "visitor",
        "userId": "u_1",
        "timestamp": "2026-09-01T12:00:00Z",
        "properties": {"title": "Countess"},
    },
    {
        "type": "identify",
        "messageId": "m4",
        "anonymousId": "visitor",
        "timestamp": "2026-09-01T13:00:00Z",
        "traits": {"phone": "+44 20 1"},
    },
    {
        "type": "identify",
        "messageId": "m5",
        "userId": "u_2",
        "timestamp": "2026-09-02",
        "traits": {"email": "bob@mail.example", "name": "Bob", "colour": "blue"},
    },
    {"type": "page", "messageId": "m6", "userId": "u_1"},
    {
        "type": "identify",
        "messageId": "m7",
        "anonymousId": "nobody",
        "traits": {"email": "no mail", "age": 36.5},
    },
]


@dataclass
class Told:
    """A source with its events folded, and a browser to look at it.

    Attributes:
        client: somebody's browser.
        source_id: the source's id in the database.
        id: its public id.
    """

    client: FlaskClient
    source_id: int
    id: str

    def page(self, path: str, **options: object) -> BeautifulSoup:
        """A page that must be there, as HTML."""
        response = self.client.get(path.replace("SOURCE", self.id), follow_redirects=True, **options)
        assert response.status_code == 200, path
        return BeautifulSoup(response.text, "html.parser")


def texts(found: BeautifulSoup | Tag, selector: str) -> list[str]:
    """The texts of what a selector finds, with single blanks."""
    return [" ".join(each.get_text(" ").split()) for each in found.select(selector)]


def told_to(policy, engine, settings):
    """The events of `EVENTS`, told to a source with this policy; the source's ids."""
    source_id = support.make_source(engine, policy)
    support.receive(engine, source_id, EVENTS)
    support.drain(engine, settings, source_id)
    with engine.connect() as connection:
        uuid = connection.execute(select(Source.uuid).where(Source.id == source_id)).scalar_one()
    return source_id, f"ds_{uuid}"


FILLINGS = {policy: partial(told_to, policy) for policy in ("company", "user")}


@pytest.fixture
def policy():
    """Of the source that `told` is about; companies are what it waits for unless a test says otherwise."""
    return "company"


@pytest.fixture
def filling(policy):
    return FILLINGS[policy]


@pytest.fixture
def told(remembered, app):
    """What `told_to` makes, and a browser in which somebody is signed in."""
    return Told(people.signed_in(app), *remembered)


@pytest.fixture
def visit(page, live_server, engine):
    """Go to a path as somebody who is signed in."""
    token = people.session(engine)
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": live_server.url}])

    def go(path):
        page.goto(live_server.url + path)
        return page

    return go
