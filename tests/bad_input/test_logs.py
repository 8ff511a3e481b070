"""What every program prints while it is asked with secrets and personal data: none of it."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.faults.asking import ask
from tests.faults.sender import until
from tests.faults.site import Site, make
from tests.people import account
from webapp.config import Settings

CANARY = "canary-7f3a"


@pytest.fixture
def site(engine: Engine, settings: Settings, broker: str) -> Iterator[Site]:
    """An installation whose programs print into one file."""
    made = make(engine, settings, engine, broker)
    yield made
    made.close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_program_prints_what_it_was_told(site: Site, engine: Engine) -> None:
    """In bodies whole and broken, addresses, passwords, tokens: a canary is in no line of any log."""
    account(engine, f"{CANARY}@example.com")
    site.work()
    site.serve()
    port, path = site.address
    told = {"email": f"{CANARY}@example.com", "name": CANARY, CANARY: CANARY, "age": CANARY}
    event = {"type": "identify", "userId": CANARY, "messageId": CANARY, "timestamp": CANARY, "traits": told}
    whole = json.dumps(event).encode()
    calls = [
        *((path, body) for body in (whole, whole[:-9], CANARY.encode(), b"\xff" + whole, b"[" * 600 + whole)),
        *((where, whole) for where in (f"/webhooks/segment/{CANARY}", f"/v1/track?writeKey={CANARY}")),
        *((f"/{CANARY}", b""), (f"/sign-in?next=/{CANARY}", b""), (f"/setup/{CANARY}", b"")),
        ("/sign-in", urllib.parse.urlencode({"email": f"{CANARY}@example.com", "password": CANARY}).encode()),
    ]
    for where, body in calls:
        assert ask("POST", port, where, body)[0] < 500, where
        assert ask("GET", port, where)[0] < 500, where
    until(lambda: site.pending() == 0, "the worker has read it")
    site.close()
    assert CANARY not in site.log.read_text()
    assert site.token not in site.log.read_text()
