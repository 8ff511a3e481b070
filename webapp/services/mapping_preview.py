"""What another mapping would change, found by reading a source's latest events both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import segment, wire
from webapp.domain.attributes import Value
from webapp.domain.fold import Told, customs, fold, standing
from webapp.domain.identity import company_key, keyed
from webapp.domain.mapping import Mapping as Rules
from webapp.domain.segment import Reading
from webapp.models import Event, Source
from webapp.models.event import PENDING
from webapp.services.counting import Count, count

LOOKED_AT = 2000
"""Events that are read both ways; of a larger inbox the latest."""


@dataclass(slots=True)
class Change:
    """What becomes of one attribute, in people or companies among the events looked at.

    Attributes:
        entity: `contact` or `customer`.
        name: the standard attribute, or the key of the custom one.
        gain: so many have it who had not.
        lose: so many have it no more.
        differ: so many have another value.
    """

    entity: str
    name: str
    custom: bool
    gain: int = 0
    lose: int = 0
    differ: int = 0


@dataclass(slots=True)
class Preview:
    """What another mapping would change.

    Attributes:
        looked_at: events read both ways.
        of: events in the inbox.
        events: those that would be read otherwise.
        dropped: those that would be ignored and are imported now.
        taken: those that would be imported and are ignored now.
        people, companies: those with another value or attribute.
        changes: attribute by attribute.
    """

    looked_at: int
    of: Count
    events: int
    dropped: int
    taken: int
    people: int
    companies: int
    changes: list[Change]

    @property
    def whole(self) -> bool:
        """Whether every event was looked at, so that the numbers are exact."""
        return self.of.exact and self.looked_at >= self.of.number


def preview(session: Session, source: Source, now: Rules, then: Rules) -> Preview:
    """Compare two mappings over a source's latest events."""
    query = select(Event.id, Event.received_at, Event.body)
    query = query.where(Event.source_id == source.id, Event.state != PENDING)
    events = session.execute(query.order_by(Event.id.desc()).limit(LOOKED_AT)).all()
    before, after = _read(events, now), _read(events, then)
    pairs = [(before[event_id], after[event_id]) for event_id in before if event_id in after]
    differing = [pair for pair in pairs if _says(pair[0]) != _says(pair[1])]
    # Only who is spoken of by an event that differs can be known otherwise.
    about = {who for pair in differing for reading in pair for who in _about(reading)}
    one, other = (
        fold((event_id, reading) for event_id, reading in read.items() if about & _about(reading))
        for read in (before, after)
    )
    changes: dict[tuple[str, str, bool], Change] = {}
    changed = [
        _compare(entity, known, then_known, changes)
        for entity, known, then_known in zip(("contact", "customer"), one, other, strict=True)
    ]
    return Preview(
        looked_at=len(events),
        of=count(
            session, Event, (Event.source_id == source.id) & (Event.state != PENDING), least=len(events)
        ),
        events=len(differing),
        dropped=sum(was.reason is None and will.reason is not None for was, will in differing),
        taken=sum(was.reason is not None and will.reason is None for was, will in differing),
        people=changed[0],
        companies=changed[1],
        changes=sorted(changes.values(), key=lambda change: (change.entity, change.custom, change.name)),
    )


def _read(events: Iterable[Any], mapping: Rules) -> dict[int, Reading]:
    readings = {}
    for event in events:
        try:
            readings[event.id] = segment.read(wire.decode(event.body), event.received_at, mapping)
        except ValueError:
            continue
    return readings


def _says(reading: Reading) -> tuple[Any, ...]:
    contact = (reading.contact, reading.weak, reading.contact_custom)
    return reading.reason, contact, reading.company, reading.company_custom


def _about(reading: Reading) -> set[tuple[str, bytes]]:
    """Of whom an event speaks: a person's identifier, a company, or both."""
    subject = keyed(reading)
    found = {("contact", subject)} if subject is not None else set()
    return found if reading.group_id is None else found | {("customer", company_key(reading.group_id))}


def _compare(
    entity: str,
    before: Mapping[bytes, Told],
    after: Mapping[bytes, Told],
    changes: dict[tuple[str, str, bool], Change],
) -> int:
    """Note what differs attribute by attribute; how many records differ at all."""
    differing = 0
    for key in before.keys() | after.keys():
        one, other = _attributes(before.get(key)), _attributes(after.get(key))
        names = [name for name in one.keys() | other.keys() if one.get(name) != other.get(name)]
        differing += bool(names)
        for custom, name in names:
            change = changes.setdefault((entity, name, custom), Change(entity, name, custom))
            if (custom, name) not in one:
                change.gain += 1
            elif (custom, name) not in other:
                change.lose += 1
            else:
                change.differ += 1
    return differing


def _attributes(told: Told | None) -> dict[tuple[bool, str], Value]:
    if told is None:
        return {}
    found: dict[tuple[bool, str], Value] = {(False, name): text for name, text in standing(told).items()}
    return found | {(True, key): value for key, value in customs(told).items()}
