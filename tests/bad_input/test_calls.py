"""Calls of the webhook that nobody should send: what is answered, what is stored, and what comes of it."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest
from sqlalchemy import func, select

from tests.bad_input.conftest import catalogue
from tests.projection import support
from tests.webhook.conftest import Line
from webapp.models import Event
from webapp.models.event import STATES
from webapp.services import export
from webapp.services.tables import CONTACTS

CALLS = catalogue("calls")


@pytest.mark.parametrize("kind", CALLS)
def test_every_call_of_the_catalogue_ends_as_it_says(line: Line, kind: str) -> None:
    """The answer, what is stored, its outcome with the reason, and the contact that comes of it."""
    for case in CALLS[kind]:
        before = count(line)
        body = case.get("body", json.dumps(case.get("event")))
        path = case.get("path", "/webhooks/segment/TOKEN").replace("TOKEN", line.token)
        reply = line.call(case.get("method", "POST"), path, body)
        assert reply.status == case["answer"], case
        assert count(line) - before == case["stored"], case
        if case["stored"]:
            support.drain(line.engine, line.settings, line.source_id)
            event = latest(line)
            assert STATES[event.state] == case["outcome"], case
            assert event.reason == case.get("reason"), case
            if "warnings" in case:
                assert (event.warnings or []) == case["warnings"], case
        if "contact" in case:
            assert any(row | case["contact"] == row for row in contacts(line)), (case, contacts(line)[-1])


def count(line: Line) -> int:
    """How many events are stored."""
    return support.count_rows(line.engine, Event)


def latest(line: Line) -> Any:
    """The event that was stored last."""
    with line.engine.connect() as connection:
        newest = select(func.max(Event.id)).scalar_subquery()
        return connection.execute(select(Event.__table__).where(Event.id == newest)).one()


def contacts(line: Line) -> list[dict[str, str]]:
    """The contacts of the source, as its file tells them."""
    with line.engine.connect() as connection:
        file = b"".join(export.source_csv(connection, CONTACTS, line.source_id))
    return list(csv.DictReader(io.StringIO(file.decode(), newline="")))
