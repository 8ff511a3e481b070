"""Settings & Data > API keys, and what a key opens."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, update

from tests.api.support import call, make_key
from tests.people import post, signed_in
from webapp.database import begin
from webapp.models import ApiKey, AuditLine, Login
from webapp.models.api_key import READ
from webapp.services import tokens
from webapp.views.api.limits import Buckets

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def made_by_page(client: FlaskClient, name: str = "Nightly", scope: str = "write") -> str:
    """A key that somebody made on the page."""
    answer = post(client, "/api-keys/new", "/api-keys", name=name, scope=scope)
    page = BeautifulSoup(answer.text, "html.parser")
    field = page.select_one("#api-key")
    assert field is not None, answer.text
    assert page.select("h1")[0].text == f"The key “{name}”"
    return str(field["value"])


def test_a_key_is_shown_once_and_kept_as_a_digest(app: Flask, engine: Engine) -> None:
    """Whoever reads the database, or the page later, cannot call with it."""
    client = signed_in(app)
    key = made_by_page(client)
    assert call(client, key, "GET", "/ping").json == {"data": "pong!"}
    page = client.get("/api-keys").text
    assert key not in page
    assert key[:10] in page
    with engine.connect() as connection:
        row = connection.execute(select(ApiKey.__table__)).one()
        line = connection.execute(select(AuditLine).where(AuditLine.action == "api_key.made")).one()
    assert row.digest == tokens.api_key_digest(key)
    assert all(key not in str(value) for value in (*row, line.details))


@SQLITE
def test_a_revoked_key_opens_nothing(app: Flask) -> None:
    """From the click on, whoever has it is turned away."""
    client = signed_in(app)
    key = made_by_page(client)
    answer = post(client, "/api-keys/1/revocation", "/api-keys/1/revocation")
    assert answer.status_code == 303
    assert call(client, key, "GET", "/ping").status_code == 401
    assert "No keys yet" in client.get("/api-keys").text
    again = client.post("/api-keys/1/revocation", data={"csrf_token": _token(client)})
    assert again.status_code == 303


def _token(client: FlaskClient) -> str:
    field = BeautifulSoup(client.get("/profile").text, "html.parser").select_one("input[name=csrf_token]")
    assert field is not None
    return str(field["value"])


@SQLITE
def test_a_key_needs_a_name_of_its_own_and_a_scope(app: Flask) -> None:
    """Two keys of one name could not be told apart when one has to go."""
    client = signed_in(app)
    made_by_page(client)
    for told, complaint in (
        ({"name": " ", "scope": "read"}, "Give this key a name"),
        ({"name": "nightly", "scope": "read"}, "There is already a key named"),
        ({"name": "x" * 256, "scope": "read"}, "at most 255 characters"),
        ({"name": "Other", "scope": "everything"}, "Choose what the key may do"),
    ):
        answer = post(client, "/api-keys/new", "/api-keys", **told)
        assert answer.status_code == 422
        assert complaint in answer.text


@SQLITE
def test_keys_are_for_administrators_who_typed_their_password_lately(app: Flask, engine: Engine) -> None:
    """A key outlives the session that it was made in, so an open browser is not enough."""
    assert signed_in(app, "viewer").get("/api-keys").status_code == 403
    client = signed_in(app)
    with begin(engine) as connection:
        connection.execute(update(Login).values(confirmed_at=0))
    assert client.get("/api-keys/new").headers["Location"].startswith("/confirm")
    assert client.get("/api-keys").status_code == 200


def test_a_key_that_may_read_changes_nothing(client: FlaskClient, engine: Engine) -> None:
    """403, with a body as all others, and nothing was made."""
    key = make_key(engine, READ)
    answer = call(client, key, "POST", "/data_sources", {"name": "Billing"})
    assert answer.status_code == 403
    assert answer.json["code"] == 403
    assert call(client, key, "GET", "/data_sources").json == {"data_sources": []}


@SQLITE
def test_no_address_of_the_api_opens_without_a_key(app: Flask) -> None:
    """Neither to a stranger nor to an administrator's browser; the description alone does."""
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        places = [
            (method, adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, "x")))
            for rule in app.url_map.iter_rules()
            if rule.endpoint.startswith("api.") and rule.endpoint != "api.description"
            for method in rule.methods or ()
            if method != "OPTIONS"
        ]
    assert len(places) > 40
    app.extensions["api_buckets"].at_once = 1000
    for client in (app.test_client(), signed_in(app)):
        for method, path in places:
            answer = client.open(path, method=method)
            assert answer.status_code == 401, (method, path)
            assert answer.content_type == "application/json"


@SQLITE
def test_a_session_opens_nothing_of_the_api(app: Flask, engine: Engine) -> None:
    """Another site's page can make a browser send its cookie, and never a key."""
    client = signed_in(app)
    answer = client.get("/v1/customers")
    assert (answer.status_code, answer.json["message"]) == (401, "No valid API key provided")
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert "Set-Cookie" not in answer.headers
    for key in ("", "trk_none", "trk_\u20ac"):
        assert call(client, key, "GET", "/ping").status_code == 401
    assert client.get("/v1/ping", headers={"Authorization": "Basic !!"}).status_code == 401
    assert client.get("/v1/ping", headers={"Authorization": "Bearer x"}).status_code == 401


@SQLITE
def test_the_page_says_when_a_key_was_last_used(app: Flask, engine: Engine) -> None:
    """A key that nobody uses any more can go."""
    key = make_key(engine)
    client = app.test_client()
    call(client, key, "GET", "/ping")
    with engine.connect() as connection:
        assert connection.scalar(select(ApiKey.last_used_at)) is not None


def test_a_bucket_fills_with_time_up_to_its_size() -> None:
    """Each caller has as many calls at once as the bucket holds, then one whenever a token is back."""
    clock = [0.0]
    buckets = Buckets(a_second=2, at_once=3, clock=lambda: clock[0], most=2)
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("b") == 0
    clock[0] = 0.5
    assert [buckets.take("a"), buckets.take("a")] == [0, 0.5]
    clock[0] = 100
    assert [buckets.take("a") for _ in range(4)] == [0, 0, 0, 0.5]
    buckets.take("c")
    buckets.take("d")
    assert buckets.take("a") == 0, "whoever has not called for longest is forgotten, with a full bucket"


@SQLITE
def test_who_calls_too_often_is_told_when_to_try_again(app: Flask, engine: Engine) -> None:
    """429 with Retry-After for this key; other keys are not slowed by it."""
    app.extensions["api_buckets"] = Buckets(a_second=0.1, at_once=2)
    client, key, other = app.test_client(), make_key(engine), make_key(engine)
    answers = [call(client, key, "GET", "/ping") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["Retry-After"]) in range(1, 11)
    assert "exceeded our rate limit" in answers[2].json["message"]
    assert call(client, other, "GET", "/ping").status_code == 200


@SQLITE
def test_what_a_key_did_is_in_the_audit_log(app: Flask, engine: Engine) -> None:
    """A source that a program made or deleted is that program's act, by its key's name."""
    key, client = make_key(engine), app.test_client()
    made = call(client, key, "POST", "/data_sources", {"name": "Billing"}).json
    call(client, key, "DELETE", f"/data_sources/{made['uuid']}")
    with engine.connect() as connection:
        query = select(AuditLine.action, AuditLine.details).where(AuditLine.action.startswith("source."))
        lines = {row.action: row.details["by"] for row in connection.execute(query)}
        name = connection.scalar(select(ApiKey.name))
    assert lines == {"source.billing_added": f"API key {name}", "source.deleted": f"API key {name}"}
