"""What only a browser shows of mappings: the preview while one chooses, copying, and what axe says."""

from itertools import product

import pytest
from playwright.sync_api import expect
from sqlalchemy import update

from tests.accessible import faults, prepare
from tests.mapping.test_applying import TIER
from tests.mapping.test_pages import ACME, ADA, BOB
from tests.people import session
from tests.sources.support import add_source, fill
from webapp.database import begin
from webapp.models import Source
from webapp.security import COOKIE

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def place(app, engine, settings, page, live_server):
    """The address of a mapping page, with an administrator signed in."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id, (ADA, BOB, ACME))
    token = session(engine)
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": live_server.url}])
    return f"{live_server.url}/sources/{public_id}/mapping"


def test_what_changes_is_told_while_one_chooses(page, place):
    """Each choice is previewed at once; a bad key says so; saving leads back with what is pending."""
    page.goto(place)
    page.fill("input[name=q]", "job")
    page.wait_for_url("**/mapping?q=job")
    expect(page.locator("#mapping tbody tr")).to_have_count(2)
    page.get_by_role("link", name="Change traits.job_title of identify").click()
    expect(page.locator("#preview")).to_contain_text("before anything is saved")
    page.select_option("#to", "contact.custom")
    page.fill("#key", "email")
    expect(page.locator("#preview .notice")).to_contain_text("standard attribute")
    page.fill("#key", "role")
    expect(page.locator("#changed")).to_contain_text("1 event would be read otherwise")
    page.get_by_label("track · properties.job_title").check()
    expect(page.locator("#changed")).to_contain_text("2 events would be read otherwise")
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/mapping")
    expect(page.locator("#mapping-pending")).to_contain_text("until this source is rebuilt")
    expect(page.locator("#mapping")).to_contain_text("After the rebuild: Contact · role")
    page.get_by_role("link", name="Rebuild from events").click()
    expect(page.locator("#mapping-question")).to_contain_text("Applies the mapping that was saved.")


def test_the_table_for_segment_is_copied_for_a_spreadsheet(page, browser, live_server, place):
    """With tabs between the columns, and all of its rows."""
    browser.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    page.goto(place)
    page.get_by_role("button", name="Copy the table").click()
    expect(page.locator(".toast__text")).to_have_text("Copied")
    lines = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert lines[1].split("\t")[:3] == ["Send Contact", "Email", "traits.email"]
    assert len(lines) == 23


def test_axe_finds_nothing_and_nothing_is_wider_than_a_phone(page, place, engine):
    """Everybody can use these pages, whatever they read them with."""
    rule = "rule?call=identify&path=traits.job_title"
    with begin(engine) as connection:  # so that what waits for a rebuild is on the page
        connection.execute(update(Source).values(mapping=TIER))
    guide = place.removesuffix("mapping") + "connect"
    paths = ["", "?ruled=1", f"/{rule}", f"/{rule}&to=contact.title", "/tracks", "/preview"]
    prepare(page)
    for address in (*(place + path for path in paths), guide):
        page.goto(address)
        assert faults(page, product(("light", "dark"), (1280, 390))) == [], address
