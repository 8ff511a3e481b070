"""Values that are markup, wherever values are shown, in a real browser under the policy of the pages."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.bad_input.conftest import catalogue
from tests.projection import support
from webapp.config import Settings
from webapp.models import Contact, Customer, Event, Source

MARKUP: list[str] = list(catalogue("markup"))
NOWHERE = ":"  # of an address that no browser can follow
HANDLERS = """() => [...document.querySelectorAll("*")]
    .flatMap(each => each.getAttributeNames()).filter(name => /^(on|hx-on)/.test(name)).length"""
STANDARD = ("firstName", "lastName", "title", "phone", "linkedIn", "twitter")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_value_runs_wherever_it_is_shown(visit: Any, engine: Engine, settings: Settings) -> None:
    """As name, title, link, key, id, e-mail or message id: it is read as text, and leads nowhere."""
    source_id = support.make_source(engine)
    for event in hostile():
        support.receive(engine, source_id, [event])
    support.drain(engine, settings, source_id)
    for path in pages(engine, source_id):
        page = visit(path)
        asked: list[str] = []
        page.on("request", lambda request, asked=asked: asked.append(request.url))
        page.mouse.move(300, 300)
        # What runs later than the page is loaded has had its turn after two frames.
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert page.evaluate("window.ran") is None, path
        assert page.url.endswith(path), path
        links = page.eval_on_selector_all("a[href]", "all => all.map(each => each.protocol)")
        assert set(links) <= {"http:", "https:", NOWHERE}, path
        assert not page.evaluate(HANDLERS), path
        assert not [url for url in asked if "evil" in url], path


def hostile() -> list[dict[str, Any]]:
    """Events that bear each piece of markup in every place that a value can have."""
    events: list[dict[str, Any]] = []
    for number, text in enumerate(MARKUP):
        told = dict.fromkeys(STANDARD, text) | {"plan": text, text: text, "email": f"a@b.example{text}"}
        events += [
            {"type": "identify", "userId": text, "messageId": text, "traits": told},
            {
                "type": "group",
                "userId": text,
                "groupId": f"g{number}{text}",
                "traits": {"name": text} | site(text),
            },
            {"type": "track", "userId": text, "event": text, "properties": {text: text}},
        ]
    return events


def site(text: str) -> dict[str, str]:
    """What a company tells of itself."""
    return {"website": text, "email": f"c@d.example{text}", "country": text, "city": text}


def pages(engine: Engine, source_id: int) -> list[str]:
    """The tables, and some records and events of their own."""
    with engine.connect() as connection:
        source = connection.scalar(select(Source.uuid).where(Source.id == source_id))
        customers = connection.scalars(select(Customer.uuid).order_by(Customer.id)).all()
        contacts = connection.scalars(select(Contact.uuid).order_by(Contact.id)).all()
        events = connection.scalars(select(Event.id).order_by(Event.id)).all()
    assert len(customers) >= len(MARKUP)
    assert len(contacts) == len(MARKUP)
    tables = ("customers", "contacts", "events", "mapping", "settings")
    return [
        *("/customers", "/contacts", "/leads", "/attributes"),
        *(f"/sources/ds_{source}/{table}" for table in tables),
        *(f"/customers/cus_{uuid}" for uuid in customers[::6]),
        *(f"/contacts/con_{uuid}" for uuid in contacts[::4]),
        *(f"/sources/ds_{source}/events/{event}" for event in events[::13]),
    ]
