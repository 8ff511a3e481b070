"""What another policy would change is on the page as soon as it is chosen."""

import pytest
from playwright.sync_api import expect

from tests.accessible import violations
from tests.browser.test_sources import call
from webapp.database import make_engine
from webapp.services import projection, upkeep

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_choosing_a_policy_shows_what_it_would_change_before_anything_is_saved(page, live_server, home):
    """The numbers appear under the choice, its lists open, and the other way round it says so."""
    page.goto(home + "/settings")
    url = page.input_value("#webhook-url")
    for name in ("ada", "bob"):
        assert call(url, {"type": "identify", "userId": name, "traits": {"name": name}}) == 200
    engine = make_engine(live_server.settings)
    for source_id in upkeep.waiting(engine):
        projection.drain(engine, source_id, settings=live_server.settings)
    engine.dispose()
    page.reload()
    shown = page.locator("#policy-preview")
    expect(shown.locator("[data-preview]")).to_have_count(0)
    page.get_by_label("A user is added to a company").check()
    expect(shown.locator("[data-preview]")).to_have_text(
        "−2 individual customers, −2 contacts, 2 people will wait"
    )
    expect(shown).to_contain_text("No contact moves from one customer to another.")
    assert violations(page) == []
    page.get_by_label("The email or UserID is created").check()
    expect(shown).to_have_text("This is what the tables show.")
    page.keyboard.press("ArrowDown")  # at once, as quick fingers do: the last choice counts
    expect(shown.locator("[data-preview]")).to_be_visible()
    for key in ("ArrowUp", "ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    expect(shown).to_have_text("This is what the tables show.")
    page.reload()
    expect(page.get_by_label("The email or UserID is created")).to_be_checked()
    page.get_by_label("A user is added to a company").check()
    shown.get_by_role("link", name="2 individual customers").click()
    expect(page.locator("tbody tr")).to_have_count(2)
