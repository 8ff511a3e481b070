"""Ticking rows with mouse and keys, in a real browser, with a script and without."""

from threading import Thread

import pytest
from werkzeug.serving import make_server

from tests import factories, people
from tests.accessible import violations
from tests.tables import bulk_action
from webapp.database import begin
from webapp.security import COOKIE

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def address(app, engine):
    """Where an account with an action and thirty customers is served."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        for number in range(30):
            at = factories.SOME_DAY - number
            factories.customer(connection, source_id, f"org_{number:02}", updated_at=at)
    bulk_action.offer(app)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.port}"
    server.shutdown()
    thread.join()


def open_table(page, app, address):
    """The table of customers, as an administrator sees it."""
    token = people.sign_in(app.test_client())
    page.context.add_cookies([{"name": COOKIE, "value": token, "url": address}])
    page.goto(address + "/customers")
    return page


def test_rows_are_ticked_by_mouse_range_and_key_and_changed(page, app, address):
    """Four rows take two clicks, and the keyboard does as well as the mouse."""
    open_table(page, app, address)
    bar, boxes, said = page.locator(".bulk"), page.locator("[data-pick]"), page.locator("[data-picked]")
    assert not bar.is_visible()
    boxes.nth(1).click()
    boxes.nth(4).click(modifiers=["Shift"])
    assert said.inner_text() == "4 selected"
    assert violations(page) == []
    page.locator("[data-picks-all]").click()
    assert said.inner_text() == "25 selected"
    page.locator("[data-picks-all]").click()
    assert not bar.is_visible()
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("x")
    assert said.inner_text() == "1 selected"
    page.locator("summary", has_text="Move").click()
    page.locator("input[name=city]").fill("Ulm")
    page.get_by_role("button", name="Apply to the selected").click()
    page.locator(".toast", has_text="1 moved to Ulm").wait_for()


def test_a_phone_has_the_boxes_too(page, app, address):
    """What a desk can do, a phone can: the box stands in the corner of the card."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    open_table(page, app, address)
    page.locator("[data-pick]").first.click()
    page.get_by_label("All 30 customers of this view").check()
    assert page.locator("[data-picked]").inner_text() == "All selected"
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_a_script_the_bar_shows_itself_and_works(browser, app, address):
    """A box that is ticked brings the bar, and its form is an ordinary one."""
    context = browser.browser.new_context(java_script_enabled=False)
    page = open_table(context.new_page(), app, address)
    assert not page.locator(".bulk").is_visible()
    page.get_by_label("Select all customers on this page").check()
    page.locator("summary", has_text="Move").click()
    page.locator("input[name=city]").fill("Ulm")
    page.get_by_role("button", name="Apply to the selected").click()
    assert "25 moved to Ulm" in page.locator(".toast").inner_text()
    context.close()
