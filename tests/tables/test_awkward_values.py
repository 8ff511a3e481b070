"""Long words, long texts, other scripts: no value makes a page wider or longer than what it shows."""

import pytest
from sqlalchemy import select

from tests.projection import support
from webapp.models import Contact, Customer, Event, Source

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LONG = "Donaudampfschifffahrtsgesellschaft" * 12
EVENTS = [
    {
        "type": "group",
        "messageId": "M" * 300,
        "userId": "U" * 250,
        "groupId": "G" * 250,
        "traits": {"name": LONG, "website": "https://example.com/" + "p" * 900, "note": "n" * 1000},
    },
    {
        "type": "identify",
        "messageId": "m2",
        "userId": "U" * 250,
        "traits": {
            "firstName": "Ann" * 200,
            "email": "e" * 240 + "@example.com",
            "bio": "lorem ipsum " * 120,
        },
    },
    {
        "type": "identify",
        "messageId": "m3",
        "userId": "rtl",
        "traits": {
            "firstName": "محمد",
            "lastName": "👩‍👩‍👧‍👦",
            "company": {"id": "c2", "name": "شركة الاختبار"},
        },
    },
    *(
        {"type": "group", "messageId": f"c{n}", "groupId": f"few_{n}", "traits": {"name": f"Few {n}"}}
        for n in range(40)
    ),
]
# How far a page scrolls past its width, and past the end of what it holds.
BEYOND = """() => {
  const page = document.documentElement, high = page.clientHeight
  const end = document.querySelector("main").getBoundingClientRect().bottom + scrollY
  return [page.scrollWidth - page.clientWidth, page.scrollHeight - Math.max(Math.ceil(end), high)]
}"""


def test_no_page_scrolls_past_what_it_holds(visit, engine, settings):
    """Not to the side for a long word, nor down for what only a screen reader is told."""
    source_id = support.make_source(engine, "user")
    support.receive(engine, source_id, EVENTS)
    support.drain(engine, settings, source_id)
    with engine.begin() as connection:
        connection.execute(Source.__table__.update().values(name="Source" * 40))
        uuid = connection.execute(select(Source.uuid)).scalar_one()
        pages = [
            *(f"/customers/cus_{each}" for each in connection.scalars(select(Customer.uuid).limit(2))),
            *(f"/contacts/con_{each}" for each in connection.scalars(select(Contact.uuid))),
            *(f"/sources/ds_{uuid}/events/{each}" for each in connection.scalars(select(Event.id).limit(3))),
        ]
    of_source = (
        "customers",
        "contacts",
        "events",
        "waiting",
        "settings",
        "connect",
        "syncs/new",
        "webhook-url/new",
    )
    pages += [f"/sources/ds_{uuid}/{tab}" for tab in of_source]
    pages += [
        "/sources",
        "/customers?c=name&c=email&c=website_url&c=contacts",
        "/contacts",
        "/attributes",
        "/audit-log",
    ]
    widths = [1280, 768, 390]
    for path in pages:
        page = visit(path)
        for width in widths:
            page.set_viewport_size({"width": width, "height": 800})
            assert [beyond for beyond in page.evaluate(BEYOND) if beyond > 1] == [], (path, width)
        widths.reverse()  # the next page opens at the width that the window has
