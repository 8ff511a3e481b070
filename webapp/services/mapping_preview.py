"""What another mapping would change, found by reading a source's latest events both ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import persons, policy, segment, wire
from webapp.domain.attributes import Value
from webapp.domain.fold import Told, customs, fold, standing
from webapp.domain.identity import text_of
from webapp.domain.mapping import Mapping as Rules
from webapp.domain.persons import HEIR, Node
from webapp.domain.segment import Reading
from webapp.models import Event, Source
from webapp.models.event import PENDING
from webapp.services.counting import Count, count

LOOKED_AT = 2000
"""Events that are read both ways; of a larger inbox the latest."""
Folded = tuple[Mapping[bytes, Told], Mapping[bytes, Told]]
"""What was told of identifiers, and of companies."""


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


@dataclass(frozen=True, slots=True)
class Effect:
    """Whom another mapping brings, takes away or moves, if there were no events but those looked at.

    Attributes:
        customers_appear, customers_go: of companies, and of people on their own.
        contacts_appear, contacts_go: people who can be imported, and have a place, under one mapping only.
        contacts_move: those who belong to another customer.
        people_wait: those who will wait for a company and do not now.
    """

    customers_appear: int
    customers_go: int
    contacts_appear: int
    contacts_go: int
    contacts_move: int
    people_wait: int


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
        effect: whom it brings, takes away or moves under the policy that is chosen.
    """

    looked_at: int
    of: Count
    events: int
    dropped: int
    taken: int
    people: int
    companies: int
    changes: list[Change]
    effect: Effect

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
    one, other = fold(before.items()), fold(after.items())
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
        effect=_effect(one, other, source.policy),
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


@dataclass(slots=True)
class _World:
    """Where everybody goes, if some events were all there is.

    Attributes:
        customers: `("company", key)` and `("person", uuid)`.
        homes: of each contact its customer, by the person's uuid.
        waiting: uuids of those who wait for a company.
        leaders: keys of the identifiers whose uuids persons bear.
    """

    customers: set[tuple[str, str]]
    homes: dict[str, tuple[str, str]] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    leaders: set[bytes] = field(default_factory=set)


def _effect(before: Folded, after: Folded, chosen: str) -> Effect:
    """Compare where the same events, folded in two ways, lead under one policy."""
    was = _world(before, chosen)
    will = _world(after, chosen, was.leaders)
    return Effect(
        customers_appear=len(will.customers - was.customers),
        customers_go=len(was.customers - will.customers),
        contacts_appear=len(will.homes.keys() - was.homes.keys()),
        contacts_go=len(was.homes.keys() - will.homes.keys()),
        contacts_move=sum(was.homes[uuid] != home for uuid, home in will.homes.items() if uuid in was.homes),
        people_wait=len(will.waiting - was.waiting),
    )


def _world(folded: Folded, chosen: str, leaders: Set[bytes] = frozenset()) -> _World:
    """Who is who among all of these identifiers, and where the policy puts them.

    Args:
        leaders: of the world before, who give persons their uuids again, as in a rebuild.
    """
    people, companies = folded
    nodes = {key: Node(key, told, text_of(key)) for key, told in people.items()}
    for key in nodes.keys() & leaders:
        nodes[key].led = HEIR
    _read_emails(nodes)
    world = _World({(policy.UNDER_COMPANY, text_of(key)) for key in companies})
    for members in persons.groups(nodes).values():
        persons.appoint(members, rebuilding=bool(leaders))
        person = persons.person_of(members)
        world.leaders |= {node.key for node in members if node.uuid == person.uuid}
        place = policy.place(person, chosen)
        if place == policy.UNDER_COMPANY and person.company is not None:
            world.homes[person.uuid] = (place, text_of(person.company))
        elif place == policy.OWN:
            world.homes[person.uuid] = (place, person.uuid)
            world.customers.add((place, person.uuid))
        elif place == policy.WAITS:
            world.waiting.add(person.uuid)
    return world


def _read_emails(nodes: Mapping[bytes, Node]) -> None:
    tied: dict[bytes, list[Node]] = {}
    for node in nodes.values():
        if node.tie:
            tied.setdefault(node.tie, []).append(node)
    for key, node in nodes.items():
        if node.is_user:
            node.email = persons.core_email(node, tied.get(key, ()))
        else:
            node.email = persons.own_email(node.told)
