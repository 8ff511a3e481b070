"""One customer or contact with where everything came from: per value the source, the event and its time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from webapp.domain.attributes import shown
from webapp.domain.fold import Register, Told, combine, unpack
from webapp.domain.identity import id_of, key_of_text
from webapp.domain.text import clean, is_email
from webapp.models import Company, Contact, Customer, DataSourceCustomer, Event, Identifier, Source
from webapp.services import attributes, outcomes, visibility
from webapp.services.tables import CONTACTS, CUSTOMERS, Table

MOST_CONTACTS = 50
EVENTS = 25
_LINKS = ("website_url", "linked_in", "twitter")
_NAMES = ("name", "first_name", "last_name")  # stand first on a page
_NOT_TOLD = ("name", "contacts", "lead_status", "source", "customer", "first_seen", "last_seen", "updated_at")


@dataclass(slots=True)
class Fact:
    """One attribute's value and where it came from.

    Attributes:
        label: the attribute as people call it.
        value: as shown; None where nothing was told.
        link: whether an http(s) address may be linked.
        source: (public id, name) of the source that told it.
        event_id: of the event that told it; None when there is none, or when it is no longer kept.
        at: that event's time, in microseconds.
        note: where the value comes from when no event told it.
    """

    label: str
    value: str | None
    link: bool = False
    source: tuple[str, str] | None = None
    event_id: int | None = None
    at: int | None = None
    note: str = ""


@dataclass(slots=True)
class Tied:
    """One identifier of a person.

    Attributes:
        kind: "User ID" or "Anonymous ID".
        id: as shown.
        why: why it belongs to this person.
        event_id: of the event that says so.
        at: that event's time.
        first_seen, last_seen: of what was said of it.
    """

    kind: str
    id: str
    why: str
    event_id: int | None
    at: int | None
    first_seen: int | None
    last_seen: int | None


@dataclass(slots=True)
class Origin:
    """One data source customer with what its source told."""

    row: DataSourceCustomer
    source: Source
    told: Told
    events: Any
    """The condition on events that made it."""


def customer(session: Session, public_id: str, before: int | None = None) -> dict[str, Any] | None:
    """One customer's page; None when there is none or it may not be seen.

    Args:
        session: to read with.
        public_id: `cus_<uuid>`.
        before: of its events only those older than this id.

    Returns:
        `customer`, `facts`, `custom`, `origins` (`Origin`s), `contacts` (at most 50), `events`
        (triples of source, row and outcome, newest first), `older` (the `before` of the next events).
    """
    row = _found(session, Customer, CUSTOMERS, public_id)
    if row is None:
        return None
    origins = _origins(session, row)
    words = _standing([(origin.source, origin.told, origin.row.kind) for origin in origins])
    facts, custom = _facts(session, CUSTOMERS, row, words)
    events, older = _events(session, [(origin.source, origin.events) for origin in origins], before)
    contacts = select(Contact).where(Contact.customer_id == row.id, _seen(session, Contact))
    contacts = contacts.order_by(Contact.sort_name, Contact.id).limit(MOST_CONTACTS)
    return {
        "customer": row,
        "facts": facts,
        "custom": custom,
        "origins": origins,
        "contacts": session.scalars(contacts).all(),
        "events": events,
        "older": older,
    }


def contact(session: Session, public_id: str, before: int | None = None) -> dict[str, Any] | None:
    """One contact's page, as `customer`, with `tied` (`Tied`s), `attached` (a `Fact`) and `source`."""
    row = _found(session, Contact, CONTACTS, public_id)
    if row is None:
        return None
    source = session.get_one(Source, row.source_id)
    identifiers = _identifiers(session, source, row.uuid)
    told = _joined(identifiers)
    facts, custom = _facts(session, CONTACTS, row, _standing([(source, told, "contact")]))
    told_email = next((fact for fact in facts if fact.label == "Email"), None)
    if told_email and told_email.value and not told_email.source and row.user_id and is_email(row.user_id):
        told_email.note = "the user id is an e-mail address"
    keys = [identifier.key for identifier in identifiers]
    events, older = _events(session, [(source, Event.subject.in_(keys))], before)
    return {
        "contact": row,
        "customer": row.customer,
        "facts": facts,
        "custom": custom,
        "tied": _ties(session, identifiers),
        "attached": _attached(session, source, told),
        "source": source,
        "events": events,
        "older": older,
    }


def _found(session: Session, model: Any, table: Table, public_id: str) -> Any:
    if not public_id.startswith(table.prefix) or "\0" in public_id:
        return None
    wanted = select(model).where(model.uuid == public_id.removeprefix(table.prefix), _seen(session, model))
    return session.scalars(wanted).one_or_none()


def _seen(session: Session, model: Any) -> Any:
    return visibility.seen(session, model)


def _origins(session: Session, row: Customer) -> list[Origin]:
    """The data source customers, the primary's first."""
    wanted = select(DataSourceCustomer, Source).join(Source, Source.id == DataSourceCustomer.source_id)
    wanted = wanted.where(DataSourceCustomer.customer_id == row.id, Source.state == visibility.ACTIVE)
    pairs = session.execute(wanted.order_by(DataSourceCustomer.id)).all()
    origins = []
    for behind, source in sorted(pairs, key=lambda pair: pair[1].id != row.source_id):
        if behind.kind == "company":
            company = session.scalars(
                select(Company).where(_now(Company, source), Company.uuid == behind.origin_uuid)
            ).one_or_none()
            told = unpack(company.told) if company else Told()
            events = Event.company == (company.key if company else b"")
        else:
            identifiers = _identifiers(session, source, behind.origin_uuid)
            told = _joined(identifiers)
            events = Event.subject.in_([identifier.key for identifier in identifiers])
        origins.append(Origin(behind, source, told, events))
    return origins


def _identifiers(session: Session, source: Source, person_uuid: str) -> Sequence[Identifier]:
    wanted = select(Identifier).where(_now(Identifier, source), Identifier.person_uuid == person_uuid)
    return session.scalars(wanted.order_by(Identifier.first_seen, Identifier.key)).all()


def _joined(identifiers: Iterable[Identifier]) -> Told:
    return reduce(combine, (unpack(identifier.told) for identifier in identifiers), Told())


def _now(model: Any, source: Source) -> Any:
    return (model.source_id == source.id) & (model.generation == source.generation)


def _standing(told: Iterable[tuple[Source, Told, str]]) -> dict[str, tuple[Register, Source]]:
    """Per attribute (custom ones with their prefix) the word that stands and whose it is; the first wins."""
    found: dict[str, tuple[Register, Source]] = {}
    for source, words, kind in told:
        standard = {**words.weak, **words.strong}
        if kind == "person":
            standard = _own(standard)
        custom = {} if kind == "person" else words.custom
        for key, word in (*standard.items(), *((f"custom.{key}", word) for key, word in custom.items())):
            if word[3] is not None:
                found.setdefault(key, (word, source))
    return found


def _own(told: Mapping[str, Register]) -> dict[str, Register]:
    """What a customer of their own takes over from the person: e-mail, and the name they are called by."""
    own = {"email": told["email"]} if "email" in told else {}
    names = [told[name] for name in ("first_name", "last_name") if name in told and told[name][3] is not None]
    if named := names or list(own.values()):
        own["name"] = max(named, key=lambda word: word[:3])
    return own


def _facts(
    session: Session, table: Table, row: Any, words: Mapping[str, tuple[Register, Source]]
) -> tuple[list[Fact], list[Fact]]:
    kept = _kept_events(session, [word[2] for word, _ in words.values()])
    standard = [(column.key, column.label) for column in table.standard if column.key not in _NOT_TOLD]
    if table is CUSTOMERS:
        standard.insert(0, ("name", "Name"))
    standard.sort(key=lambda pair: pair[0] not in _NAMES)
    facts = [
        _fact(label, getattr(row, key), words.get(key), kept, link=key in _LINKS) for key, label in standard
    ]
    types = attributes.types(session.connection(), table.one)
    custom = [
        _fact(
            key,
            shown(value, types.get(key, "String")),
            words.get(f"custom.{key}"),
            kept,
            link=_is_link(value),
        )
        for key, value in sorted(row.custom.items())
    ]
    return facts, custom


def _is_link(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def _fact(
    label: str,
    value: str | None,
    said: tuple[Register, Source] | None,
    kept: set[int],
    link: bool = False,
) -> Fact:
    if value is None or said is None:
        return Fact(label, value, link)
    (at, _, event_id, _), source = said
    return Fact(
        label, value, link, (source.public_id, source.name), event_id if event_id in kept else None, at
    )


def _kept_events(session: Session, ids: Iterable[int]) -> set[int]:
    """Those of some events that retention has not dropped."""
    return set(session.scalars(select(Event.id).where(Event.id.in_(set(ids)))))


def _ties(session: Session, identifiers: Sequence[Identifier]) -> list[Tied]:
    found = []
    for identifier in identifiers:
        told = unpack(identifier.told)
        word: Register | None = told.strong.get("email")
        if identifier.key[:1] == b"u":
            kind, why, word = "User ID", "the person’s own", None
        elif told.tie is not None:
            user_id = clean(id_of(key_of_text(told.tie[3])))
            kind, why, word = "Anonymous ID", f"came together with the user id {user_id}", told.tie
        elif word is not None and len(identifiers) > 1:
            kind, why = "Anonymous ID", f"shares the e-mail {word[3]}"
        else:
            kind, why, word = "Anonymous ID", "the person’s own", None
        event_id, at = (word[2], word[0]) if word else (None, None)
        shown_id = clean(id_of(identifier.key))
        found.append(Tied(kind, shown_id, why, event_id, at, identifier.first_seen, identifier.last_seen))
    kept = _kept_events(session, [each.event_id for each in found if each.event_id])
    for each in found:
        each.event_id = each.event_id if each.event_id in kept else None
    return found


def _attached(session: Session, source: Source, told: Told) -> Fact | None:
    """Which event attached the person to their company."""
    if told.company is None:
        return None
    at, _, event_id, key = told.company
    kept = _kept_events(session, [event_id])
    group_id = clean(key_of_text(key).decode("utf-8", "surrogatepass"))
    event = event_id if event_id in kept else None
    return Fact("Company", group_id, False, (source.public_id, source.name), event, at)


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
