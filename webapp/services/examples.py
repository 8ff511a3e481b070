"""Example events, to be tried or sent from a source's page: one of every kind that is imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from webapp.domain.clock import iso

USER, COMPANY = "test-user-1", "test-company-1"
_CONTACT = {
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "title": "Mathematician",
}
_ADDRESS = {
    "street": "12 St James’s Square",
    "city": "London",
    "state": "",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}


def _identify() -> dict[str, Any]:
    traits = {**_CONTACT, "plan": "pro", "company": {"id": COMPANY, "name": "Analytical Engines"}}
    return {"type": "identify", "userId": USER, "traits": traits}


def _group() -> dict[str, Any]:
    traits = {
        "name": "Analytical Engines",
        "website": "https://engines.example.com",
        "employees": 12,
        "address": _ADDRESS,
    }
    return {"type": "group", "userId": USER, "groupId": COMPANY, "traits": traits}


def _track() -> dict[str, Any]:
    properties = {"report": "Weekly", "seats": 3}
    context = {"groupId": COMPANY, "traits": _CONTACT}
    return {
        "type": "track",
        "event": "Report Opened",
        "userId": USER,
        "properties": properties,
        "context": context,
    }


def _send_contact() -> dict[str, Any]:
    return {
        "type": "Send Contact",
        "user_id": USER,
        **_CONTACT,
        "company": {"id": COMPANY, "name": "Analytical Engines"},
    }


def _send_customer() -> dict[str, Any]:
    return {
        "type": "Send Customer",
        "user_id": USER,
        "group_id": COMPANY,
        "name": "Analytical Engines",
        "website": "https://engines.example.com",
        "address": _ADDRESS,
    }


def _page() -> dict[str, Any]:
    return {"type": "page", "name": "Pricing", "userId": USER, "properties": {"path": "/pricing"}}


_MADE: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
    "identify": ("Identify", _identify),
    "group": ("Group", _group),
    "track": ("Track", _track),
    "send_contact": ("Send Contact (ChartMogul destination)", _send_contact),
    "send_customer": ("Send Customer (ChartMogul destination)", _send_customer),
    "page": ("Page (not imported)", _page),
}
CHOICES = [(key, label) for key, (label, _) in _MADE.items()]
FIRST = "identify"


def example(key: str, at: int, message_id: str) -> str:
    """An example as JSON text, indented for a person to edit.

    Args:
        key: one of `CHOICES`; any other gives the first.
        at: when it happened, in microseconds since the epoch.
        message_id: of its own, so that it is not taken for one that was sent before.
    """
    event = _MADE.get(key, _MADE[FIRST])[1]()
    snake = " " in event["type"]
    frame = {"message_id" if snake else "messageId": message_id, "timestamp": iso(at)}
    return json.dumps(event | frame, indent=2, ensure_ascii=False)
