"""What became of events, in sentences, told from what is known now: set by set, never event by event."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, bindparam, false, func, or_, select, true
from sqlalchemy.orm import aliased

from webapp.domain.segment import REASONS, WARNINGS
from webapp.domain.text import clean
from webapp.models import Company, Contact, Customer, DataSourceCustomer, Identifier, Person, Source
from webapp.models.event import IGNORED, PARKED, PENDING
from webapp.services.rows import select_in

# What can have become of an event, as a filter names it.
KINDS = {
    "imported": "Imported",
    "waits": "Waits for a company",
    "kept": "Kept",
    "ignored": "Ignored",
    "pending": "Waiting to be processed",
    "parked": "Parked",
}
TONES = {
    "imported": "ok",
    "waits": "paused",
    "kept": "paused",
    "ignored": "",
    "pending": "waiting",
    "parked": "failing",
}
GROUP_TYPES = ("group", "Send Customer")
NAMED = or_(Person.user_id.is_not(None), Person.email.is_not(None))
"""The condition that a person told enough to be a contact."""

# What is known of those whom events name. Put together once: that takes longer than to ask for it.
_source: Any = bindparam("source")
_generation: Any = bindparam("generation")
_IDENTIFIERS = select(Identifier.key, Identifier.person_uuid).where(
    Identifier.source_id == _source, Identifier.generation == _generation
)
_PERSONS = select(Person.uuid, Person.user_id, Person.email, Person.company).where(
    Person.source_id == _source, Person.generation == _generation
)
_head = aliased(Contact)  # who stands within another contact is shown there
_CONTACTS = (
    select(
        *(Contact.uuid, Contact.company, _head.uuid.label("shown_uuid")),
        *(_head.first_name, _head.last_name, _head.email, _head.user_id),
        *(Customer.uuid.label("customer_uuid"), Customer.name.label("customer"), Customer.external_id),
    )
    .join(Customer, Customer.id == Contact.customer_id)
    .join(_head, _head.id == func.coalesce(Contact.within_id, Contact.id))
    # `+ 0`: SQLite takes a whole source for ten rows, and would rather read these than look for some uuids.
    .where(Contact.source_id + 0 == _source)
)
_CUSTOMERS = (
    select(Company.key, Customer.uuid, Customer.name, Customer.external_id)
    .join(DataSourceCustomer, DataSourceCustomer.origin_uuid == Company.uuid)
    .join(Customer, Customer.id == DataSourceCustomer.customer_id)
    .where(Company.source_id == _source, Company.generation == _generation)
)

KEPT = "kept until they tell a user id or an e-mail"
NOT_YET = "kept; a re-sync of the source brings it into the tables"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one event.

    Attributes:
        kind: a key of KINDS.
        sentence: `imported contact Ada Lovelace into Acme`.
        contact: (public id, name) of the contact it speaks of now.
        customer: (public id, name) of the customer it speaks of now.
    """

    kind: str
    sentence: str
    contact: tuple[str, str] | None = None
    customer: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        return KINDS[self.kind]

    @property
    def tone(self) -> str:
        """How its label is coloured."""
        return TONES[self.kind]


def waiting(source: Source) -> Any:
    """The condition that a person of a source waits for a company; nobody does under the other policy."""
    return and_(
        Person.source_id == source.id,
        Person.generation == source.generation,
        true() if source.applied_policy == "company" else false(),
        Person.company.is_(None),
        NAMED,
    )


def of(connection: Connection, source: Source, events: Iterable[Any]) -> dict[int, Outcome]:
    """What became of some events of a source, in five queries at most.

    Args:
        connection: to read with.
        source: whose events they are.
        events: rows with `id, state, type, subject, company, reason`.

    Returns:
        Outcomes by event id.
    """
    rows = list(events)
    told = _Told.load(connection, source, rows)
    return {row.id: _outcome(row, told, source) for row in rows}


def warning(code: str) -> str:
    """What was noticed in an event, in words."""
    return WARNINGS.get(code, code.replace("_", " "))


def why_ignored(reason: str | None) -> str:
    """Why an event says nothing, in words."""
    return REASONS.get(reason or "", reason or "it says nothing")


@dataclass(slots=True)
class _Told:
    """What is known of the identifiers and companies that some events name."""

    person_of: Mapping[bytes, str]
    persons: Mapping[str, Any]
    contacts: Mapping[str, Any]
    customers: Mapping[bytes, tuple[str, str]]

    @classmethod
    def load(cls, connection: Connection, source: Source, rows: Sequence[Any]) -> _Told:
        shown = {"source": source.id, "generation": source.generation}
        subjects = {row.subject for row in rows if row.subject is not None}
        companies = {row.company for row in rows if row.company is not None}
        found = select_in(connection, _IDENTIFIERS, Identifier.key, subjects, **shown)
        person_of = {row.key: row.person_uuid for row in found if row.person_uuid is not None}
        uuids = set(person_of.values())
        persons = select_in(connection, _PERSONS, Person.uuid, uuids, **shown)
        contacts = select_in(connection, _CONTACTS, Contact.uuid, uuids, source=source.id)
        customers = select_in(connection, _CUSTOMERS, Company.key, companies, **shown)
        return cls(
            person_of,
            {row.uuid: row for row in persons},
            {row.uuid: row for row in contacts},
            {row.key: (f"cus_{row.uuid}", row.name or row.external_id) for row in customers},
        )


def _outcome(row: Any, told: _Told, source: Source) -> Outcome:
    if row.state == PENDING:
        return Outcome("pending", "waiting to be processed")
    if row.state == IGNORED:
        return Outcome("ignored", f"ignored: {why_ignored(row.reason)}")
    if row.state == PARKED:
        return Outcome("parked", f"parked: {row.reason or 'it could not be applied'}")
    person_uuid = told.person_of.get(row.subject) if row.subject is not None else None
    contact = told.contacts.get(person_uuid) if person_uuid else None
    customer = told.customers.get(row.company) if row.company is not None else None
    if row.company is not None and (row.subject is None or row.type in GROUP_TYPES):
        return _of_company(customer, contact)
    if contact is not None:
        return _of_contact(contact)
    return _of_nobody(told.persons.get(person_uuid) if person_uuid else None, source)


def _of_company(customer: tuple[str, str] | None, contact: Any) -> Outcome:
    if customer is None:
        return Outcome("kept", NOT_YET)
    if contact is None:
        return Outcome("imported", f"imported customer {customer[1]}", None, customer)
    link = _link(contact)
    return Outcome("imported", f"imported customer {customer[1]}, named by {link[1]}", link, customer)


def _of_contact(contact: Any) -> Outcome:
    link = _link(contact)
    customer = (f"cus_{contact.customer_uuid}", contact.customer or contact.external_id)
    if contact.company is None:
        return Outcome("imported", f"imported contact {link[1]} as a customer of their own", link, customer)
    return Outcome("imported", f"imported contact {link[1]} into {customer[1]}", link, customer)


def _of_nobody(person: Any, source: Source) -> Outcome:
    if person is None or (person.user_id is None and person.email is None):
        return Outcome("kept", KEPT)
    if person.company is None and source.applied_policy == "company":
        return Outcome("waits", "waits for a company")
    return Outcome("kept", NOT_YET)


def _link(contact: Any) -> tuple[str, str]:
    name = " ".join(filter(None, (contact.first_name, contact.last_name)))
    shown = name or contact.email or contact.user_id or "Unnamed contact"
    return f"con_{contact.shown_uuid}", clean(shown)
