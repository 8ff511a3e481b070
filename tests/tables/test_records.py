"""Records: every value on a page says where it came from; events lead to what they changed."""

import pytest
from sqlalchemy import select, update

from tests import factories
from tests.projection import support
from tests.tables.conftest import texts
from webapp.database import begin
from webapp.models import Contact, Customer, Event, Source


def facts(page, id):
    """`{label: (value, origin)}` of a card; the origin without its relative time."""
    found = {}
    for row in page.select(f"#{id} .facts > div"):
        for each in row.select(".facts__edit"):
            each.extract()
        origin = row.select_one(".facts__origin")
        told = " ".join(origin.get_text(" ").split()).rsplit(" , ", 1)[0] if origin else None
        if origin:
            origin.extract()
        found[row.dt.get_text(strip=True)] = (" ".join(row.dd.get_text(" ").split()), told)
    return found


def address_of(engine, model, told):
    """The path of the only customer or contact of a source."""
    with engine.connect() as connection:
        uuid = connection.execute(select(model.uuid).where(model.source_id == told.source_id)).scalar_one()
    return f"/customers/cus_{uuid}" if model is Customer else f"/contacts/con_{uuid}"


def event_ids(engine):
    """Ids of the events by message id."""
    with engine.connect() as connection:
        return {row.message_id: row.id for row in connection.execute(select(Event.message_id, Event.id))}


def test_every_value_of_a_customer_says_its_source_and_event(told, engine):
    """Somebody asks "why is this here?", and the page answers."""
    page = told.page(address_of(engine, Customer, told))
    source = texts(page, "#origins tbody a")[0]
    first = f"{source} , event {event_ids(engine)['m1']}"
    known = facts(page, "attributes")
    assert known["Name"] == ("Acme", first)
    assert known["Website"] == ("https://acme.example", first)
    assert known["Email"] == ("— none", None)
    assert facts(page, "custom-attributes") == {"plan": ("<b>pro</b>", first), "seats": ("12", first)}
    assert texts(page, "#contacts .identity__name") == ["Ada Lovelace"]
    assert texts(page, "#origins tbody td")[:2] == ["org_1", "a company"]
    assert texts(page, ".event-link") == ["imported contact Ada Lovelace into Acme", "imported customer Acme"]


def test_every_value_of_a_contact_says_its_event_and_the_identifiers_say_who_tied_them(told, engine):
    """Values of several identifiers stand together, each with the event that told it."""
    page = told.page(address_of(engine, Contact, told))
    ids = event_ids(engine)
    known = facts(page, "attributes")
    assert list(known)[:4] == ["First name", "Last name", "Email", "Title"]
    assert known["First name"][1].endswith(f"event {ids['m2']}")
    assert known["Title"] == ("Countess", known["Title"][1])
    assert known["Title"][1].endswith(f"event {ids['m3']}")
    assert known["Phone"][1].endswith(f"event {ids['m4']}")
    assert known["Customer"][0] == "Acme"
    assert f"event {ids['m2']}" in known["Customer"][1]
    rows = [texts(row, "th, td")[:3] for row in page.select("#tied tbody tr")]
    assert [row[:2] for row in rows] == [["u_1", "User ID"], ["visitor", "Anonymous ID"]]
    assert rows[1][2].startswith(f"came together with the user id u_1, by event {ids['m3']}")
    assert len(page.select(".event-link")) == 3


def test_an_event_that_retention_dropped_is_named_no_more_but_its_time_is(told, engine):
    """A link that leads nowhere is worse than none."""
    with begin(engine) as connection:
        connection.execute(Event.__table__.delete().where(Event.message_id == "m1"))
    page = told.page(address_of(engine, Customer, told))
    assert page.select("#attributes a[href*=events]") == []
    assert page.select("#attributes .facts__origin time")


@pytest.mark.parametrize("policy", ["user"])
def test_a_customer_of_their_own_has_the_name_and_email_that_the_person_told(told, engine):
    """Somebody without a company stands in both tables, and both pages say why."""
    with engine.connect() as connection:
        uuid = connection.execute(select(Customer.uuid).where(Customer.external_id == "u_2")).scalar_one()
    page = told.page(f"/customers/cus_{uuid}")
    known = facts(page, "attributes")
    event = f"event {event_ids(engine)['m5']}"
    assert known["Name"][0] == "Bob"
    assert known["Name"][1].endswith(event)
    assert known["Email"][1].endswith(event)
    assert facts(page, "custom-attributes") == {}
    assert texts(page, "#origins tbody td")[1] == "a person without a company"
    contact = told.page(page.select_one("#contacts tbody tr")["data-href"])
    assert "customer of their own" in facts(contact, "attributes")["Customer"][1]


@pytest.mark.parametrize("policy", ["user"])
def test_an_email_that_only_the_user_id_gives_says_so(told, engine, settings):
    """A value that no event told is explained too."""
    support.receive(
        engine, told.source_id, [{"type": "identify", "userId": "eve@x.example", "traits": {"a": 1}}]
    )
    support.drain(engine, settings, told.source_id)
    with engine.connect() as connection:
        uuid = connection.execute(select(Contact.uuid).where(Contact.user_id == "eve@x.example")).scalar_one()
    known = facts(told.page(f"/contacts/con_{uuid}"), "attributes")
    assert known["Email"] == ("eve@x.example", "the user id is an e-mail address")


@pytest.mark.parametrize(
    "path", ["/customers/cus_nothing", "/customers/con_x", "/contacts/con_", "/customers/x%00"]
)
def test_what_is_not_there_is_not_found(told, path):
    """A stale link ends in a page that says so."""
    assert told.client.get(path).status_code == 404


def test_records_of_a_source_being_deleted_are_not_there(told, engine):
    """From the moment of deletion nothing of the source is visible, by no address."""
    paths = [address_of(engine, Customer, told), address_of(engine, Contact, told)]
    with begin(engine) as connection:
        connection.execute(update(Source).values(state="deleting", name_key=None))
    for path in (
        *paths,
        f"/sources/{told.id}/events",
        f"/sources/{told.id}/waiting",
        f"/sources/{told.id}/customers",
    ):
        assert told.client.get(path).status_code == 404
    assert texts(told.page("/customers"), "tbody tr") == []
    assert texts(told.page("/attributes"), ".empty__title") == ["No custom attributes yet"]


def test_many_events_are_shown_page_by_page(told, engine):
    """A customer with a long history is no long page."""
    with begin(engine) as connection:
        for number in range(60):
            factories.event(connection, told.source_id, company=b"org_1", message_id=f"x{number}")
    page = told.page(address_of(engine, Customer, told))
    assert len(page.select(".event-link")) == 25
    older = told.page(page.select_one("a[rel=next]")["href"])
    assert len(older.select(".event-link")) == 25
    assert not set(texts(older, "td[data-label='Message ID']")) & set(
        texts(page, "td[data-label='Message ID']")
    )


@pytest.mark.parametrize("before", ["99999999999999999999999", "-1", "abc", "0"])
def test_no_address_breaks_a_record(told, engine, before):
    """Whatever somebody edits into an address, a page answers."""
    for path in (address_of(engine, Customer, told), address_of(engine, Contact, told)):
        assert told.client.get(f"{path}?before={before}").status_code == 200
    for name in ("before", "after", "upto", "since"):
        assert told.client.get(f"/sources/{told.id}/events?{name}={before}").status_code == 200
    assert told.client.get(f"/sources/{told.id}/waiting?before={before}").status_code == 200
    assert told.client.get(f"/customers/news?since={before}").status_code in (200, 204)
    assert told.client.get(f"/sources/{told.id}/events/news?since={before}").status_code in (200, 204)
