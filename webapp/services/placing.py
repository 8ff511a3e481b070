"""Writing the CRM's side: the policy's view of some persons and companies becomes customers and contacts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select

from webapp.domain import policy
from webapp.domain.fold import Told, unpack
from webapp.domain.persons import Person
from webapp.models import Company, Contact, Customer, now
from webapp.services import contact_counts, contact_rows, keeping
from webapp.services.composing import ignored_keys
from webapp.services.keeping import Touched
from webapp.services.merging import leave
from webapp.services.rows import delete_in, select_in
from webapp.services.standing import Standing, Stood, stand, whereabouts

_COMPANY = select(Company.key, Company.uuid).where(
    Company.source_id == bindparam("source"), Company.generation == bindparam("generation")
)
_UNPLACED = _COMPANY.add_columns(Company.told)
_THERE = select(
    *(Contact.id, Contact.uuid, Contact.customer_id, Contact.origin_uuid, Contact.company),
    *(Contact.within_id, Contact.own, Contact.updated_at, Customer.composed),
).join(Customer, Customer.id == Contact.customer_id)


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
        self.ignored = {entity: ignored_keys(connection, entity) for entity in ("customer", "contact")}
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
        plan = self._plan(list(persons), list(companies), gone)
        there = {row.uuid: row for row in self._there(plan.contacts.keys() | plan.no_contact)}
        others = self._where_others_stand(plan)
        placed = Placed()
        stood = self._write_customers(plan, there, placed)
        touched = self._write_contacts(plan, there, stood, others, placed)
        placed.customers_removed = leave(self.connection, plan.no_customer)
        placed.customers_added -= keeping.keep(self.connection, self.source_id, stood, touched)
        return placed

    def _plan(self, persons: list[Person], companies: list[CompanyView], gone: Iterable[str]) -> _Plan:
        plan = _Plan(no_contact=set(gone), no_customer=set(gone))
        self._plan_companies(plan, companies)
        uuid_of = {company.key: company.uuid for company in companies}
        theirs = {person.company for person in persons if person.company is not None}
        uuid_of |= self._company_uuids(theirs - uuid_of.keys())
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

    def _plan_companies(self, plan: _Plan, companies: Iterable[CompanyView]) -> None:
        for company in companies:
            plan.customers[company.uuid] = policy.company_customer(
                company.key, company.told, self.ignored["customer"]
            )
            plan.kinds[company.uuid] = "company"

    def _where_others_stand(self, plan: _Plan) -> list[Any]:
        """Where those stand under whom contacts go, and of whom nothing is planned.

        A company that nobody has placed yet is planned with them: between a rebuild's swap and its way
        through the companies it has made, people of such a company tell of themselves.
        """
        origins = {origin for _, origin in plan.contacts.values()} - plan.customers.keys()
        others = whereabouts(self.connection, origins)
        if nowhere := origins - {row.origin_uuid for row in others}:
            keys = {person.company for person, origin in plan.contacts.values() if origin in nowhere}
            where = {"source": self.source_id, "generation": self.generation}
            rows = select_in(self.connection, _UNPLACED, Company.key, keys, **where)
            self._plan_companies(plan, [CompanyView(row.key, row.uuid, unpack(row.told)) for row in rows])
        return others

    def _company_uuids(self, keys: set[bytes]) -> dict[bytes, str]:
        where = {"source": self.source_id, "generation": self.generation}
        return {row.key: row.uuid for row in select_in(self.connection, _COMPANY, Company.key, keys, **where)}

    def _write_customers(self, plan: _Plan, there: Mapping[str, Any], placed: Placed) -> Stood:
        # A new customer is written with its contacts counted: to add them later would write its row, with
        # all its indexes, once more. Who stands within another contact is not shown, so does not count.
        come = Counter(
            origin
            for uuid, (_, origin) in plan.contacts.items()
            if uuid not in there or there[uuid].within_id is None
        )
        standings = [
            Standing(uuid, plan.kinds[uuid], values["external_id"], values, come[uuid])
            for uuid, values in plan.customers.items()
        ]
        stood = stand(self.connection, self.source_id, standings, self.now)
        placed.customers_added = len(stood.added)
        return stood

    def _write_contacts(
        self,
        plan: _Plan,
        there: Mapping[str, Any],
        stood: Stood,
        others: Sequence[Any],
        placed: Placed,
    ) -> Touched:
        uuids = plan.contacts.keys() | plan.no_contact
        ids = {**stood.ids, **{row.origin_uuid: row.customer_id for row in others}}
        rows = (self._contact_row(*plan.contacts[uuid], ids) for uuid in sorted(plan.contacts))
        contact_rows.write(self.connection, rows, there)
        before = {uuid: row.customer_id for uuid, row in there.items()}
        after = {uuid: ids[origin] for uuid, (_, origin) in plan.contacts.items()}
        dropped = before.keys() - after.keys()
        released = keeping.release(self.connection, [there[uuid].id for uuid in dropped])
        delete_in(self.connection, Contact, Contact.uuid, dropped)
        placed.contacts_added = len(after.keys() - before.keys())
        placed.contacts_removed = len(dropped)
        placed.contacts_moved = sum(before.get(uuid, to) != to for uuid, to in after.items())
        counted = {uuid: id for uuid, id in after.items() if plan.contacts[uuid][1] not in stood.added}
        self._count_contacts(plan, there, counted)
        merged = {uuid for uuid, row in there.items() if row.own is not None or row.within_id is not None}
        showing = {where[uuid] for where in (before, after) for uuid in merged & where.keys()}
        showing |= {row.customer_id for row in (*there.values(), *others) if row.composed} | stood.composed
        among = {uuid for where in (before, after) for uuid, id in where.items() if id in showing}
        return Touched(
            persons=frozenset(uuids),
            contacts=frozenset(after.keys() | released),
            showing=frozenset(showing),
            among=frozenset(among | released),
        )

    def _there(self, uuids: Iterable[str]) -> list[Any]:
        """The contacts that are there, and whether their customers are more than one source's word."""
        return select_in(self.connection, _THERE, Contact.uuid, uuids)

    def _contact_row(self, person: Person, origin: str, ids: Mapping[str, int]) -> dict[str, Any]:
        place = {"uuid": person.uuid, "source_id": self.source_id, "company": person.company}
        place |= {"customer_id": ids[origin], "origin_uuid": origin}
        return contact_rows.told_row(policy.contact(person, self.ignored["contact"]), place, self.now)

    def _count_contacts(self, plan: _Plan, there: Mapping[str, Any], after: Mapping[str, int]) -> None:
        """Count what came and went.

        Who stands within another contact is not shown, so does not count. A customer that its own person
        leaves either goes or is settled, which counts anew.
        """
        within = {uuid for uuid, row in there.items() if row.within_id is not None}
        left = {uuid for uuid in there.keys() & plan.no_customer if there[uuid].origin_uuid == uuid}
        before = {uuid: row.customer_id for uuid, row in there.items() if uuid not in within | left}
        shown = {uuid: id for uuid, id in after.items() if uuid not in within}
        contact_counts.add(self.connection, contact_counts.moved(before, shown), self.now)
