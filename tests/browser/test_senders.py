"""Write key, signatures and test events as a person sees them, and what axe says of their pages."""

import json

import pytest
from playwright.sync_api import expect

from tests.accessible import faults
from tests.browser.test_sources import call

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def until(page, true):
    """Load a page again until it shows what is counted soon after a call, which does not wait for it."""
    for _ in range(100):
        page.reload()
        if true():
            return
        page.wait_for_timeout(100)
    pytest.fail("the page never showed it")


def test_the_write_key_is_copied_and_regenerated_beside_the_url(page, browser, live_server, home):
    """Copy says Copied; Regenerate asks in a dialog and leaves the URL as it is."""
    browser.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    page.goto(home + "/settings")
    url, key = page.input_value("#webhook-url"), page.input_value("#write-key-shown")
    page.locator("#write-key [data-copy=write-key-shown]").click()
    expect(page.locator("#write-key").get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.locator("#write-key").get_by_role("link", name="Regenerate").click()
    asked = page.get_by_role("dialog", name="Regenerate the write key?")
    asked.get_by_text("In 24 hours").click()
    asked.get_by_role("button", name="Regenerate").click()
    expect(page.locator(".toast__text")).to_contain_text("New write key created. The old one works for 24")
    assert page.input_value("#write-key-shown") != key
    assert page.input_value("#webhook-url") == url


def test_a_source_takes_signed_calls_only_until_it_is_told_otherwise(page, home):
    """From the click on, a call without a signature is refused and counted on the same page."""
    page.goto(home + "/settings")
    url, proposed = page.input_value("#webhook-url"), page.input_value("#secret")
    assert call(url, {"n": 1}) == 200
    page.get_by_role("button", name="Take signed calls only").click()
    expect(page.locator("#shared-secret")).to_have_value(proposed)
    assert call(url, {"n": 2}) == 401
    until(page, lambda: "the X-Signature header is missing" in page.locator("#calls").inner_text())
    page.get_by_role("button", name="Take calls without a signature again").click()
    expect(page.locator("#secret")).to_be_visible()
    assert call(url, {"n": 3}) == 200


def test_a_test_event_is_edited_tried_and_sent(page, home):
    """What would happen stands beside the event; sent, it stands in the list of events."""
    page.goto(home + "/settings")
    page.get_by_role("link", name="Send a test event").click()
    page.get_by_label("Example").select_option("group")
    page.get_by_role("button", name="Use this example").click()
    event = json.loads(page.input_value("#body"))
    assert event["type"] == "group"
    event["traits"]["name"] = "Difference Engines"
    page.fill("#body", json.dumps(event))
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#rehearsal")).to_contain_text("Customer Difference Engines")
    page.fill("#body", "{")
    page.get_by_role("button", name="Send it").click()
    expect(page.locator("#body-error")).to_contain_text("The body is not JSON")
    page.fill("#body", json.dumps(event))
    page.get_by_role("button", name="Send it").click()
    expect(page.locator(".toast__text")).to_contain_text("Sent")
    expect(page.locator("main tbody tr")).to_have_count(1)


def test_axe_finds_nothing_and_no_page_of_a_sender_is_wider_than_a_phone(page, home):
    """Everybody can read and use them, on any screen."""
    on_a_phone = (("light", 390), ("dark", 390))
    for path in ("/settings", "/write-key/new", "/test-event"):
        page.goto(home + path)
        assert faults(page, on_a_phone) == [], path
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("#answer")).to_contain_text("200")
    assert faults(page, on_a_phone) == []
