"""Writing the CRM's side: the policy's view of some persons and companies becomes customers and contacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, delete, exists, select, update

from webapp.domain import policy
from webapp.domain.fold import Told
from webapp.domain.persons import Person
from webapp.domain.text import indexed
from webapp.models import Company, Contact, CustomAttribute, Customer, DataSourceCustomer, now
from webapp.models.base import folded
from webapp.services.rows import delete_in, select_in, upsert

KEPT = ("created_at", "contacts", "lead_status")


@dataclass(slots=True, frozen=True)
class CompanyView:
    """One company as it is known now."""

    key: bytes
    uuid: str
    told: Told


@dataclass(slots=True)
class Placed:
    """What placing changed, in rows."""

    customers_added: int = 0
    customers_removed: int = 0
    contacts_added: int = 0
    contacts_removed: int = 0
    contacts_moved: int = 0

    def __iadd__(self, other: Placed) -> Placed:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        return self


@dataclass(slots=True)
class _Plan:
    customers: dict[str, dict[str, Any]] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, tuple[Person, str]] = field(default_factory=dict)
    """By the person's uuid: the person, and the uuid of the origin whose customer it goes under."""
    no_contact: set[str] = field(default_factory=set)
    no_customer: set[str] = field(default_factory=set)


class Placing:
    """Places persons and companies of one source under one policy, inside the caller's transaction."""

    def __init__(self, connection: Connection, source_id: int, generation: int, chosen: str) -> None:
        self.connection = connection
        self.source_id = source_id
        self.generation = generation
        self.policy = chosen
        self.ignored = _ignored(connection)
        self.now = now()

    def place(
        self,
        persons: Iterable[Person] = (),
        companies: Iterable[CompanyView] = (),
        gone: Iterable[str] = (),
    ) -> Placed:
        """Make the customers and contacts of some persons and companies what the policy says.

        Args:
            persons: those that may have changed.
            companies: those that may have changed.
            gone: uuids of persons that are no more.

        Returns:
            How many rows came and went.
        """
        plan = self._plan(list(persons), companies, gone)
        placed = Placed()
        customer_ids = self._write_customers(plan, placed)
        self._write_contacts(plan, customer_ids, placed)
        placed.customers_removed = remove_origins(self.connection, plan.no_customer)
        return placed

    def _plan(self, persons: list[Person], companies: Iterable[CompanyView], gone: Iterable[str]) -> _Plan:
        plan = _Plan(no_contact=set(gone), no_customer=set(gone))
        for company in companies:
            plan.customers[company.uuid] = policy.company_customer(
                company.key, company.told, self.ignored["customer"]
            )
            plan.kinds[company.uuid] = "company"
        uuid_of = self._company_uuids({person.company for person in persons if person.company is not None})
        for person in persons:
            where = policy.place(person, self.policy)
            if where == policy.OWN:
                plan.customers[person.uuid] = policy.own_customer(person)
                plan.kinds[person.uuid] = "person"
                plan.contacts[person.uuid] = (person, person.uuid)
                continue
            plan.no_customer.add(person.uuid)
            if where == policy.UNDER_COMPANY and person.company is not None:
                plan.contacts[person.uuid] = (person, uuid_of[person.company])
            else:
                plan.no_contact.add(person.uuid)
        return plan

    def _company_uuids(self, keys: set[bytes]) -> dict[bytes, str]:
        query = select(Company.key, Company.uuid).where(
            Company.source_id == self.source_id, Company.generation == self.generation
        )
        return {row.key: row.uuid for row in select_in(self.connection, query, Company.key, keys)}

    def _write_customers(self, plan: _Plan, placed: Placed) -> dict[str, int]:
        """Upsert the planned customers; the ids of all customers that contacts go under, by origin."""
        origins = plan.customers.keys() | {origin for _, origin in plan.contacts.values()}
        known = self._customer_ids(origins)
        new = [uuid for uuid in plan.customers if uuid not in known]
        rows = [self._customer_row(uuid, columns) for uuid, columns in plan.customers.items()]
        upsert(self.connection, Customer, rows, ("uuid",), keep=KEPT, moment="updated_at")
        if new:
            query = select(Customer.uuid, Customer.id)
            known |= {row.uuid: row.id for row in select_in(self.connection, query, Customer.uuid, new)}
        placed.customers_added = len(new)
        rows = [
            {
                "customer_id": known[uuid],
                "source_id": self.source_id,
                "kind": plan.kinds[uuid],
                "origin_uuid": uuid,
                "external_id": columns["external_id"],
                "created_at": self.now,
            }
            for uuid, columns in plan.customers.items()
        ]
        keep = ("created_at", "customer_id")
        upsert(self.connection, DataSourceCustomer, rows, ("origin_uuid",), keep=keep)
        return known

    def _customer_ids(self, origins: Iterable[str]) -> dict[str, int]:
        query = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id)
        rows = select_in(self.connection, query, DataSourceCustomer.origin_uuid, origins)
        return {row.origin_uuid: row.customer_id for row in rows}

    def _customer_row(self, uuid: str, columns: dict[str, Any]) -> dict[str, Any]:
        return columns | {
            "uuid": uuid,
            "source_id": self.source_id,
            "sort_name": indexed(folded(columns["name"] or columns["external_id"])),
            "search": searchable(columns["name"], columns["email"], columns["external_id"]),
            "contacts": 0,
            "created_at": self.now,
            "updated_at": self.now,
        }

    def _write_contacts(self, plan: _Plan, customer_ids: Mapping[str, int], placed: Placed) -> None:
        query = select(Contact.uuid, Contact.customer_id)
        uuids = plan.contacts.keys() | plan.no_contact
        before = {row.uuid: row.customer_id for row in select_in(self.connection, query, Contact.uuid, uuids)}
        rows = [self._contact_row(person, customer_ids[origin]) for person, origin in plan.contacts.values()]
        upsert(self.connection, Contact, rows, ("uuid",), keep=("created_at",), moment="updated_at")
        after = {row["uuid"]: row["customer_id"] for row in rows}
        dropped = before.keys() - after.keys()
        delete_in(self.connection, Contact, Contact.uuid, dropped)
        placed.contacts_added = len(after.keys() - before.keys())
        placed.contacts_removed = len(dropped)
        placed.contacts_moved = sum(before.get(uuid, to) != to for uuid, to in after.items())
        self._count_contacts(before, after)

    def _contact_row(self, person: Person, customer_id: int) -> dict[str, Any]:
        columns = policy.contact(person, self.ignored["contact"])
        name = policy.full_name(person.details)
        return columns | {
            "uuid": person.uuid,
            "source_id": self.source_id,
            "customer_id": customer_id,
            "company": person.company,
            "sort_name": indexed(folded(name or columns["email"] or columns["user_id"] or "")),
            "search": searchable(name, columns["email"], columns["user_id"]),
            "created_at": self.now,
            "updated_at": self.now,
        }

    def _count_contacts(self, before: Mapping[str, int], after: Mapping[str, int]) -> None:
        """Keep each customer's number of contacts by what came and went, so that nothing is counted again."""
        change: dict[int, int] = {}
        for uuid in before.keys() | after.keys():
            old, new = before.get(uuid), after.get(uuid)
            if old == new:
                continue
            if old is not None:
                change[old] = change.get(old, 0) - 1
            if new is not None:
                change[new] = change.get(new, 0) + 1
        rows = [{"b_id": id, "b_change": n, "b_now": self.now} for id, n in sorted(change.items()) if n]
        if rows:
            table = Customer.__table__
            counted = update(Customer).where(table.c.id == bindparam("b_id"))
            self.connection.execute(
                counted.values(
                    contacts=table.c.contacts + bindparam("b_change"), updated_at=bindparam("b_now")
                ),
                rows,
            )


def searchable(*parts: str | None) -> str:
    """What a search looks into: the folded texts, each behind two line feeds.

    So the beginning of each, be it one letter, is a trigram that an index can find.
    """
    return "".join(f"\n\n{folded(part)}" for part in parts if part)


def remove_origins(connection: Connection, origins: Iterable[str]) -> int:
    """Take companies or persons from behind their customers; a customer with nobody behind it goes.

    Args:
        origins: uuids; those without a data source customer are passed over.

    Returns:
        How many customers went.
    """
    query = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id)
    rows = select_in(connection, query, DataSourceCustomer.origin_uuid, origins)
    if not rows:
        return 0
    delete_in(connection, DataSourceCustomer, DataSourceCustomer.origin_uuid, [r.origin_uuid for r in rows])
    behind = exists().where(DataSourceCustomer.customer_id == Customer.id)
    gone = 0
    ids = sorted({row.customer_id for row in rows})
    for start in range(0, len(ids), 2000):
        chunk = ids[start : start + 2000]
        gone += connection.execute(delete(Customer).where(Customer.id.in_(chunk), ~behind)).rowcount
    return gone


def _ignored(connection: Connection) -> dict[str, frozenset[str]]:
    rows = connection.execute(
        select(CustomAttribute.entity, CustomAttribute.key).where(CustomAttribute.ignored)
    ).all()
    return {
        entity: frozenset(row.key for row in rows if row.entity == entity)
        for entity in ("customer", "contact")
    }
