"""Headers that anybody can write: they neither lend another address nor another name to this installation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from argon2 import PasswordHasher
from bs4 import BeautifulSoup
from sqlalchemy import Engine

from tests import factories
from tests.accounts.test_access import Place, places, secret  # noqa: F401  fixtures
from tests.people import csrf_token, sign_in, signed_in
from webapp.app import create_app
from webapp.config import Settings
from webapp.database import begin
from webapp.models import User
from webapp.security import COOKIE

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVIL = "evil.example"
OURS = "https://tributary.example.com"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(
    "not that one"
)  # a guess takes no time


@pytest.mark.parametrize(
    ("hops", "told", "last"),
    [
        (0, "10.0.0.{n}", 429),
        (0, "10.0.0.{n}, 9.9.9.9", 429),
        (1, "10.0.0.{n}, 9.9.9.9", 429),  # the proxy has written who asked behind what they told it
        (1, "9.9.9.9, 10.0.0.{n}", 422),  # and these are others each time
        (2, "10.0.0.{n}, 9.9.9.9, 127.0.0.1", 429),
    ],
)
def test_another_address_in_each_try_does_not_escape_the_limit_of_guesses(
    settings: Settings, engine: Engine, hops: int, told: str, last: int
) -> None:
    """What a client says of its own address counts for nothing; what a trusted proxy says of it does."""
    with begin(engine) as connection:
        for n in range(31):
            person = {"email": f"{n}@example.com", "name": "", "role": "viewer"}
            factories.make(connection, User, password_hash=CHEAP, created_at=factories.SOME_DAY, **person)
    client = create_app(replace(settings, trusted_proxies=hops)).test_client()
    token = csrf_token(client, "/sign-in")
    answers = []
    for n in range(31):
        fields = {"csrf_token": token, "email": f"{n}@example.com", "password": "x"}
        # Others who tell it, whom nobody asked to, are believed as little.
        others = {"X-Real-Ip": f"10.0.1.{n}", "Forwarded": f"for=10.0.1.{n}"}
        headers = {"X-Forwarded-For": told.format(n=n)} | others
        answers.append(client.post("/sign-in", data=fields, headers=headers).status_code)
    assert answers == [422] * 30 + [last]


FORGED = [
    (0, {"Host": EVIL}),
    (0, {"X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "http", "Forwarded": f"host={EVIL}"}),
    (1, {"X-Forwarded-Host": EVIL, "X-Forwarded-Prefix": f"//{EVIL}", "X-Forwarded-Port": "1"}),
    (1, {"Host": EVIL, "X-Forwarded-Host": f"tributary.example.com, {EVIL}"}),
]


@pytest.mark.parametrize(("hops", "headers"), FORGED)
def test_no_page_takes_a_name_of_this_installation_from_who_asks(
    settings: Settings,
    places: list[Place],  # noqa: F811
    hops: int,
    headers: dict[str, str],
) -> None:
    """Webhook URLs, one-time links and addresses of the API begin with PUBLIC_URL; all else is a path."""
    client = create_app(replace(settings, trusted_proxies=hops, public_url=OURS)).test_client()
    client.set_cookie(COOKIE, sign_in(client), domain=EVIL)  # as if it were asked under that name
    read = 0
    for place in (each for each in places if each.method == "GET"):
        answer = client.get(place.path, headers=headers, buffered=True)
        assert EVIL.encode() not in answer.data, place
        assert EVIL not in str(answer.headers), place
        read += answer.status_code == 200
    assert read > 30
    source = next(place.path for place in places if place.endpoint == "sources.settings")
    for path in (source, "/sources/new/segment", source.replace("settings", "connect")):
        assert value(client.get(path, headers=headers).text, "webhook-url").startswith(f"{OURS}/webhooks/")
    assert OURS in client.get("/api-keys", headers=headers).text
    token = value(client.get("/profile", headers=headers).text, name="csrf_token")
    for path, fields in (("/users", {"email": "ada@example.com", "role": "viewer"}), ("/users/1/links", {})):
        page = client.post(path, data={"csrf_token": token} | fields, headers=headers).text
        assert value(page, "one-time-link").startswith(f"{OURS}/setup/")
        assert EVIL not in page


@pytest.mark.parametrize("hops", [0, 1])
def test_without_a_public_url_only_a_trusted_proxy_says_what_was_asked_for(
    settings: Settings, hops: int
) -> None:
    """A header that came past no proxy of ours changes no link."""
    client = signed_in(create_app(replace(settings, trusted_proxies=hops)))
    fields = {"csrf_token": csrf_token(client, "/profile"), "email": "ada@example.com", "role": "viewer"}
    answer = client.post("/users", data=fields, headers={"X-Forwarded-Host": "proxied.example"})
    assert value(answer.text, "one-time-link").startswith(
        f"http://{'proxied.example' if hops else 'localhost'}/setup/"
    )


def value(page: str, id: str | None = None, name: str | None = None) -> str:
    """What stands in a field of a page."""
    field = BeautifulSoup(page, "html.parser").select_one(f"#{id}" if id else f"[name={name}]")
    assert field is not None, page
    return str(field["value"])
