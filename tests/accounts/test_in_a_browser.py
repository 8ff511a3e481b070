"""What only a browser shows: cookies, the script policy, the clipboard."""

import pytest

from webapp.app import create_app
from webapp.extensions import db
from webapp.services import accounts

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_from_the_first_link_to_signing_out_in_a_real_browser(live_server, page):
    """The first minute of an installation: set up, invite somebody, copy their link, leave, come back."""
    app = create_app(live_server.settings)
    with app.app_context():
        token = accounts.setup_token()
        db.engine.dispose()
    page.goto(f"{live_server.url}/setup/{token}")
    page.fill("#email", "ada@example.com")
    page.fill("#password", "four louder otters")
    page.click("button[type=submit]")
    page.goto(f"{live_server.url}/users/new")
    page.fill("#email", "grace@example.com")
    page.click("text=Make the link")
    page.click("[data-copy]")
    page.wait_for_selector("[data-copied]")
    assert page.input_value("#one-time-link").startswith(f"{live_server.url}/setup/")
    page.click("text=Done")
    page.click(".sidebar >> text=Sign out")
    page.wait_for_selector("text=You are signed out.")
    page.go_back()
    page.wait_for_url("**/sign-in?next=/users")
    page.fill("#email", "ada@example.com")
    page.fill("#password", "four louder otters")
    page.click("button[type=submit]")
    page.wait_for_selector(".sidebar >> text=Your profile")


def test_an_account_is_removed_after_a_question(live_server, page):
    """The dialog asks; with the keyboard alone one can answer."""
    app = create_app(live_server.settings)
    with app.app_context():
        token = accounts.setup_token()
        accounts.add(db.session(), "grace@example.com", "viewer", "no password yet")
        db.session.remove()
        db.engine.dispose()
    page.goto(f"{live_server.url}/setup/{token}")
    page.fill("#email", "ada@example.com")
    page.fill("#password", "four louder otters")
    page.press("#password", "Enter")
    page.wait_for_selector(".sidebar >> text=Your profile")
    page.goto(f"{live_server.url}/users")
    page.click("text=grace@example.com")
    # Loaded, with its scripts: before that the link leads to a page that asks.
    page.wait_for_url("**/users/*")
    page.click("[data-dialog=remove-user]")
    page.wait_for_selector("dialog[open]")
    page.keyboard.press("Escape")
    assert page.query_selector("dialog[open]") is None
    page.focus("[data-dialog=remove-user]")
    page.keyboard.press("Enter")
    page.focus("dialog .button--danger")
    page.keyboard.press("Enter")
    page.wait_for_selector("text=grace@example.com was removed.")
