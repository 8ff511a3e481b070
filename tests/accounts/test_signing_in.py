"""Signing in and out, and what a session is worth."""

import time

import pytest
from argon2 import PasswordHasher
from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import select, update

from tests import economy, people
from tests.people import PASSWORD, add_user, post, sign_in, signed_in
from webapp.database import begin
from webapp.models import Login, User
from webapp.models.base import now
from webapp.security import COOKIE, FORM_COOKIE
from webapp.services import passwords, tokens

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def in_earnest(monkeypatch):
    """Passwords are hashed as in an installation, and so was whatever tests share."""
    monkeypatch.setattr(passwords, "_hasher", economy.HASHED_AS_IN_EARNEST)
    shared = (passwords._decoy, people._hash)
    for each in shared:
        each.cache_clear()
    yield
    for each in shared:
        each.cache_clear()


def html(response):
    """A page to be read by selector."""
    return BeautifulSoup(response.text, "html.parser")


def cookie(client, name=COOKIE):
    """A cookie's value, or None."""
    kept = client.get_cookie(name)
    return kept.value if kept else None


def test_the_right_password_opens_the_dashboard(app):
    """Somebody with an account gets in, whatever the spelling of their address."""
    add_user(app, "grace@example.com")
    client = app.test_client()
    answer = post(client, "/sign-in", email="  Grace@Example.com ", password=PASSWORD)
    assert answer.status_code == 303
    assert client.get("/users").status_code == 200


@SQLITE
@pytest.mark.parametrize(
    ("email", "password"), [("grace@example.com", "wrong"), ("no@example.com", PASSWORD)]
)
def test_an_unknown_address_and_a_wrong_password_get_the_same_answer(app, email, password):
    """Nobody learns from the sign-in page who has an account."""
    add_user(app, "grace@example.com")
    client = app.test_client()
    answer = post(client, "/sign-in", email=email, password=password)
    assert answer.status_code == 422
    assert html(answer).select_one("#sign-in-error").text == (
        "This e-mail address and password do not belong together."
    )
    assert cookie(client) is None


@SQLITE
def test_an_unknown_address_takes_as_long_as_a_wrong_password(in_earnest, app):
    """Nor does anybody learn it from the time that the answer takes."""
    add_user(app, "grace@example.com")
    client = app.test_client()

    def seconds(email):
        began = time.perf_counter()
        post(client, "/sign-in", email=email, password="wrong")
        return time.perf_counter() - began

    seconds("warm@example.com")
    known, unknown = seconds("grace@example.com"), seconds("no@example.com")
    hashing = time.perf_counter()
    passwords.hashed("one hashing, for scale")
    hashing = time.perf_counter() - hashing
    assert unknown > hashing / 3
    assert known > hashing / 3


def test_only_a_digest_of_the_session_is_kept(app, engine):
    """Who reads the database, or a backup of it, still cannot become anybody."""
    token = sign_in(app.test_client())
    with engine.connect() as connection:
        kept = connection.scalars(select(Login.token_digest)).one()
    assert kept == tokens.digest(token)
    assert token.encode() not in kept


def test_passwords_are_kept_as_argon2id(in_earnest, app, engine):
    """A stolen database costs years per password, not milliseconds."""
    add_user(app)
    with engine.connect() as connection:
        kept = connection.scalars(select(User.password_hash)).one()
    assert kept.startswith("$argon2id$")
    assert not PasswordHasher().check_needs_rehash(kept)


def test_a_session_ends_at_sign_out_even_if_its_cookie_is_replayed(app):
    """A copied cookie is worth nothing once its owner has signed out."""
    client = app.test_client()
    token = sign_in(client)
    assert post(client, "/profile", "/sign-out").status_code == 303
    assert cookie(client) is None
    client.set_cookie(COOKIE, token)
    assert client.get("/users").headers["Location"].startswith("/sign-in")


@SQLITE
def test_signing_in_makes_a_new_session_and_new_form_tokens(app):
    """A session that somebody planted in the browser before never becomes that of who signs in."""
    client = app.test_client()
    client.set_cookie(COOKIE, "planted")
    add_user(app)
    before = html(client.get("/sign-in")).select_one("input[name=csrf_token]")["value"]
    client.post("/sign-in", data={"csrf_token": before, "email": "grace@example.com", "password": PASSWORD})
    assert cookie(client) not in (None, "planted")
    assert client.post("/profile", data={"csrf_token": before, "name": "Grace"}).status_code == 400


@SQLITE
def test_signing_in_again_ends_the_session_before(app):
    """One browser has one session; the former does not live on unseen."""
    client = app.test_client()
    former = sign_in(client)
    add_user(app, "ada@example.com")
    page = html(client.get("/profile")).select_one("input[name=csrf_token]")["value"]
    answer = client.post(
        "/sign-in", data={"csrf_token": page, "email": "ada@example.com", "password": PASSWORD}
    )
    assert answer.status_code == 303
    client.set_cookie(COOKIE, former)
    assert client.get("/users").status_code == 303


@SQLITE
def test_who_was_turned_away_comes_to_the_page_they_wanted(app):
    """A link to a page works for somebody who has to sign in first."""
    answer = app.test_client().get("/users?q=ada")
    assert answer.headers["Location"] == "/sign-in?next=/users?q%3Dada"


@SQLITE
def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(app):
    """A table that refreshes itself after the session ended never shows a sign-in form in its place."""
    answer = app.test_client().get(
        "/users", headers={"HX-Request": "true", "HX-Current-URL": "http://localhost/users?page=2"}
    )
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"] == "/sign-in?next=/users?page%3D2"


def test_a_session_that_is_used_lives_on_and_one_that_is_not_ends(app, engine):
    """Sessions last SESSION_DAYS from their last use."""
    client = app.test_client()
    sign_in(client)
    day = 86_400 * 1_000_000

    def last_seen(days_ago):
        with begin(engine) as connection:
            connection.execute(update(Login).values(last_seen_at=now() - days_ago * day))

    last_seen(13)
    answer = client.get("/users")
    assert answer.status_code == 200
    assert any(line.startswith(COOKIE) for line in answer.headers.getlist("Set-Cookie"))
    with engine.connect() as connection:
        assert now() - connection.scalars(select(Login.last_seen_at)).one() < day
    last_seen(15)
    assert client.get("/users").status_code == 303


@SQLITE
def test_guessing_one_account_is_slowed_and_says_until_when(app):
    """Ten tries in ten minutes; then even the right password waits, and the page says how long."""
    add_user(app)
    client = app.test_client()
    for _ in range(10):
        assert post(client, "/sign-in", email="grace@example.com", password="guess").status_code == 422
    answer = post(client, "/sign-in", email="GRACE@example.com", password=PASSWORD)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 601
    assert "10 min" in html(answer).select_one("main").text
    assert post(client, "/sign-in", email="other@example.com", password="x").status_code == 422


@SQLITE
def test_guessing_many_accounts_from_one_address_is_slowed(app):
    """One machine cannot try one password on every account."""
    client = app.test_client()
    page = html(client.get("/sign-in")).select_one("input[name=csrf_token]")["value"]
    answers = [
        client.post("/sign-in", data={"csrf_token": page, "email": f"{n}@example.com", "password": "x"})
        for n in range(31)
    ]
    assert [answer.status_code for answer in answers] == [422] * 30 + [429]


@SQLITE
def test_cookies_are_kept_from_scripts_and_other_sites(app):
    """A script cannot read them, another site's form does not send them, plain http does not carry them."""
    add_user(app)
    client = app.test_client()
    https = {"base_url": "https://localhost"}
    token = html(client.get("/sign-in", **https)).select_one("input[name=csrf_token]")["value"]
    fields = {"csrf_token": token, "email": "grace@example.com", "password": PASSWORD}
    answer = client.post("/sign-in", data=fields, headers={"Referer": "https://localhost/sign-in"}, **https)
    lines = answer.headers.getlist("Set-Cookie")
    lines += client.get("/profile", **https).headers.getlist("Set-Cookie")
    assert {line.split("=")[0] for line in lines} == {COOKIE, FORM_COOKIE}
    for line in lines:
        assert "HttpOnly" in line
        assert "SameSite=Lax" in line
        assert "Secure" in line


@SQLITE
def test_the_form_cookie_says_nothing_of_who_is_signed_in(app):
    """Flask's signed cookie carries the forms' token only; stealing it opens nothing."""
    client = app.test_client()
    sign_in(client)
    client.get("/profile")
    thief = app.test_client()
    thief.set_cookie(FORM_COOKIE, cookie(client, FORM_COOKIE))
    assert thief.get("/users").status_code == 303


@SQLITE
def test_a_password_that_was_hashed_too_cheaply_is_hashed_anew(in_earnest, app, engine):
    """When the recommended cost rises, each account follows at its next sign-in."""
    add_user(app)
    cheap = PasswordHasher(time_cost=1, memory_cost=1024).hash(PASSWORD)
    with begin(engine) as connection:
        connection.execute(update(User).values(password_hash=cheap))
    assert (
        post(app.test_client(), "/sign-in", email="grace@example.com", password=PASSWORD).status_code == 303
    )
    with engine.connect() as connection:
        kept = connection.scalars(select(User.password_hash)).one()
    assert kept != cheap
    assert not passwords.outdated(kept)


def test_nothing_unreadable_breaks_the_sign_in(app: Flask):
    """NUL, lone surrogates and a megabyte are wrong passwords, not errors."""
    client = app.test_client()
    for email, password in [("a\0@b.c", "x\0"), ("é" * 5000, "x" * 100_000), ("", "")]:
        assert post(client, "/sign-in", email=email, password=password).status_code == 422
    token = html(client.get("/sign-in")).select_one("input[name=csrf_token]")["value"]
    body = f"csrf_token={token}&email=%ED%A0%80&password=%ED%A0%80".encode()
    kind = "application/x-www-form-urlencoded"
    assert client.post("/sign-in", data=body, content_type=kind).status_code == 422


@SQLITE
def test_the_session_cookie_lasts_no_longer_than_the_session(app):
    """The browser forgets what the server has forgotten."""
    add_user(app)
    answer = post(app.test_client(), "/sign-in", email="grace@example.com", password=PASSWORD)
    line = next(x for x in answer.headers.getlist("Set-Cookie") if x.startswith(COOKIE))
    assert f"Max-Age={14 * 86_400}" in line


@SQLITE
def test_the_start_leads_on_to_a_page(app):
    """The brand in the corner leads somewhere for everybody who is signed in."""
    client = signed_in(app)
    assert client.get("/").status_code == 302
