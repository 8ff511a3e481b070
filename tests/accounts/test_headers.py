"""The headers of every answer: pages, files, errors, the API, what is sent, and the webhook."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine
from werkzeug.test import TestResponse

from tests.accounts.test_access import Place, places, secret, walk  # noqa: F401  fixtures
from tests.api.support import make_key
from tests.people import csrf_token, signed_in
from tests.webhook.conftest import Line, line  # noqa: F401  a fixture
from webapp.app import create_app
from webapp.config import Settings
from webapp.services import tokens

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
HSTS = "Strict-Transport-Security"
FRAME = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# The webhook's answers are JSON for programs: nothing in them is a page, and no browser reads them.
OF_THE_WEBHOOK = {"Content-Type", "Content-Length", "Cache-Control", "X-Content-Type-Options"}
UNLIKE_OTHERS = {405: {"Allow"}, 503: {"Retry-After"}}


def framed(answer: TestResponse, what: object, is_file: bool = False) -> None:
    """Hold the headers that every answer of the pages and of the API has."""
    headers = answer.headers
    assert {name: headers.get(name) for name in FRAME} == FRAME, what
    policy = headers["Content-Security-Policy"]
    assert "unsafe" not in policy, what
    for part in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'"):
        assert part in policy.split("; "), what
    assert "camera=()" in headers["Permissions-Policy"], what
    assert HSTS not in headers, what  # nobody came by https
    if not is_file:  # which browsers keep (test_frame.py)
        assert headers["Cache-Control"] == "no-store", what
        assert "HX-Request" in headers["Vary"], what


@pytest.mark.parametrize("role", ["administrator", "viewer", None])
def test_whatever_is_read_carries_the_frame(
    app: Flask,
    places: list[Place],  # noqa: F811
    role: str | None,
) -> None:
    """No page, file, redirect or refusal can be framed, sniffed, kept, or made to run a foreign script."""
    client = signed_in(app, role) if role else app.test_client()
    reading = [place for place in places if place.method != "POST"]
    for place, answer in walk(client, reading):
        framed(answer, place, is_file=place.endpoint == "static" and answer.status_code < 400)
    for answer in (client.get("/nowhere"), client.put("/users"), client.get("/static/nothing.css")):
        framed(answer, answer.status)


@pytest.mark.parametrize(
    ("role", "with_token", "status"),
    [
        ("administrator", True, {200, 303, 404, 422}),
        ("administrator", False, {400}),
        ("viewer", True, {403}),
        (None, True, {303}),
    ],
)
def test_whatever_is_sent_is_answered_in_the_frame(
    app: Flask,
    places: list[Place],  # noqa: F811
    role: str | None,
    with_token: bool,
    status: set[int],
) -> None:
    """Forms that are taken, that are refused, that lack their token, and those of strangers."""
    client = signed_in(app, role) if role else app.test_client()
    token = csrf_token(client, "/profile" if role else "/sign-in")
    headers = {"X-CSRFToken": token} if with_token else {}
    sent = [place for place in places if place.method == "POST" and place.endpoint != "accounts.sign_out"]
    answers = walk(client, sent, headers=headers)
    for place, answer in answers:
        framed(answer, (place, answer.status))
    assert status <= {answer.status_code for _, answer in answers}
    too_large = client.post("/profile", data={"name": "x" * 2_000_000}, headers=headers)
    framed(too_large, too_large.status)


def test_the_api_answers_in_the_frame(app: Flask, engine: Engine) -> None:
    """With a key and without, in JSON, and where there is nothing."""
    key = make_key(engine)
    app.extensions["api_buckets"].at_once = 1000
    client = app.test_client()
    seen = set()
    for method, path in of_the_api(app):
        for auth in (None, (key, "")):
            answer = client.open(path, method=method, auth=auth, data="{}", content_type="application/json")
            framed(answer, (method, path))
            assert answer.status_code == 204 or answer.content_type == "application/json", path
            assert "Set-Cookie" not in answer.headers
            seen.add(answer.status_code)
    app.extensions["api_buckets"].at_once = 0
    framed(client.get("/v1/customers", auth=(key, "")), 429)
    assert {200, 401, 404, 405, 422} <= seen


def of_the_api(app: Flask) -> list[tuple[str, str]]:
    """Every method of every address of the API, one that it does not take, and an address that is none."""
    found = [("GET", "/v1/nothing"), ("PUT", "/v1/customers")]
    with app.test_request_context():
        adapter = app.url_map.bind("localhost")
        for rule in app.url_map.iter_rules():
            if rule.endpoint.startswith("api."):
                path = adapter.build(rule.endpoint, dict.fromkeys(rule.arguments, "x"))
                found += [(method, path) for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"})]
    return found


def test_the_webhook_answers_with_its_own_headers_and_no_others(line: Line) -> None:  # noqa: F811
    """Whatever becomes of a call, its answer is JSON that nobody keeps or takes for something else."""
    event = {"type": "identify", "messageId": "m1", "userId": "u1"}
    line.set(signing_sealed=tokens.seal(line.settings.secret_key, "a shared secret"))
    replies = [line.post(event)]
    line.set(signing_sealed=None)
    replies += [
        line.post(event),
        line.post(b"{"),
        line.post(event, token="unknown"),
        line.call("GET", f"/webhooks/segment/{line.token}"),
        line.post(b" " * (line.settings.max_body_bytes + 1)),
        line.post(event, HTTP_CONTENT_ENCODING="zip"),
    ]
    line.set(pause="refuse")
    replies.append(line.post(event))
    assert [reply.status for reply in replies] == [401, 200, 400, 403, 405, 413, 415, 503]
    for reply in replies:
        assert reply.headers.keys() - UNLIKE_OTHERS.get(reply.status, set()) == OF_THE_WEBHOOK, reply
        assert reply.headers["X-Content-Type-Options"] == "nosniff"
        assert reply.headers["Content-Type"] == "application/json"
        assert reply.headers["Cache-Control"] == "no-store"
        assert json.loads(reply.body)


@pytest.mark.parametrize(
    ("public_url", "hops", "asked", "told"),
    [
        (None, 0, {"base_url": "https://localhost"}, True),
        (None, 0, {}, False),
        (None, 0, {"headers": {"X-Forwarded-Proto": "https"}}, False),
        (None, 1, {"headers": {"X-Forwarded-Proto": "https"}}, True),
        ("https://localhost", 0, {}, True),
        ("https://elsewhere.example", 0, {}, False),
        ("http://localhost", 0, {}, False),
    ],
)
def test_a_browser_that_came_by_https_is_told_to_stay_there(
    settings: Settings, public_url: str | None, hops: int, asked: dict[str, Any], told: bool
) -> None:
    """For a month, under this name alone; and nobody who reads over http is locked out."""
    client: FlaskClient = create_app(
        replace(settings, public_url=public_url, trusted_proxies=hops)
    ).test_client()
    for path in ("/sign-in", "/nowhere", "/static/app.css", "/v1/customers", "/healthz"):
        with client.get(path, **asked) as answer:
            assert answer.headers.get(HSTS) == ("max-age=2592000" if told else None), path
