"""One customer or contact with where everything came from: per value the source, the event and its time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.domain.fold import Register, Told, combine, unpack
from webapp.domain.identity import id_of, key_of_text
from webapp.domain.text import clean, is_email
from webapp.models import Company, Contact, Customer, Event, Identifier, Source
from webapp.services import facts, outcomes, records, visibility
from webapp.services.composing import edits_of
from webapp.services.composing_contacts import own_values
from webapp.services.facts import Fact, Telling
from webapp.services.records import Record
from webapp.services.tables import CONTACTS, CUSTOMERS

MOST_CONTACTS = 50
EVENTS = 25


@dataclass(slots=True)
class Tied:
    """One identifier of a person.

    Attributes:
        kind: "User ID" or "Anonymous ID".
        id: as shown.
        why: why it belongs to this person.
        source: that told of it.
        event_id: of the event that says so.
        at: that event's time.
        first_seen, last_seen: of what was said of it.
    """

    kind: str
    id: str
    why: str
    source: Source
    event_id: int | None
    at: int | None
    first_seen: int | None
    last_seen: int | None


@dataclass(slots=True)
class Origin:
    """One data source customer, or one source's contact, with what its source told.

    Attributes:
        row: its row.
        source: whose.
        told: what was told in events; nothing of a billing source.
        telling: the same as facts ask for it.
        events: the condition on events that made it; None where there are none.
        identifiers: of a person.
    """

    row: Any
    source: Source
    told: Told
    telling: Telling
    events: Any
    identifiers: Sequence[Identifier]


def customer(session: Session, public_id: str, before: int | None = None) -> dict[str, Any] | None:
    """One customer's page; None when there is none or it may not be seen.

    Args:
        session: to read with.
        public_id: `cus_<uuid>`.
        before: of its events only those older than this id.

    Returns:
        `record`, `customer`, `facts`, `custom`, `origins` (`Origin`s, the primary's first), `contacts` (at
        most 50), `events` (triples of source, row and outcome, newest first), `older` (the `before` of the
        next events).
    """
    record = _found(session, "customer", public_id)
    if record is None:
        return None
    row = session.get_one(Customer, record.row.id)
    origins = _origins(session, record)
    contacts = select(Contact).where(Contact.customer_id == row.id, visibility.seen(session, Contact))
    contacts = contacts.order_by(Contact.sort_name, Contact.id).limit(MOST_CONTACTS)
    return {"customer": row, "contacts": session.scalars(contacts).all()} | _told(
        session, record, row, origins, before
    )


def contact(session: Session, public_id: str, before: int | None = None) -> dict[str, Any] | None:
    """One contact's page, as `customer`, with `tied` (`Tied`s), `attached` (a `Fact`) and `contact`."""
    record = _found(session, "contact", public_id)
    if record is None:
        return None
    row = session.get_one(Contact, record.row.id)
    origins = _origins(session, record)
    told = _told(session, record, row, origins, before)
    told_email = next((fact for fact in told["facts"] if fact.key == "email"), None)
    told_by_nobody = told_email and told_email.value and not (told_email.source or told_email.by_hand)
    if told_email and told_by_nobody and row.user_id and is_email(row.user_id):
        told_email.note = "the user id is an e-mail address"
    attached = (_attached(session, origin) for origin in origins)
    return {
        "contact": row,
        "customer": row.customer,
        "tied": _ties(session, origins),
        "attached": next((fact for fact in attached if fact is not None), None),
        **told,
    }


def _found(session: Session, entity: str, public_id: str) -> Record | None:
    record = records.find(session.connection(), public_id)
    return record if record is not None and record.entity == entity else None


def _told(
    session: Session, record: Record, row: Any, origins: Sequence[Origin], before: int | None
) -> dict[str, Any]:
    table = CUSTOMERS if record.entity == "customer" else CONTACTS
    people = records.people(session.connection())
    standard, custom = facts.of(session, table, row, [origin.telling for origin in origins], people)
    made_by = [(origin.source, origin.events) for origin in origins if origin.events is not None]
    events, older = _events(session, made_by, before)
    return {
        "record": record,
        "facts": standard,
        "custom": custom,
        "origins": origins,
        "people": people,
        "events": events,
        "older": older,
    }


def _origins(session: Session, record: Record) -> list[Origin]:
    hands = edits_of(session.connection(), record.entity, record.sources)
    found = []
    for row in record.behind:
        source = session.get(Source, row.source_id)
        if source is None or source.state != visibility.ACTIVE:
            continue
        kind = getattr(row, "kind", "contact")
        told, events, identifiers = _said(session, source, kind, row)
        values = row.told if kind != "contact" else own_values(row)
        hand = hands.get(records.origin_of(row), {})
        telling = Telling(source, values, facts.words_of(told, kind), hand)
        found.append(Origin(row, source, told, telling, events, identifiers))
    return found


def _said(session: Session, source: Source, kind: str, row: Any) -> tuple[Told, Any, Sequence[Identifier]]:
    """What a source's events told of a row, the condition on these events, and a person's identifiers."""
    if source.kind == "billing":
        return Told(), None, ()
    if kind == "company":
        wanted = select(Company).where(_now(Company, source), Company.uuid == row.origin_uuid)
        company = session.scalars(wanted).one_or_none()
        if company is None:
            return Told(), Event.company == b"", ()
        return unpack(company.told), Event.company == company.key, ()
    person = row.uuid if kind == "contact" else row.origin_uuid
    identifiers = _identifiers(session, source, person)
    told = reduce(combine, (unpack(identifier.told) for identifier in identifiers), Told())
    return told, Event.subject.in_([identifier.key for identifier in identifiers]), identifiers


def _identifiers(session: Session, source: Source, person_uuid: str) -> Sequence[Identifier]:
    wanted = select(Identifier).where(_now(Identifier, source), Identifier.person_uuid == person_uuid)
    return session.scalars(wanted.order_by(Identifier.first_seen, Identifier.key)).all()


def _now(model: Any, source: Source) -> Any:
    return (model.source_id == source.id) & (model.generation == source.generation)


def _ties(session: Session, origins: Iterable[Origin]) -> list[Tied]:
    found = [_tied(each, origin) for origin in origins for each in origin.identifiers]
    kept = facts.kept_events(session, [each.event_id for each in found if each.event_id])
    for each in found:
        each.event_id = each.event_id if each.event_id in kept else None
    return found


def _tied(identifier: Identifier, origin: Origin) -> Tied:
    told = unpack(identifier.told)
    word: Register | None = told.strong.get("email")
    if identifier.key[:1] == b"u":
        kind, why, word = "User ID", "the person’s own", None
    elif told.tie is not None:
        user_id = clean(id_of(key_of_text(told.tie[3])))
        kind, why, word = "Anonymous ID", f"came together with the user id {user_id}", told.tie
    elif word is not None and len(origin.identifiers) > 1:
        kind, why = "Anonymous ID", f"shares the e-mail {word[3]}"
    else:
        kind, why, word = "Anonymous ID", "the person’s own", None
    event_id, at = (word[2], word[0]) if word else (None, None)
    shown_id = clean(id_of(identifier.key))
    first, last = identifier.first_seen, identifier.last_seen
    return Tied(kind, shown_id, why, origin.source, event_id, at, first, last)


def _attached(session: Session, origin: Origin) -> Fact | None:
    """Which event attached the person to their company."""
    if origin.told.company is None:
        return None
    at, _, event_id, key = origin.told.company
    kept = facts.kept_events(session, [event_id])
    group_id = clean(key_of_text(key).decode("utf-8", "surrogatepass"))
    source = (origin.source.public_id, origin.source.name)
    return Fact("company", "Company", group_id, False, source, event_id if event_id in kept else None, at)


def _events(
    session: Session, made_by: Sequence[tuple[Source, Any]], before: int | None
) -> tuple[list[tuple[Source, Any, outcomes.Outcome]], int | None]:
    """The events that made a record, newest first, and the id before which older ones begin."""
    columns = (Event.id, Event.state, Event.type, Event.subject, Event.company, Event.reason)
    found: list[tuple[Source, Any, outcomes.Outcome]] = []
    for source, conditions in _by_source(made_by):
        query = select(*columns, Event.message_id, Event.occurred_at, Event.received_at)
        query = query.where(Event.source_id == source.id, or_(*conditions))
        if before is not None:
            query = query.where(Event.id < before)
        rows = session.execute(query.order_by(Event.id.desc()).limit(EVENTS + 1)).all()
        became = outcomes.of(session.connection(), source, rows)
        found += [(source, row, became[row.id]) for row in rows]
    found.sort(key=lambda each: -each[1].id)
    return found[:EVENTS], found[EVENTS - 1][1].id if len(found) > EVENTS else None


def _by_source(made_by: Sequence[tuple[Source, Any]]) -> list[tuple[Source, list[Any]]]:
    found: dict[int, tuple[Source, list[Any]]] = {}
    for source, condition in made_by:
        found.setdefault(source.id, (source, []))[1].append(condition)
    return list(found.values())
