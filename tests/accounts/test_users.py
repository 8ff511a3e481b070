"""Settings & Data > Users, one-time links, and one's own profile."""

import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select, update

from tests.people import PASSWORD, add_user, csrf_token, last_user, post, sign_in, signed_in
from webapp.app import create_app
from webapp.database import begin, writing
from webapp.extensions import db
from webapp.models import Invitation
from webapp.security import COOKIE
from webapp.services import accounts, invitations

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
NEW_PASSWORD = "four louder otters"


def html(response):
    """A page to be read by selector."""
    return BeautifulSoup(response.text, "html.parser")


def setup_path(app):
    """Where the link of a start leads."""
    with app.app_context():
        token = accounts.setup_token()
    return f"/setup/{token}" if token else None


def invite(client, email="ada@example.com", role="viewer"):
    """Invite somebody by the page; the path of their link."""
    answer = post(client, "/users/new", "/users", email=email, role=role)
    address = html(answer).select_one("#one-time-link")["value"]
    return address.removeprefix("http://localhost")


def test_the_link_of_the_first_start_makes_the_administrator_and_signs_in(app):
    """A fresh installation is ready a minute after it started, without a default password."""
    client = app.test_client()
    path = setup_path(app)
    assert "At least 12 characters" in html(client.get(path)).select_one("#password-hint").text
    answer = post(client, path, email=" Ada@Example.com", name="Ada", password=NEW_PASSWORD)
    assert answer.status_code == 303
    made = last_user(app)
    assert (made.email, made.name, made.role) == ("ada@example.com", "Ada", "administrator")
    assert client.get("/users").status_code == 200
    assert setup_path(app) is None


def test_a_setup_link_works_once_and_only_the_newest(app):
    """A link left in a terminal's history opens nothing."""
    former, path = setup_path(app), setup_path(app)
    client = app.test_client()
    assert client.get(former).status_code == 410
    assert post(client, path, email="ada@example.com", name="", password=NEW_PASSWORD).status_code == 303
    answer = app.test_client().get(path)
    assert answer.status_code == 410
    assert "user link" in html(answer).select_one("main").text


def test_a_setup_link_ends_when_an_administrator_comes_another_way(app):
    """Once there is an administrator nobody else makes themselves one."""
    path = setup_path(app)
    add_user(app)
    assert app.test_client().get(path).status_code == 410


@SQLITE
def test_a_link_that_is_too_old_says_how_to_get_another(app, engine):
    """Nobody is left before a door that does not say where the key is."""
    path = setup_path(app)
    with begin(engine) as connection:
        connection.execute(update(Invitation).values(expires_at=1))
    answer = app.test_client().get(path)
    assert answer.status_code == 410
    assert "start it again" in html(answer).select_one("main").text


@pytest.mark.parametrize("signed", [True, False])
def test_a_link_that_ended_is_told_at_once_to_whoever_sends_its_form_with_a_session(app, signed):
    """Nobody holds the database's one lock and waits for it meanwhile, be their session real or made up."""
    client = signed_in(app) if signed else app.test_client()
    if not signed:
        client.set_cookie(COOKIE, "made up")
    token = csrf_token(client, "/profile" if signed else "/sign-in")
    began = time.monotonic()
    answer = client.post("/setup/ended", data={"csrf_token": token, "password": NEW_PASSWORD})
    assert answer.status_code == 410
    assert time.monotonic() - began < 4


@SQLITE
@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"email": "ada", "password": NEW_PASSWORD}, "#email-error"),
        ({"email": "ada@example.com", "password": "short"}, "#password-error"),
        ({"email": "ada@example.com", "password": NEW_PASSWORD, "name": "x" * 101}, "#name-error"),
        ({"email": "ada@example.com", "password": NEW_PASSWORD, "name": "x\0"}, "#name-error"),
        ({"email": "a\0@example.com", "password": NEW_PASSWORD}, "#email-error"),
    ],
)
def test_what_is_wrong_stands_beside_its_field(app, fields, wrong):
    """The form comes back with what was typed, and the link still works."""
    client = app.test_client()
    path = setup_path(app)
    answer = post(client, path, **fields)
    assert answer.status_code == 422
    assert html(answer).select_one(wrong)
    assert client.get(path).status_code == 200


def test_somebody_invited_joins_with_the_role_they_were_given(app):
    """The link knows address and role; the person chooses the password only."""
    path = invite(signed_in(app), "Ada@example.com", "viewer")
    guest = app.test_client()
    assert post(guest, path, name="Ada", password=NEW_PASSWORD, role="administrator").status_code == 303
    made = last_user(app)
    assert (made.email, made.role) == ("ada@example.com", "viewer")
    assert guest.get("/users").status_code == 403
    assert app.test_client().get(path).status_code == 410


def test_somebody_with_an_account_cannot_be_invited_again(app):
    """A second account for one address is refused beside the field."""
    client = signed_in(app)
    answer = post(client, "/users/new", "/users", email="ADMINISTRATOR@example.com", role="viewer")
    assert answer.status_code == 422
    assert "already has an account" in html(answer).select_one("#email-error").text


def test_an_invitation_can_be_withdrawn(app):
    """A link sent to the wrong person ends before it is used."""
    client = signed_in(app)
    path = invite(client)
    form = html(client.get("/users")).select_one("#invitations form")
    assert post(client, "/users", form["action"]).status_code == 303
    assert app.test_client().get(path).status_code == 410
    assert html(client.get("/users")).select_one("#invitations") is None


@SQLITE
def test_a_link_is_kept_as_a_digest_only(app, engine):
    """Who reads the database cannot use the links in it."""
    token = invite(signed_in(app)).rsplit("/", 1)[1]
    with engine.connect() as connection:
        kept = connection.execute(select(Invitation)).all()
    assert token not in str(kept)


def test_a_new_password_by_link_ends_every_session_of_the_account(app):
    """Somebody who lost a laptop is safe once they have a new password."""
    client = signed_in(app)
    ada = app.test_client()
    sign_in(ada, "viewer", "ada@example.com")
    answer = post(client, f"/users/{last_user(app).id}", f"/users/{last_user(app).id}/links")
    path = html(answer).select_one("#one-time-link")["value"].removeprefix("http://localhost")
    assert ada.get("/profile").status_code == 200
    elsewhere = app.test_client()
    assert post(elsewhere, path, password=NEW_PASSWORD).status_code == 303
    assert ada.get("/profile").status_code == 303
    assert elsewhere.get("/profile").status_code == 200
    old = app.test_client()
    assert post(old, "/sign-in", email="ada@example.com", password=PASSWORD).status_code == 422
    assert post(old, "/sign-in", email="ada@example.com", password=NEW_PASSWORD).status_code == 303


def test_another_role_holds_at_once(app):
    """Somebody made viewer does not go on deleting in the tab that is open."""
    client = signed_in(app)
    ada = app.test_client()
    sign_in(ada, "administrator", "ada@example.com")
    user_id = last_user(app).id
    assert post(client, f"/users/{user_id}", f"/users/{user_id}/role", role="viewer").status_code == 303
    assert ada.get("/users").status_code == 303
    assert last_user(app).role == "viewer"


def test_somebody_removed_is_out_at_once(app):
    """Removing an account ends its sessions and its links."""
    client = signed_in(app)
    ada = app.test_client()
    sign_in(ada, "viewer", "ada@example.com")
    user_id = last_user(app).id
    path = html(post(client, f"/users/{user_id}", f"/users/{user_id}/links")).select_one("#one-time-link")
    answer = post(client, f"/users/{user_id}/removal")
    assert answer.status_code == 303
    assert ada.get("/profile").status_code == 303
    assert app.test_client().get(path["value"].removeprefix("http://localhost")).status_code == 410
    assert "ada@example.com" not in html(client.get("/users")).select_one("#users").text


@pytest.mark.parametrize("verb", ["role", "removal"])
def test_the_last_administrator_cannot_go(app, verb):
    """Nobody can lock everybody out; the page says what to do first."""
    client = signed_in(app)
    user_id = last_user(app).id
    answer = post(client, f"/users/{user_id}", f"/users/{user_id}/{verb}", role="viewer")
    assert answer.status_code == 422
    assert "Make somebody else an administrator first" in html(answer).select_one("main").text
    assert last_user(app).role == "administrator"


@pytest.mark.parametrize("path", ["/users/999", "/users/999/removal"])
@SQLITE
def test_an_account_that_is_gone_is_not_found(app, path):
    """A page left open says that what it showed is no longer there."""
    client = signed_in(app)
    assert client.get(path).status_code == 404
    assert post(client, "/profile", "/users/999/removal").status_code == 404


def test_a_changed_password_ends_the_other_sessions_only(app):
    """Changing the password is how one throws out whoever else got in."""
    here, there = app.test_client(), app.test_client()
    sign_in(here)
    sign_in(there)
    fields = {"current": PASSWORD, "password": NEW_PASSWORD}
    assert post(here, "/profile", "/profile/password", **fields).status_code == 303
    assert here.get("/profile").status_code == 200
    assert there.get("/profile").status_code == 303


@SQLITE
def test_a_password_is_changed_only_by_who_knows_it(app):
    """An unlocked computer does not give the account away."""
    client = signed_in(app)
    fields = {"current": "not it at all", "password": NEW_PASSWORD}
    answer = post(client, "/profile", "/profile/password", **fields)
    assert answer.status_code == 422
    assert html(answer).select_one("#current-error")


@SQLITE
def test_a_name_is_shown_as_text(app):
    """What people call themselves is never markup."""
    client = signed_in(app)
    assert post(client, "/profile", name="<b>Grace</b>").status_code == 303
    assert html(client.get("/users")).select_one(".identity__name").text == "<b>Grace</b>"


@SQLITE
def test_the_link_begins_with_the_public_address_where_one_is_configured(settings):
    """A forged Host header never ends up in a link that somebody is sent."""
    app = create_app(replace(settings, public_url="https://crm.example.com"))
    client = app.test_client()
    client.set_cookie(COOKIE, sign_in(client), domain="evil.example")
    forged = {"base_url": "http://evil.example"}
    token = html(client.get("/users/new", **forged)).select_one("input[name=csrf_token]")["value"]
    fields = {"csrf_token": token, "email": "ada@example.com", "role": "viewer"}
    address = html(client.post("/users", data=fields, **forged)).select_one("#one-time-link")["value"]
    assert re.fullmatch(r"https://crm\.example\.com/setup/[\w-]{43}", address)
    with app.app_context():
        db.engine.dispose()


def at_once(app, *verbs):
    """Run each verb in a thread of its own, all beginning together; what each returned or raised."""
    start = threading.Barrier(len(verbs))

    def run(verb):
        with app.app_context(), writing():
            start.wait()
            try:
                return verb(db.session())
            except accounts.AccountError as error:
                return error

    with ThreadPoolExecutor(len(verbs)) as pool:
        return list(pool.map(run, verbs))


def test_of_two_who_use_a_link_at_once_one_gets_in(app):
    """A link is good for one account, even when it is used twice in the same instant."""
    with app.app_context(), writing():
        token = invitations.invite(db.session(), "ada@example.com", "viewer")
    results = at_once(
        app, *(partial(invitations.accept, token=token, email="", name=n, password_hash="h") for n in "AB")
    )
    assert [type(result) for result in results].count(invitations.LinkEnded) == 1
    with app.app_context():
        assert len(accounts.users(db.session())) == 1


def test_two_administrators_cannot_remove_each_other_at_once(app):
    """However quickly they click, one administrator stays."""
    first, second = add_user(app, "ada@example.com"), add_user(app, "grace@example.com")
    results = at_once(
        app,
        partial(accounts.remove, user_id=first),
        partial(accounts.change_role, user_id=second, role="viewer"),
    )
    assert [type(result) for result in results].count(accounts.LastAdministrator) == 1
    with app.app_context():
        assert accounts.has_administrator(db.session())
