"""The life of a source as a person sees it: add, copy, connect, regenerate, re-sync, delete."""

import json
import re
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect

from tests.people import PASSWORD, account
from webapp.database import make_engine
from webapp.services import projection, syncs, upkeep

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def call(url, body):
    """POST JSON as Segment does; the status of the answer."""
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def sign_in(page, server):
    """Sign an administrator in."""
    engine = make_engine(server.settings)
    account(engine, "ada@example.com")
    engine.dispose()
    page.goto(server.url + "/sign-in")
    page.fill("[name=email]", "ada@example.com")
    page.fill("[name=password]", PASSWORD)
    page.click("main button[type=submit]")
    expect(page.locator("main h1")).to_be_visible()


def add_source(page, server, name="Website"):
    """Go through Add Source; the webhook URL that the page shows."""
    page.goto(server.url + "/sources")
    page.get_by_role("link", name="Add Source").click()
    page.get_by_role("link", name="Segment Import customers").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Save and Continue Configuration in Segment").click()
    expect(page.locator("h1")).to_have_text("Continue in Segment")
    page.wait_for_load_state()  # with its scripts, which Copy needs
    return page.input_value("#webhook-url")


def test_the_guide_copies_the_url_and_turns_as_events_arrive(page, browser, live_server):
    """Copy says Copied; the live line shows the connection test, then the first event, without a reload."""
    browser.grant_permissions(["clipboard-read", "clipboard-write"], origin=live_server.url)
    sign_in(page, live_server)
    url = add_source(page, live_server)
    page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == url

    live = page.locator("#arrival")
    expect(live).to_contain_text("Waiting for the first event")
    assert call(url, {}) == 200
    expect(live).to_contain_text("Connection tested")
    ada = {"type": "identify", "userId": "u1", "traits": {"email": "ada@example.com", "name": "Ada Lovelace"}}
    assert call(url, ada) == 200
    expect(live).to_contain_text("is being read")

    engine = make_engine(live_server.settings)
    for source_id in upkeep.waiting(engine):
        projection.drain(engine, source_id, settings=live_server.settings)
    engine.dispose()
    expect(live).to_contain_text("Imported contact Ada Lovelace as a customer of their own.")
    live.get_by_role("link", name="See the customers").click()
    expect(page.locator("#tab-customers")).to_have_attribute("aria-current", "page")
    expect(page.locator("#tab-customers")).to_have_text(re.compile(r"Customers\s+1"))


def test_enter_in_the_name_saves_and_an_error_keeps_the_url(signed_in, live_server):
    """The keyboard is enough: an empty name is refused beside the field, a good one saved by Enter."""
    page = signed_in
    page.goto(live_server.url + "/sources/new/segment")
    url = page.input_value("#webhook-url")
    page.get_by_label("Name").press("Enter")
    expect(page.locator("#name-error")).to_have_text("Give this source a name.")
    assert page.input_value("#webhook-url") == url
    page.get_by_label("Name").fill("Website")
    page.get_by_label("Name").press("Enter")
    expect(page.locator("h1")).to_have_text("Continue in Segment")
    assert page.input_value("#webhook-url") == url


def test_regenerate_asks_in_a_dialog_and_ends_the_old_url(page, home):
    """Cancel changes nothing; at once means that the next call to the old URL is refused, and counted."""
    page.goto(home + "/settings")
    old = page.input_value("#webhook-url")
    page.locator("#webhook").get_by_role("link", name="Regenerate").click()
    dialog = page.get_by_role("dialog", name="Regenerate the webhook URL?")
    dialog.get_by_role("link", name="Cancel").click()
    expect(dialog).to_be_hidden()
    assert page.input_value("#webhook-url") == old

    page.locator("#webhook").get_by_role("link", name="Regenerate").click()
    dialog.get_by_role("button", name="Regenerate").click()
    expect(page.locator(".toast")).to_contain_text("The old one stopped working.")
    new = page.input_value("#webhook-url")
    assert (call(old, {"type": "identify", "userId": "u"}), call(new, {})) == (403, 200)
    page.reload()
    expect(page.locator("#webhook td[data-label='Calls since']")).to_have_text("1")


def test_a_re_sync_shows_its_progress_and_its_end(page, live_server, home):
    """The preview is counted as the dialog opens, the bar stands in the page, and the end comes by itself."""
    page.goto(home + "/settings")
    page.get_by_role("link", name="Re-sync data").click()
    dialog = page.get_by_role("dialog", name="Re-sync data?")
    expect(dialog).to_contain_text("No customer or contact will be added or removed")
    dialog.get_by_role("button", name="Re-sync data").click()
    expect(page.locator("#sync progress")).to_be_visible()
    engine = make_engine(live_server.settings)
    syncs.run(engine, 1, settings=live_server.settings)
    engine.dispose()
    expect(page.locator("#sync")).to_contain_text("Re-sync is done")


def test_a_source_is_deleted_by_typing_its_name(page, live_server, home):
    """The dialog counts what goes; a wrong name stops at the field; the row goes when the erasure ends."""
    page.goto(home + "/settings")
    url = page.input_value("#webhook-url")
    call(url, {"type": "identify", "userId": "u1"})
    page.reload()
    page.get_by_role("link", name="Delete This Source").click()
    dialog = page.get_by_role("dialog", name="Delete “Website”?")
    expect(dialog).to_contain_text("1 event is erased")
    confirm = dialog.get_by_label("Type Website to confirm")
    confirm.fill("Webs")
    dialog.get_by_role("button", name="Delete source").click()
    expect(dialog).to_be_visible()
    assert not confirm.evaluate("field => field.checkValidity()")
    confirm.fill("Website")
    dialog.get_by_role("button", name="Delete source").click()
    expect(page.locator(".badge--deleting")).to_contain_text("Deleting")
    assert call(url, {"type": "identify", "userId": "u1"}) == 403
    engine = make_engine(live_server.settings)
    syncs.run(engine, 1, settings=live_server.settings)
    engine.dispose()
    expect(page.locator("#sources")).to_contain_text("No sources yet")


def test_everything_works_without_a_script(chromium, live_server):
    """The same life with links and forms alone."""
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.set_default_timeout(10_000)
    sign_in(page, live_server)
    url = add_source(page, live_server)
    assert call(url, {}) == 200
    page.get_by_role("link", name="Look again").click()
    expect(page.locator("#arrival")).to_contain_text("Connection tested")
    page.goto(page.url.replace("/connect", "/settings"))
    page.locator("#webhook").get_by_role("link", name="Regenerate").click()
    page.get_by_label("In 24 hours").check()
    page.locator("main").get_by_role("button", name="Regenerate").click()
    assert page.input_value("#webhook-url") != url
    assert call(url, {}) == 200
    page.locator("main").get_by_label("A user is added to a company").check()
    page.get_by_role("button", name="Save changes").click()
    page.get_by_role("button", name="Re-sync data").click()
    expect(page.locator("#sync")).to_contain_text("Re-syncing…")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("#sync")).to_contain_text("Cancelling…")
    page.get_by_role("link", name="Delete This Source").click()
    page.get_by_label("Type Website to confirm").fill("Website")
    page.get_by_role("button", name="Delete source").click()
    expect(page.locator(".badge--deleting")).to_contain_text("Deleting")
    context.close()
