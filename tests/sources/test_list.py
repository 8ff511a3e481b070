"""The Sources page: its rows, words and numbers, in as many queries whatever the number of sources."""

import pytest
from sqlalchemy import event, insert

from tests.people import signed_in
from tests.projection.support import receive
from tests.sources.support import ACME, ADA, BOB, add_source, change, fill, key, row, soup, text
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Event, Sync, Tally, now
from webapp.services import source_summary

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HOUR = 3600 * 1_000_000
COLUMNS = ["Status", "Last event", "Events, 24 h", "Customers", "Contacts", "Failed events"]


def cells(page, public_id):
    """What stands in a source's row, by column."""
    return {
        cell["data-label"]: " ".join(cell.get_text(" ").split())
        for cell in page.select(f"#row-{public_id} td[data-label]")
    }


def add_sync(engine, source_id, **columns):
    """Long work on a source."""
    with begin(engine) as connection:
        row = {"source_id": source_id, "kind": "resync", "created_at": now(), "result": {}}
        connection.execute(insert(Sync).values(row | columns))


def test_a_row_counts_what_a_source_brought(app, engine, settings):
    """Events of the last 24 hours from the tallies, customers, contacts, and events that failed."""
    public_id, _ = add_source(app)
    add_source(app, "Quiet")
    fill(app, engine, settings, public_id)
    source_id, hour = key(app, public_id), now() // HOUR * HOUR
    receive(engine, source_id, [{"type": "identify", "userId": "x"}])
    with begin(engine) as connection:
        connection.execute(Event.__table__.update().where(Event.state == 0).values(state=3, reason="broken"))
        for at, writer, received in (
            (hour, 0, 2),
            (hour, 1, 3),
            (hour - 23 * HOUR, 0, 4),
            (hour - 25 * HOUR, 0, 9),
        ):
            values = {"source_id": source_id, "hour": at, "writer": writer, "received": received}
            connection.execute(insert(Tally).values(duplicates=0, **values))
    page = soup(signed_in(app).get("/sources"))
    shown = cells(page, public_id)
    assert list(shown) == COLUMNS
    assert shown["Status"] == "Receiving"
    assert shown["Events, 24 h"] == "9"
    assert (shown["Customers"], shown["Contacts"], shown["Failed events"]) == ("2", "2", "1")
    assert page.select_one(f"#row-{public_id} time").has_attr("title")
    assert [link.get_text() for link in page.select("th a.identity__name")] == ["Production", "Quiet"]


def test_a_row_leads_to_the_tables_and_to_the_settings(app, engine, settings):
    """Selecting a row opens its data tables; the icon opens its settings."""
    public_id, _ = add_source(app)
    page = soup(signed_in(app).get("/sources"))
    home = f"/sources/{public_id}"
    assert page.select_one(f"#row-{public_id}")["data-href"] == f"{home}/customers"
    assert page.select_one("a.identity__name")["href"] == f"{home}/customers"
    assert page.select_one("td.fit a")["href"] == f"{home}/settings"
    assert signed_in(app).get(home).location == f"{home}/customers"


@SQLITE
@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({}, "Waiting for the first event"),
        ({"first_event_at": 1}, "Receiving"),
        ({"first_event_at": 1, "pause": "keep"}, "Paused"),
        ({"first_event_at": 1, "pause": "refuse"}, "Paused"),
        ({"first_event_at": 1, "failing_since": 1}, "Failing"),
    ],
)
def test_the_status_is_in_words(app, engine, columns, words):
    """What a source is doing can be read, not only seen by colour."""
    public_id, _ = add_source(app)
    if columns:
        change(engine, key(app, public_id), **columns)
    assert cells(soup(signed_in(app).get("/sources")), public_id)["Status"] == words


def test_long_work_is_told_in_percent(app, engine):
    """A re-sync shows how far it is, and the page asks every second meanwhile."""
    public_id, _ = add_source(app)
    client = signed_in(app)
    assert "delay:5s" in soup(client.get("/sources")).select_one("#sources")["hx-trigger"]
    add_sync(engine, key(app, public_id), state="running", done=41, total=100)
    page = soup(client.get("/sources"))
    assert cells(page, public_id)["Status"] == "Re-syncing 41 %"
    assert "delay:1s" in page.select_one("#sources")["hx-trigger"]


def test_a_source_that_is_deleted_is_only_a_progress(app, engine, settings):
    """Its name and how far the erasure is; no number, no link, no page."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id)
    change(engine, key(app, public_id), state="deleting", name_key=None)
    add_sync(engine, key(app, public_id), kind="deletion", state="running", done=1, total=4)
    client = signed_in(app)
    page = soup(client.get("/sources"))
    assert cells(page, public_id) == {"Status": "Deleting 25 %"}
    assert page.select_one(f"#row-{public_id} progress")["value"] == "1"
    assert not page.select(f"#row-{public_id} a")
    for path in ("", "/head", "/settings", "/customers", "/syncs/1", "/deletion/new"):
        assert client.get(f"/sources/{public_id}{path}").status_code == 404, path


@SQLITE
def test_the_page_asks_for_its_table_alone(app):
    """HTMX gets the part, the browser the page; both hold the same table."""
    public_id, _ = add_source(app)
    client = signed_in(app)
    part = client.get("/sources", headers={"HX-Request": "true"})
    assert "<html" not in part.text
    assert cells(soup(part), public_id) == cells(soup(client.get("/sources")), public_id)
    assert "HX-Request" in part.headers["Vary"]


def test_many_sources_take_no_more_queries_than_one(app, engine):
    """The list is made of sets, one query a number."""
    counted = []

    def count(*_):
        counted.append(1)

    add_source(app, "Source 0")

    def queries():
        with app.app_context():
            event.listen(db.engine, "before_cursor_execute", count)
            counted.clear()
            source_summary.every(db.session())
            event.remove(db.engine, "before_cursor_execute", count)
            return len(counted)

    alone = queries()
    for number in range(1, 6):
        add_source(app, f"Source {number}")
    assert queries() == alone <= 8


def test_large_numbers_of_a_source_are_told_from_a_sample(app, engine, settings):
    """Its head is asked for every five seconds, so more than ten thousand rows are not counted for it."""
    public_id, _ = add_source(app, policy="company")
    fill(app, engine, settings, public_id, [ADA, BOB, ACME])
    with app.app_context():
        (exact,) = source_summary.every(db.session())
        (about,) = source_summary.every(db.session(), most=0)
    names = ("customers", "contacts", "failed", "waiting")
    assert {name: getattr(exact, name).exact for name in names} == dict.fromkeys(names, True)
    assert (exact.customers.number, exact.contacts.number, exact.waiting.number) == (1, 1, 1)
    for name in names:  # the sample is all of so few
        assert getattr(about, name).number == getattr(exact, name).number
        assert getattr(about, name).exact == (not getattr(exact, name))


def test_people_who_wait_are_counted_on_the_source_s_page(app, engine, settings):
    """Under the company policy the head of the page says how many wait, and leads to them."""
    public_id, _ = add_source(app, policy="company")
    fill(app, engine, settings, public_id, [ADA, BOB, ACME])
    head = soup(signed_in(app).get(f"/sources/{public_id}/head?tab=events"))
    assert text(head, "#source-waiting") == "1 person waits for a company"
    assert head.select_one("#source-waiting")["href"].endswith("/waiting")
    assert [tab.get_text(" ", strip=True) for tab in head.select(".tabs a")] == [
        "Customers 1",
        "Contacts 1",
        "Events",
        "Mapping",
        "Settings",
    ]
    assert text(head, ".tabs a[aria-current]") == "Events"


@SQLITE
def test_markup_in_a_name_is_text(app):
    """A name is shown as it was typed, whatever it looks like."""
    public_id, _ = add_source(app, '<b>Bold</b> & "co"')
    client = signed_in(app)
    for path in ("/sources", f"/sources/{public_id}/settings", f"/sources/{public_id}/deletion/new"):
        page = client.get(path)
        assert "<b>Bold" not in page.text
        assert '<b>Bold</b> & "co"' in soup(page).get_text()
    assert row(app, public_id).name == '<b>Bold</b> & "co"'
