"""Sources for tests of their pages, made by the services, and pages read by selector."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from bs4 import BeautifulSoup
from flask import Flask
from sqlalchemy import Engine, update

from tests.projection.support import drain, receive
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.extensions import db
from webapp.models import Source, now
from webapp.services import sources, tokens

ADA = {"type": "identify", "messageId": "m1", "userId": "ada", "traits": {"email": "ada@example.com"}}
BOB = {"type": "identify", "messageId": "m2", "userId": "bob", "traits": {"name": "Bob Byte"}}
ACME = {"type": "group", "messageId": "m3", "userId": "bob", "groupId": "acme", "traits": {"name": "Acme"}}


def add_source(app: Flask, name: str = "Production", policy: str = "user") -> tuple[str, str]:
    """Add a source; its public id and the token of its URL."""
    token = tokens.make_token()
    with app.app_context(), writing():
        return sources.add(db.session(), app.extensions["settings"], name, policy, token).public_id, token


def row(app: Flask, public_id: str) -> Source | None:
    """A source as the database has it, whatever its state."""
    with app.app_context():
        found: Source | None = db.session.query(Source).filter_by(uuid=public_id.removeprefix("ds_")).first()
        return found


def key(app: Flask, public_id: str) -> int:
    """A source's id in the database."""
    found = row(app, public_id)
    assert found is not None
    return found.id


def fill(
    app: Flask, engine: Engine, settings: Settings, public_id: str, events: Iterable[Any] = (ADA, BOB, ACME)
) -> None:
    """Receive some events and fold them, as webhook and worker do."""
    source_id = key(app, public_id)
    receive(engine, source_id, events)
    change(engine, source_id, first_event_at=now(), last_event_at=now())
    drain(engine, settings, source_id)


def change(engine: Engine, source_id: int, **columns: Any) -> None:
    """Change a source's row."""
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.id == source_id).values(**columns))


def soup(answer: Any) -> BeautifulSoup:
    """An answer, to be read by selector."""
    return BeautifulSoup(answer.text, "html.parser")


def text(page: Any, selector: str) -> str:
    """The text of the one element that a selector finds, with single blanks."""
    found = page.select(selector)
    assert len(found) == 1, f"{selector} is on the page {len(found)} times"
    return " ".join(found[0].get_text(" ").split())


def shown_token(page: Any) -> str:
    """The token of the webhook URL that a page shows."""
    return str(page.select_one("#webhook-url")["value"]).rsplit("/", 1)[1]


def body(event: Any) -> bytes:
    """An event as it comes over the wire."""
    return json.dumps(event).encode()
