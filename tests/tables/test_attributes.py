"""The registry of custom attributes."""

from sqlalchemy import update

from tests import factories, people
from tests.projection import support
from tests.tables.conftest import texts
from webapp.database import begin
from webapp.models import Source

PART = {"headers": {"HX-Request": "true"}}


def rows(page):
    """`{key: [type, records, examples]}` of the registry."""
    return {texts(row, "th")[0]: texts(row, "td")[:3] for row in page.select("tbody tr")}


def test_keys_are_listed_at_once_and_counted_after(told):
    """The page never waits for a count; each number comes by itself, or on demand without a script."""
    page = told.page("/attributes?of=contact")
    assert rows(page) == {"age": ["Decimal", "count", ""], "colour": ["String", "count", ""]}
    assert page.select_one("#attributes")["hx-trigger"] == "load"
    counted = {"age": ["Decimal", "1", "36"], "colour": ["String", "0", ""]}
    assert rows(told.page("/attributes?of=contact", **PART)) == counted
    assert rows(told.page(page.select_one("tbody td.number a")["href"])) == counted
    assert rows(told.page("/attributes", **PART)) == {
        "plan": ["String", "1", "<b>pro</b>"],
        "seats": ["Integer", "1", "12"],
    }


def test_a_key_says_where_it_was_first_seen(told):
    """From a key one reaches the event that brought it."""
    page = told.page("/attributes")
    link = page.select_one("tbody tr a[href*='/events/']")["href"]
    assert texts(told.page(link), "#outcome") == ["imported customer Acme"]


def test_a_type_widens_to_what_holds_everything_told_and_goes_with_its_source(told, engine, settings):
    """One odd value makes a number a text everywhere, as long as its source exists."""
    other = support.make_source(engine)
    support.receive(engine, other, [{"type": "group", "groupId": "g", "traits": {"seats": "many"}}])
    support.drain(engine, settings, other)
    assert rows(told.page("/attributes"))["seats"][0] == "String"
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.id == other).values(state="deleting", name_key=None))
    assert rows(told.page("/attributes"))["seats"][0] == "Integer"


def test_a_hidden_key_is_no_column_and_comes_back(told):
    """Hiding tidies the tables up and loses nothing."""
    assert (
        people.post(told.client, "/attributes", "/attributes/customer/seats/hiding", on="1").status_code
        == 303
    )
    assert "Hidden" in texts(told.page("/attributes"), "tbody tr")[1]
    assert told.page("/customers").select("input[value='custom.seats']") == []
    people.post(told.client, "/attributes", "/attributes/customer/seats/hiding", on="0")
    assert told.page("/customers").select("input[value='custom.seats']")


def test_an_ignored_key_is_no_column_and_the_page_says_that_a_resync_applies_it(told):
    """Ignoring changes no record behind anybody's back."""
    people.post(told.client, "/attributes", "/attributes/customer/seats/ignoring", on="1")
    page = told.page("/attributes")
    assert "Ignored" in texts(page, "tbody tr")[1]
    assert "Re-sync a source to apply this" in page.text
    assert told.page("/customers").select("input[value='custom.seats']") == []
    assert (
        "chose to ignore the custom attribute seats of customers"
        in told.client.get("/audit-log", follow_redirects=True).text
    )


def test_a_viewer_changes_nothing(told, app):
    """A viewer has no button, and no way around it."""
    viewer = people.signed_in(app, "viewer")
    page = viewer.get("/attributes").text
    assert "/hiding" not in page
    answer = viewer.post("/attributes/customer/seats/hiding", data={"on": "1"})
    assert answer.status_code in (400, 403)
    assert "Hidden" not in viewer.get("/attributes").text


def test_an_unknown_key_is_not_found(told):
    """Settings are kept for keys that somebody told."""
    assert (
        people.post(told.client, "/attributes", "/attributes/customer/nothing/hiding", on="1").status_code
        == 404
    )
    assert (
        people.post(told.client, "/attributes", "/attributes/company/seats/hiding", on="1").status_code == 404
    )


def test_keys_over_the_limit_are_reported(told, engine):
    """What is not kept is said, with the source and the names."""
    with begin(engine) as connection:
        for key in ("too_many", "and_more"):
            factories.sighting(connection, told.source_id, "customer", key, over_limit=True)
    page = told.page("/attributes")
    assert "too_many" not in rows(page)
    assert texts(page, ".card .code") == ["and_more, too_many"]
    assert told.page("/attributes?of=contact").select(".card") == []
