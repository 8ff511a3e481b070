"""Rehearsing events: what they would become and which rows would change, by doing it and undoing it.

The very code that drains a source works here, in a transaction that is rolled back. Nothing is counted,
nobody is woken, and a pause is passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.database import writing
from webapp.domain import digests
from webapp.domain.attributes import STANDARD_CONTACT, STANDARD_CUSTOMER, shown, type_of
from webapp.domain.text import clean
from webapp.models import Contact, Customer, DataSourceCustomer, Event, Source, now
from webapp.models.event import PENDING
from webapp.services import outcomes, projection
from webapp.services.folding import Folded
from webapp.services.rows import select_in

log = structlog.get_logger(__name__)
Facts = dict[str, str]


@dataclass(frozen=True, slots=True)
class Change:
    """One row that would come, change or go.

    Attributes:
        noun: `customer` or `contact`.
        verb: `created`, `changed` or `removed`.
        name: of the customer or contact.
        facts: (attribute, value before, value after) of what differs; an empty value is none.
    """

    noun: str
    verb: str
    name: str
    facts: list[tuple[str, str, str]]


@dataclass(slots=True)
class Rehearsal:
    """What some events would do.

    Attributes:
        became: the outcome of each event, in their order; of one that is there twice once.
        warnings: (field, what was noticed), in words.
        changes: the rows that would come, change or go; customers first.
        known: how many of the events were received before, and would be counted as duplicates.
        failure: the kind of error that would park an event; empty when all can be applied.
    """

    became: list[outcomes.Outcome] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    known: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class _Rows:
    """The customers and contacts of some origins, as facts by (noun, uuid), with their names."""

    names: dict[tuple[str, str], str]
    facts: dict[tuple[str, str], Facts]


def rehearse(session: Session, settings: Settings, source: Source, events: Sequence[bytes]) -> Rehearsal:
    """Do what a worker would do with some events, say what that did, and undo it.

    Args:
        session: of the caller; what it has read so far is read again.
        settings: of this installation.
        source: that would receive them.
        events: their JSON texts, as `wire.split` returns them.
    """
    found, source_id = Rehearsal(), source.id
    origins: set[str] = set()
    after = _Rows({}, {})
    session.rollback()
    try:
        with writing():
            connection = session.connection()
            folded = _do(connection, source_id, settings, events, found)
            if folded is not None:
                origins = _origins(folded)
                after = _rows(connection, origins)
    except DBAPIError:
        raise
    except Exception as error:
        log.warning("rehearsal_failed", source_id=source_id, error=type(error).__name__)
        found.failure = type(error).__name__
    finally:
        session.rollback()
    found.changes = _changes(_rows(session.connection(), origins), after)
    return found


def _do(
    connection: Connection, source_id: int, settings: Settings, events: Sequence[bytes], found: Rehearsal
) -> Folded | None:
    source = projection.lock(connection, source_id)
    if source is None:
        return None
    ids = _receive(connection, source_id, events, found)
    columns: tuple[Any, ...] = (Event.id, Event.received_at, Event.body, Event.digest)
    wanted = select(*columns).where(Event.state == PENDING)
    fresh: list[Any] = sorted(select_in(connection, wanted, Event.id, set(ids)))
    folded = projection.project(connection, source, fresh, settings, projection.Drained())
    columns = (Event.id, Event.state, Event.type, Event.subject, Event.company, Event.reason, Event.warnings)
    rows = {row.id: row for row in select_in(connection, select(*columns), Event.id, set(ids))}
    became = outcomes.of(connection, source, rows.values())  # type: ignore[arg-type]  # a row serves as well
    found.became = [became[id] for id in ids]
    for row in rows.values():
        found.warnings += [(clean(name), outcomes.warning(code)) for code, name in row.warnings or ()]
    return folded


def _receive(connection: Connection, source_id: int, events: Sequence[bytes], found: Rehearsal) -> list[int]:
    """Put events into the inbox unless they are there; their ids, in their order, each once."""
    bodies = {digests.digest(event): event for event in events}
    stored = select(Event.digest, Event.id).where(Event.source_id == source_id)
    known = {row.digest for row in select_in(connection, stored, Event.digest, bodies)}
    frame = {"source_id": source_id, "received_at": now(), "state": PENDING}
    rows = [
        frame | {"digest": digest, "body": body} for digest, body in bodies.items() if digest not in known
    ]
    if rows:
        connection.execute(insert(Event), rows)
    id_of = {row.digest: row.id for row in select_in(connection, stored, Event.digest, bodies)}
    found.known = len(known)
    return [id_of[digest] for digest in bodies]


def _origins(folded: Folded) -> set[str]:
    """The uuids of the persons and companies that were touched."""
    persons = {person.uuid for person in folded.people.persons}
    return persons | folded.people.gone | {company.uuid for company in folded.companies}


def _rows(connection: Connection, origins: Iterable[str]) -> _Rows:
    """The customers and contacts that stand for some persons and companies."""
    rows = _Rows({}, {})
    origins = set(origins)
    columns = select(Customer.__table__, DataSourceCustomer.origin_uuid)
    joined = columns.join(DataSourceCustomer, DataSourceCustomer.customer_id == Customer.id)
    for row in select_in(connection, joined, DataSourceCustomer.origin_uuid, origins):
        rows.names["customer", row.uuid] = clean(row.name or row.external_id)
        rows.facts["customer", row.uuid] = _facts(row, ("external_id", *STANDARD_CUSTOMER)) | {
            "contacts": str(row.contacts or "")
        }
    columns = select(
        Contact.__table__, Customer.name.label("customer"), Customer.external_id.label("customer_id_told")
    )
    joined = columns.join(Customer, Customer.id == Contact.customer_id)
    for row in select_in(connection, joined, Contact.uuid, origins):
        name = " ".join(part for part in (row.first_name, row.last_name) if part)
        rows.names["contact", row.uuid] = clean(name or row.email or row.user_id or "Unnamed contact")
        rows.facts["contact", row.uuid] = _facts(row, ("user_id", *STANDARD_CONTACT)) | {
            "customer": clean(row.customer or row.customer_id_told)
        }
    return rows


def _facts(row: Any, standard: Iterable[str]) -> Facts:
    told = {name: clean(getattr(row, name) or "") for name in standard}
    return told | {f"custom.{key}": clean(shown(value, type_of(value))) for key, value in row.custom.items()}


def _changes(before: _Rows, after: _Rows) -> list[Change]:
    changes = []
    for noun, uuid in sorted(
        before.facts.keys() | after.facts.keys(), key=lambda key: (key[0] != "customer", key)
    ):
        old, new = before.facts.get((noun, uuid)), after.facts.get((noun, uuid))
        verb = "created" if old is None else "removed" if new is None else "changed"
        differing = _differing(old or {}, new or {})
        if verb != "changed" or differing:
            name = (after if new is not None else before).names[noun, uuid]
            changes.append(Change(noun, verb, name, differing if verb != "removed" else []))
    return changes


def _differing(old: Facts, new: Facts) -> list[tuple[str, str, str]]:
    names = [*new, *(name for name in old if name not in new)]
    pairs = [(name, old.get(name, ""), new.get(name, "")) for name in names]
    return [(name, was, will) for name, was, will in pairs if was != will]
