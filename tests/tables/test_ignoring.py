"""Who loses a value when an attribute is ignored, or gains one when it is imported again, one by one."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, update
from sqlalchemy.orm import Session

from tests import factories, people
from tests.projection import support
from tests.tables.conftest import texts
from webapp.database import begin
from webapp.models import Contact, Customer, Source
from webapp.services import attribute_changes


def listed(page):
    """`{name: value}` of the records in a list."""
    values = texts(page, "tbody td[data-label=Value]")
    return dict(zip(texts(page, "tbody th .identity__name"), values, strict=True))


def behind_the_number(told, entity, key, on):
    """The list that the question links to."""
    page = told.page(f"/attributes/{entity}/{key}/ignoring?on={on}")
    return told.page(page.select_one("[data-concerned] a")["href"])


@pytest.mark.parametrize(
    ("entity", "key", "expected"),
    [("contact", "age", {"Ada Lovelace": "36"}), ("customer", "seats", {"Acme": "12"})],
)
def test_who_loses_a_value_is_listed_and_afterwards_who_gains_it(told, entity, key, expected):
    """Each with the value in question and a link to its page, before anything is saved."""
    page = behind_the_number(told, entity, key, on=1)
    assert texts(page, "main h1") == [f"{entity.capitalize()}s that would lose “{key}”"]
    assert listed(page) == expected
    assert told.page(page.select_one("tbody th a")["href"])
    assert told.id in page.select_one("tbody td[data-label=Source] a")["href"]
    people.post(told.client, "/attributes", f"/attributes/{entity}/{key}/ignoring", on="1")
    page = behind_the_number(told, entity, key, on=0)
    assert texts(page, "main h1") == [f"{entity.capitalize()}s that would gain “{key}”"]
    assert listed(page) == expected
    assert told.page(page.select_one("tbody th a")["href"])


def test_the_value_that_comes_back_is_the_one_that_was_told_last(told, engine, settings):
    """As a re-sync will show it, whichever of a person's identifiers told it."""
    people.post(told.client, "/attributes", "/attributes/contact/age/ignoring", on="1")
    later = {"type": "identify", "messageId": "m8", "anonymousId": "visitor", "traits": {"age": 37}}
    support.receive(engine, told.source_id, [later | {"timestamp": "2026-09-03T00:00:00Z"}])
    support.drain(engine, settings, told.source_id)
    assert listed(behind_the_number(told, "contact", "age", on=0)) == {"Ada Lovelace": "37"}


@pytest.mark.parametrize("on", [0, 1])
@pytest.mark.parametrize(("entity", "key"), [("contact", "age"), ("customer", "seats")])
def test_nobody_of_a_source_that_is_being_deleted_is_listed(told, engine, settings, on, entity, key):
    """What is hidden everywhere is hidden here."""
    path = f"/attributes/{entity}/{key}/ignoring/records?on={on}"
    assert listed(told.page(path))
    other = support.make_source(engine)
    same = {"type": "identify", "userId": "x", "traits": {"age": 1, "company": {"id": "c", "seats": 1}}}
    support.receive(engine, other, [same])
    support.drain(engine, settings, other)
    assert len(listed(told.page(path))) == 2
    with begin(engine) as connection:
        hidden = update(Source).where(Source.id == told.source_id)
        connection.execute(hidden.values(state="deleting", name_key=None))
    assert len(listed(told.page(path))) == 1


def test_a_long_list_is_read_page_by_page(engine, monkeypatch):
    """The latest first; no page looks at more records than a bound, however rare the value is."""
    monkeypatch.setattr(attribute_changes, "PAGE", 2)
    monkeypatch.setattr(attribute_changes, "LOOKED_AT", 10)
    with begin(engine) as connection:
        source_id = factories.source(connection)
        rows = [
            factories.customer_row(
                source_id, f"o{n}", custom={"plan": f"p{n}"} if n < 3 or n in (20, 29) else {}
            )
            for n in range(30)
        ]
        connection.execute(insert(Customer), rows)
    pages, before = [], None
    with Session(engine) as session:
        while not pages or before is not None:
            found, before = attribute_changes.affected(session, "customer", "plan", True, before)
            pages.append([each.value for each in found])
            assert len(pages) < 9
    assert pages == [["p29", "p20"], [], ["p2", "p1"], ["p0"]]


def test_a_page_without_anybody_says_that_older_ones_may_follow(told, engine, monkeypatch):
    """An empty page is not the end of the list."""
    with begin(engine) as connection:
        customer = factories.customer(connection, told.source_id, "last")
        rows = [factories.contact_row(told.source_id, customer, user_id=f"n{n}") for n in range(3)]
        connection.execute(insert(Contact), rows)
    monkeypatch.setattr(attribute_changes, "LOOKED_AT", 3)
    page = told.page("/attributes/contact/age/ignoring/records?on=1")
    assert "None among these" in page.text
    assert listed(told.page(page.select_one("a[rel=next]")["href"])) == {"Ada Lovelace": "36"}
