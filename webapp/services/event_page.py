"""One event as people look into it: the body as received, what was read from it, and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import mapping as mappings
from webapp.domain import segment, wire
from webapp.domain.attributes import Value, shown, type_of
from webapp.domain.segment import Reading
from webapp.domain.text import clean
from webapp.models import Event, Source
from webapp.services import outcomes

LONGEST_SHOWN = 200_000
"""Characters of a body that a page shows; all of it can be had as a file."""


@dataclass(frozen=True, slots=True)
class Look:
    """What there is to see of one event.

    Attributes:
        event: its row.
        outcome: what became of it.
        raw: the body as received; what no page can show is U+FFFD.
        pretty: the same, indented.
        cut: whether the body is longer than is shown.
        read: what was read from it, as (heading, [(name, value)]).
        warnings: (field, what was noticed), in words.
        unreadable: why the body could not be read; empty when it could.
    """

    event: Event
    outcome: outcomes.Outcome
    raw: str
    pretty: str
    cut: bool
    read: list[tuple[str, list[tuple[str, str]]]]
    warnings: list[tuple[str, str]]
    unreadable: str = ""


def find(session: Session, source: Source, event_id: int) -> Event | None:
    """An event of a source; None when there is none, or retention has dropped it."""
    if event_id >= 2**63:
        return None
    return session.scalars(
        select(Event).where(Event.source_id == source.id, Event.id == event_id)
    ).one_or_none()


def look(session: Session, source: Source, event: Event) -> Look:
    """Look into an event, reading it again by the mapping that is applied."""
    outcome = outcomes.of(session.connection(), source, [event])[event.id]
    raw = clean(event.body.decode("utf-8", "replace"))
    pretty = _indented(event.body)
    try:
        mapping = mappings.of(source.applied_mapping)
        reading = segment.read(wire.decode(event.body), event.received_at, mapping)
    except ValueError as error:
        return Look(event, outcome, raw[:LONGEST_SHOWN], pretty, False, [], [], str(error))
    stored = [(code, name) for code, name in event.warnings or ()]
    noticed = stored or list(reading.warnings)
    return Look(
        event=event,
        outcome=outcome,
        raw=raw[:LONGEST_SHOWN],
        pretty=pretty[:LONGEST_SHOWN],
        cut=max(len(raw), len(pretty)) > LONGEST_SHOWN,
        read=_sections(reading),
        warnings=[(clean(name), outcomes.warning(code)) for code, name in noticed],
    )


def _indented(body: bytes) -> str:
    try:
        return clean(msgspec.json.format(body, indent=2).decode("utf-8", "replace"))
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:  # NaN, half a surrogate pair: what the standard's decoder lets through
        return clean(json.dumps(wire.decode(body), indent=2, ensure_ascii=False, default=str))
    except (ValueError, RecursionError):
        return clean(body.decode("utf-8", "replace"))


def _sections(reading: Reading) -> list[tuple[str, list[tuple[str, str]]]]:
    if reading.reason is not None:
        return []
    ids = {
        "User ID": reading.user_id,
        "Anonymous ID": reading.anonymous_id,
        "Company (group ID)": reading.group_id,
    }
    sections = [
        ("Who and which company", [(name, clean(id)) for name, id in ids.items() if id is not None]),
        ("Of the contact", _standard(reading.contact)),
        ("Of the contact, where no trait ever told it", _standard(reading.weak)),
        ("Custom attributes of the contact", _custom(reading.contact_custom)),
        ("Of the customer", _standard(reading.company)),
        ("Custom attributes of the customer", _custom(reading.company_custom)),
    ]
    return [(heading, facts) for heading, facts in sections if facts]


def _standard(said: Any) -> list[tuple[str, str]]:
    return [(name, "(cleared)" if value is None else value) for name, value in said.items()]


def _custom(said: dict[str, Value]) -> list[tuple[str, str]]:
    return [(f"{key} ({type_of(value)})", shown(value, type_of(value))) for key, value in said.items()]
