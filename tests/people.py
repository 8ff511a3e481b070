"""Somebody who is signed in, for tests of any page."""

from __future__ import annotations

import re
from functools import cache

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from webapp.database import writing
from webapp.extensions import db
from webapp.models import User
from webapp.security import COOKIE
from webapp.services import accounts, logins, passwords

PASSWORD = "three quiet otters"
# Found as text, since a tree of the whole page takes longer than to answer it.
_TOKEN = re.compile(r'<input [^>]*name="csrf_token" [^>]*value="(?P<token>[^"]+)"')


@cache
def _hash() -> str:
    """Hashing takes its time, by design; once is enough for all tests."""
    return passwords.hashed(PASSWORD)


def add_user(app: Flask, email: str = "grace@example.com", role: str = "administrator") -> int:
    """Add an account whose password is `PASSWORD`; its id."""
    with app.app_context(), writing():
        return accounts.add(db.session(), email, role, _hash()).id


def account(engine: Engine, email: str = "administrator@example.com", role: str = "administrator") -> int:
    """Add an account whose password is `PASSWORD`, without an application; its id."""
    with writing(), Session(engine) as session:
        return accounts.add(session, email, role, _hash()).id


def session(engine: Engine) -> str:
    """The token of an administrator's session, for a browser's cookie."""
    user_id = account(engine)
    with writing(), Session(engine) as begun:
        return logins.start(begun, user_id, days=14)


def sign_in(client: FlaskClient, role: str = "administrator", email: str | None = None) -> str:
    """Give a client the session of an account, which is added where there is none.

    Args:
        client: of an application.
        role: of the account.
        email: of the account; `<role>@example.com` unless given.

    Returns:
        The session's token, which the client's cookie holds.
    """
    app = client.application
    email = email or f"{role}@example.com"
    with app.app_context():
        user_id = next((user.id for user in accounts.users(db.session()) if user.email == email), None)
    user_id = user_id or add_user(app, email, role)
    with app.app_context(), writing():
        token = logins.start(db.session(), user_id, app.extensions["settings"].session_days)
    client.set_cookie(COOKIE, token)
    return token


def signed_in(app: Flask, role: str = "administrator") -> FlaskClient:
    """A browser in which somebody of this role is signed in."""
    client = app.test_client()
    sign_in(client, role)
    return client


def csrf_token(client: FlaskClient, path: str) -> str:
    """The token in the first form of a page, without which no form is taken."""
    field = _TOKEN.search(client.get(path).text)
    assert field is not None, path
    return field["token"]


def post(client: FlaskClient, page: str, path: str | None = None, **fields: object):
    """Send a form as a browser does: look at the page, then post with its token.

    Args:
        client: the browser.
        page: the page that holds the form.
        path: where the form goes; to the page itself unless given.
        fields: of the form.
    """
    return client.post(path or page, data={"csrf_token": csrf_token(client, page)} | fields)


def last_user(app: Flask) -> User:
    """The account that was added last."""
    with app.app_context():
        return max(accounts.users(db.session()), key=lambda user: user.id)
