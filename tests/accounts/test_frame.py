"""The frame of every page: errors that help, the password asked again, the policy of scripts."""

import sqlite3
import traceback
from dataclasses import replace
from functools import partial

import pytest
from bs4 import BeautifulSoup
from flask import Flask, abort
from sqlalchemy import text, update
from sqlalchemy.exc import OperationalError

from tests.people import PASSWORD, csrf_token, post, sign_in, signed_in
from webapp.app import create_app
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Login
from webapp.models.base import now
from webapp.security import HTMX_URL, confirm_required, content_security_policy, public, viewer_may_change

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def main_text(response):
    """What a page says."""
    return BeautifulSoup(response.text, "html.parser").select_one("main").text


@pytest.fixture
def odd(settings) -> Flask:
    """The application with addresses that fail in every way, as it is when it is not under test."""
    app = create_app(replace(settings, testing=False))

    @app.get("/fails/<int:code>")
    @public
    def fails(code: int):
        abort(code)

    @app.get("/breaks")
    @public
    def breaks():
        raise ZeroDivisionError

    @app.get("/locked")
    @public
    def locked():
        cause = sqlite3.OperationalError("database is locked")
        cause.sqlite_errorcode = sqlite3.SQLITE_BUSY
        raise OperationalError("SELECT 1", {}, cause)

    @app.get("/typo")
    @public
    def typo():
        return str(db.session.execute(text("SELECT nothing FROM nowhere")))

    @app.route("/grave", methods=["GET", "POST"])
    @viewer_may_change
    @confirm_required(minutes=10)
    def grave():
        return "done"

    return app


@pytest.mark.parametrize("code", [400, 403, 404, 405, 413, 429, 500, 503])
def test_every_error_has_a_page_that_says_what_to_do(odd, code):
    """Nobody meets a bare status line."""
    answer = odd.test_client().get(f"/fails/{code}")
    assert answer.status_code == code
    assert f"Error {code}" in main_text(answer)
    assert BeautifulSoup(answer.text, "html.parser").select("main a.button")


def test_an_error_without_a_page_of_its_own_keeps_its_status(odd):
    """A rarer error is told by the page of its kind."""
    answer = odd.test_client().get("/fails/415")
    assert answer.status_code == 415
    assert "Error 400" in main_text(answer)


def test_a_fault_of_ours_is_told_as_such(odd):
    """The person learns that nothing was changed, and nothing of what is inside."""
    answer = odd.test_client().get("/breaks")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text


def test_a_fault_is_logged_by_its_view_and_not_by_its_address(odd, caplog):
    """An address may be a one-time link, and a log is read by more people than the link is for."""
    odd.test_client().get("/breaks?token=secret-one")
    assert "GET of breaks failed" in caplog.text
    assert "secret-one" not in caplog.text


def test_a_statement_that_failed_is_logged_as_what_it_was_and_where(odd, caplog):
    """Who looks for the fault finds the error of the database and the view, not the page that told of it."""
    odd.test_client().get("/typo")
    [record] = [each for each in caplog.records if "GET of typo failed" in each.getMessage()]
    kind, _, passed = record.exc_info
    assert kind is OperationalError
    assert "typo" in [frame.name for frame in traceback.extract_tb(passed)]


def test_a_busy_database_is_worth_another_try(odd):
    """503 with a time, so that a browser, a proxy and a script know to come back."""
    answer = odd.test_client().get("/locked")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_a_statement_that_is_wrong_is_not_called_a_busy_database(odd):
    """Our own mistakes are not hidden behind "try again later"."""
    assert odd.test_client().get("/typo").status_code == 500


def test_a_wrong_method_says_which_are_right(app):
    """405 names the methods, as HTTP asks."""
    answer = signed_in(app).put("/audit-log")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_a_form_that_is_too_large_is_refused(app):
    """Nobody fills the memory of the server through a form."""
    client = signed_in(app)
    fields = {"csrf_token": csrf_token(client, "/profile"), "name": "x" * 2_000_000}
    assert client.post("/profile", data=fields).status_code == 413


def test_errors_are_shown_even_when_the_database_is_gone(odd):
    """The page that says that the database is away does not ask it who is there."""
    client = odd.test_client()
    sign_in(client)
    with odd.app_context():
        db.engine.dispose()
        with db.engine.begin() as connection:
            connection.execute(text("ALTER TABLE logins RENAME TO elsewhere"))
    assert client.get("/nowhere").status_code == 404
    assert client.get("/users").status_code == 500


def test_a_stale_form_says_what_to_do_to_a_part_of_a_page_too(app):
    """htmx shows the reason as a toast."""
    answer = signed_in(app).post("/profile", headers={"HX-Request": "true"})
    assert answer.status_code == 400
    assert "reload the page" in answer.headers["HX-Trigger"]


def grow_old(engine, minutes):
    """Let the password have been typed so long ago."""
    with begin(engine) as connection:
        connection.execute(update(Login).values(confirmed_at=now() - minutes * 60_000_000))


def test_what_cannot_be_undone_asks_for_the_password_again(odd, engine):
    """An unlocked computer deletes nothing; after the password the page one wanted is there."""
    client = odd.test_client()
    sign_in(client)
    assert client.get("/grave").text == "done"
    grow_old(engine, 11)
    asked = client.get("/grave?x=1").headers["Location"]
    assert asked == "/confirm?next=/grave?x%3D1"
    assert post(client, asked, password="not it").status_code == 422
    assert client.get("/grave").status_code == 303
    answer = post(client, asked, password=PASSWORD)
    assert answer.headers["Location"] == "/grave?x=1"
    assert client.get("/grave").text == "done"


def test_a_form_sent_too_late_comes_back_to_its_page(odd, engine):
    """What was sent is not done behind one's back: its page is shown again."""
    client = odd.test_client()
    sign_in(client)
    headers = {"X-CSRFToken": csrf_token(client, "/profile"), "Referer": "http://localhost/grave?y=2"}
    grow_old(engine, 11)
    assert client.post("/grave", headers=headers).headers["Location"] == "/confirm?next=/grave?y%3D2"
    part = client.post("/grave", headers=headers | {"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Redirect"]) == (204, "/confirm?next=/grave?y%3D2")


def test_the_password_is_not_guessed_on_the_page_that_confirms(app):
    """An unlocked computer gives ten tries, not a thousand."""
    client = signed_in(app)
    answers = [post(client, "/confirm", password="no").status_code for _ in range(11)]
    assert answers == [422] * 10 + [429]


def test_the_present_password_is_not_guessed_on_the_page_that_changes_it(app):
    """Nor there: after ten tries even the right one waits, and the password stays."""
    client = signed_in(app)
    guess = partial(post, client, "/profile", "/profile/password", password="four loud otters")
    assert [guess(current="no").status_code for _ in range(10)] == [422] * 10
    assert guess(current=PASSWORD).status_code == 429
    assert post(client, "/confirm", password=PASSWORD).status_code == 303


def test_only_the_one_script_may_come_from_elsewhere(settings):
    """The policy opens the public CDN for one file, and for none where files are served from here."""
    assert f"script-src 'self' {HTMX_URL};" in content_security_policy(settings)
    assert "http" not in content_security_policy(replace(settings, assets="local"))


def test_the_address_of_the_script_is_that_of_the_page(app):
    """A page whose script its own policy forbids would be without htmx."""
    page = BeautifulSoup(app.test_client().get("/sign-in").text, "html.parser")
    remote = [script["src"] for script in page.select("script[src^=http]")]
    assert remote == [HTMX_URL]


def test_a_proxy_is_believed_only_as_far_as_configured(settings):
    """Without TRUSTED_PROXIES a forged header does not change the scheme (more: test_forging.py)."""
    forged = {"X-Forwarded-Proto": "https"}
    for hops, secure in ((0, False), (1, True)):
        app = create_app(replace(settings, trusted_proxies=hops))
        lines = app.test_client().get("/sign-in", headers=forged).headers.getlist("Set-Cookie")
        assert lines
        assert all(("Secure" in line) == secure for line in lines)


def test_files_are_kept_by_browsers_as_long_as_their_address_is_theirs(app):
    """A style sheet is loaded once, and a new one at once."""
    page = BeautifulSoup(app.test_client().get("/sign-in").text, "html.parser")
    href = page.select_one("link[rel=stylesheet]")["href"]
    for address, kept in ((href, True), (href.split("?")[0], False)):
        with app.test_client().get(address) as answer:
            assert ("immutable" in answer.headers["Cache-Control"]) == kept
