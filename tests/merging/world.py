"""A small world of sources for the laws of merging: things happen in it, and it says what it shows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.orm import Session

from tests.projection import support
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.domain.identity import company_key
from webapp.models import (
    Company,
    Contact,
    Customer,
    DataSourceCustomer,
    Decision,
    Identifier,
    Source,
    now,
)
from webapp.models.base import new_uuid
from webapp.services import decisions, edits, merges, syncs
from webapp.services.billing.records import ContactChange, CustomerChange, put_contacts, put_customers
from webapp.services.composing import compose, tellers_of
from webapp.services.decisions import By, End
from webapp.services.merging import settle

Name = tuple[str, str]
"""A record: its source (`s`, `t` or `b`), and a user id, anonymous id or group id with its kind in front."""
WALL_CLOCK = 1_000_000_000_000_000
"""Instants past this one are those of the test's own run; events of the laws happen long before."""


@dataclass
class Remembered:
    """What a world knows beside what its database holds.

    Attributes:
        sources: id by name.
        contacts: of the billing source; uuid by e-mail.
    """

    sources: dict[str, int]
    contacts: dict[str, str] = field(default_factory=dict)


class World:
    """Two Segment sources, `s` and `t`, and a billing source, `b`."""

    def __init__(self, engine: Engine, settings: Settings, remembered: Remembered | None = None) -> None:
        """Make the sources, or find those that another world, of which this is a copy, remembers."""
        self.engine, self.settings = engine, settings
        self.remembered = remembered or Remembered(
            {"s": support.make_source(engine), "t": support.make_source(engine), "b": billing_source(engine)}
        )
        self.sources = self.remembered.sources
        self.contacts = self.remembered.contacts

    # What happens.

    def tell(self, source: str, events: Iterable[Any]) -> None:
        """Receive some calls, or their bytes, and apply them."""
        support.receive(self.engine, self.sources[source], events)
        support.drain(self.engine, self.settings, self.sources[source])

    def bill(self, external_id: str, **values: Any) -> None:
        """Let the billing source tell of a customer."""
        with begin(self.engine) as connection:
            put_customers(connection, self.sources["b"], [CustomerChange(external_id, values)])

    def bill_contact(self, external_id: str, **values: Any) -> None:
        """Let it tell of a contact, known by the e-mail."""
        with begin(self.engine) as connection:
            put_customers(connection, self.sources["b"], [CustomerChange(external_id)])
            under = self.origin(connection, ("b", external_id))
            uuid = self.contacts.setdefault(values["email"], new_uuid())
            put_contacts(connection, self.sources["b"], [ContactChange(uuid, under or "", values)])

    def follow(self, source: str, policy: str) -> None:
        """Re-sync a source to a policy."""
        self._work(source, "resync", policy)

    def rebuild(self, source: str) -> None:
        """Fold a source's events again."""
        self._work(source, "rebuild")

    def delete(self, source: str) -> None:
        """Delete a source."""
        self._work(source, "deletion")

    def _work(self, source: str, kind: str, policy: str | None = None) -> None:
        syncs.run(self.engine, self.ask(source, kind, policy), settings=self.settings)

    def ask(self, source: str, kind: str, policy: str | None = None) -> int:
        """Ask for long work that nobody has begun; its id."""
        with writing(), Session(self.engine) as session:
            row = session.get_one(Source, self.sources[source])
            row.policy = policy or row.policy
            session.flush()
            asked = (
                syncs.request_deletion(session, row)
                if kind == "deletion"
                else syncs.request(session, row, kind)
            )
            session.commit()
            return asked.id

    def merge(self, one: Name, other: Name) -> bool:
        """Merge two customers; whether both are there and are not one already."""
        with begin(self.engine) as connection:
            pair = (self.origin(connection, one), self.origin(connection, other))
            try:
                merges.merge(connection, [(pair[0] or "", pair[1] or "")], By())
            except merges.CannotMerge:
                return False
        return True

    def merge_in_order(self, one: Name, other: Name) -> bool:
        """Merge two customers; the one whose leader comes first in some order leads."""
        with self.engine.connect() as connection:
            origins = [self.origin(connection, name) for name in (one, other)]
            stands = select(DataSourceCustomer.origin_uuid, Customer.uuid)
            stands = stands.join(Customer, Customer.id == DataSourceCustomer.customer_id)
            rows = connection.execute(stands.where(DataSourceCustomer.origin_uuid.in_(origins))).all()
            uuids = {row.origin_uuid: row.uuid for row in rows}
        first, second = (uuids.get(origin or "", "") for origin in origins)
        return self.merge(one, other) if first < second else self.merge(other, one)

    def policy(self, source: str) -> str:
        """The policy that a source follows."""
        with self.engine.connect() as connection:
            query = select(Source.applied_policy).where(Source.id == self.sources[source])
            return connection.scalar(query) or ""

    def unmerge(self, number: int, remember: bool = False) -> None:
        """Take one of the merges back, counted from the first."""
        with begin(self.engine) as connection:
            ids = self._merges(connection)
            if ids:
                merges.unmerge(connection, [ids[number % len(ids)]], By(), remember)

    def edit(self, record: Name, values: dict[str, Any]) -> bool:
        """Set fields of the customer behind which a record stands; whether there is one."""
        with begin(self.engine) as connection:
            origin = self.origin(connection, record)
            row = connection.execute(
                select(DataSourceCustomer.customer_id).where(DataSourceCustomer.origin_uuid == origin)
            ).first()
            if row is None:
                return False
            behind = select(DataSourceCustomer.__table__).where(
                DataSourceCustomer.customer_id == row.customer_id
            )
            rows = {each.origin_uuid: each for each in connection.execute(behind)}
            leader = rows[tellers_of(rows.values())[0].uuid]
            edits.set_fields(connection, "customer", leader.origin_uuid, leader.source_id, values, None)
            compose(connection, [row.customer_id])
        return True

    # What was decided, so that another world can be told.

    def decided(self) -> list[tuple[Name, Name]]:
        """The merges, by the names of what they are about."""
        with self.engine.connect() as connection:
            query = select(Decision.__table__).where(Decision.id.in_(self._merges(connection)))
            return [
                (self._name(connection, one), self._name(connection, other))
                for row in connection.execute(query.order_by(Decision.id)).all()
                for one, other in [decisions.ends_of(row)]
            ]

    def decide(self, pairs: Iterable[tuple[Name, Name]]) -> None:
        """Decide the same as another world, whoever is there."""
        with begin(self.engine) as connection:
            ends = [(self._end(connection, one), self._end(connection, other)) for one, other in pairs]
            decisions.write(connection, "customer", "merge", ends, By())
            settle(connection, {end.now for pair in ends for end in pair})

    def _merges(self, connection: Connection) -> list[int]:
        query = select(Decision.id).where(Decision.kind == "merge", Decision.entity == "customer")
        ours = Decision.primary_source_id.in_(self.sources.values())
        return list(connection.scalars(query.where(ours).order_by(Decision.id)))

    def _name(self, connection: Connection, end: End) -> Name:
        source = next(name for name, id in self.sources.items() if id == end.source_id)
        if end.key is not None:
            return source, end.key.decode()
        if source == "b":
            query = select(DataSourceCustomer.external_id)
            return source, connection.scalar(query.where(DataSourceCustomer.origin_uuid == end.uuid)) or ""
        return source, "g" + (
            connection.scalar(select(Company.key).where(Company.uuid == end.uuid)) or b""
        ).decode()

    def _end(self, connection: Connection, name: Name) -> End:
        source_id = self.sources[name[0]]
        origin = self.origin(connection, name) or ""
        if name[0] == "b" or name[1].startswith("g"):
            return End(source_id, origin, None, origin)
        row = self._identifier(connection, name)
        return End(source_id, row.uuid, name[1].encode(), row.person_uuid or row.uuid)

    def origin(self, connection: Connection, name: Name) -> str | None:
        """The uuid of a billing customer, a company, or the person that an identifier is part of."""
        source_id, key = self.sources[name[0]], name[1]
        if name[0] == "b":
            query = select(DataSourceCustomer.origin_uuid).where(
                DataSourceCustomer.source_id == source_id, DataSourceCustomer.external_id == key
            )
            return connection.scalar(query)
        if key.startswith("g"):
            of_key = (Company.source_id == source_id, Company.key == company_key(key[1:]))
            return connection.scalar(select(Company.uuid).where(*of_key))
        row = self._identifier(connection, name)
        return row.person_uuid if row else None

    def _identifier(self, connection: Connection, name: Name) -> Any:
        query = select(Identifier.uuid, Identifier.person_uuid).where(
            Identifier.source_id == self.sources[name[0]], Identifier.key == name[1].encode()
        )
        return connection.execute(query).first()

    # What is shown.

    def rows(self) -> list[dict[str, Any]]:
        """Every customer and contact to the last column but its id and when it last changed."""
        customers, contacts, behind = self._tables()
        uuid_of = {row["id"]: row["uuid"] for row in customers}
        contact_of = {row["id"]: row["uuid"] for row in contacts}
        stands = [
            {**row, "customer_id": uuid_of[row["customer_id"]], "id": None, "updated_at": None}
            for row in behind
        ]
        shown = [{**row, "id": None, "updated_at": None} for row in customers]
        shown += [
            {**row, "customer_id": uuid_of[row["customer_id"]], "within_id": contact_of.get(row["within_id"])}
            | {"id": None, "updated_at": None}
            for row in contacts
        ]
        return sorted((*shown, *stands), key=lambda row: (row.get("uuid") or row["origin_uuid"], len(row)))

    def shown(self, without: str = "") -> list[Any]:
        """The same without what differs between two worlds in which the same has happened.

        Args:
            without: a source that is left out.
        """
        self.check()
        customers, contacts, behind = self._tables()
        label = {id: name for name, id in self.sources.items()}
        name_of = {row["id"]: (label[row["source_id"]], row["user_id"], row["email"]) for row in contacts}
        found = []
        for row in customers:
            stands = [
                (label[each["source_id"]], each["external_id"], each["leads"], _plain(each["told"]))
                for each in behind
                if each["customer_id"] == row["id"]
            ]
            people = [
                _plain(each, "customer_id", "within_id", "origin_uuid")
                | {"source_id": label[each["source_id"]], "within": name_of.get(each["within_id"])}
                for each in contacts
                if each["customer_id"] == row["id"]
            ]
            customer = _plain(row) | {"source_id": label[row["source_id"]]}
            found.append((customer, sorted(stands, key=repr), sorted(people, key=repr)))
        kept = [each for each in found if without not in {label for label, *_ in each[1]}]
        return sorted(kept, key=repr)

    def merged_uuids(self, source: str) -> set[str]:
        """The uuids of customers behind which a source stands and another one too."""
        customers, _, behind = self._tables()
        of: dict[int, set[int]] = {}
        for row in behind:
            of.setdefault(row["customer_id"], set()).add(row["source_id"])
        merged = {id for id, sources in of.items() if len(sources) > 1 and self.sources[source] in sources}
        return {row["uuid"] for row in customers if row["id"] in merged}

    def all_uuids(self) -> set[str]:
        """The uuids of all customers."""
        return {row["uuid"] for row in self._tables()[0]}

    def check(self) -> None:
        """Hold what must be true whatever has happened."""
        customers, contacts, behind = self._tables()
        by_id = {row["id"]: row for row in contacts}
        for row in customers:
            stands = [each for each in behind if each["customer_id"] == row["id"]]
            assert [each["leads"] for each in stands].count(True) == 1
            people = [each for each in contacts if each["customer_id"] == row["id"]]
            assert row["contacts"] == sum(each["within_id"] is None for each in people)
        under = {each["origin_uuid"]: each["customer_id"] for each in behind}
        for row in contacts:
            assert under[row["origin_uuid"]] == row["customer_id"]
            head = by_id[row["within_id"]] if row["within_id"] is not None else row
            assert (head["customer_id"], head["within_id"]) == (row["customer_id"], None)

    def _tables(self) -> tuple[list[dict[str, Any]], ...]:
        with self.engine.connect() as connection:
            return tuple(
                [
                    dict(row)
                    for row in connection.execute(
                        select(model.__table__).where(model.source_id.in_(self.sources.values()))
                    ).mappings()
                ]
                for model in (Customer, Contact, DataSourceCustomer)
            )


def billing_source(engine: Engine) -> int:
    """A billing source; its id."""
    uuid = new_uuid()
    row = {"uuid": uuid, "name": f"Billing {uuid}", "name_key": uuid, "kind": "billing", "created_at": now()}
    with begin(engine) as connection:
        statement = insert(Source).values(policy="", applied_policy="", **row).returning(Source.id)
        return connection.execute(statement).scalar_one()


def _plain(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """A row without what names it, and with one word for every instant of this run."""
    gone = {"id", "uuid", "created_at", "updated_at", *names}
    return {
        name: _plain(value) if isinstance(value, dict) else "now" if _is_now(name, value) else value
        for name, value in row.items()
        if name not in gone
    }


def _is_now(name: str, value: Any) -> bool:
    return name.endswith("_seen") and value > WALL_CLOCK
