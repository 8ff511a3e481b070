"""One customer or contact with all that stands behind it: found by any of its names, held, composed again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select
from sqlalchemy.orm import Session, aliased

from webapp.domain.text import clean
from webapp.models import Contact, Customer, DataSourceCustomer, User
from webapp.services import audit, listing, visibility
from webapp.services.composing import compose
from webapp.services.composing_contacts import compose_contacts, in_order_of
from webapp.services.locks import lock_sources
from webapp.services.transactions import write

PREFIXES = {"customer": "cus_", "contact": "con_"}


class Gone(Exception):
    """The record is not there any more; the text says what was kept and what to do."""


@dataclass(frozen=True, slots=True)
class Record:
    """One record as people see it.

    Attributes:
        entity: `customer` or `contact`.
        row: of `customers` or `contacts`.
        behind: rows of data source customers, or of the contacts that are this human; the primary first.
    """

    entity: str
    row: Any
    behind: Sequence[Any]

    @property
    def public_id(self) -> str:
        return PREFIXES[self.entity] + str(self.row.uuid)

    @property
    def sources(self) -> Mapping[str, int]:
        """The id of the source of each origin, the primary's first."""
        return {origin_of(row): row.source_id for row in self.behind}

    @property
    def primary(self) -> tuple[str, int]:
        """The primary's origin and the id of its source, which what people write is kept with."""
        return next(iter(self.sources.items()))


def origin_of(row: Any) -> str:
    """The name under which what people write on a row is kept."""
    return str(row.origin_uuid if hasattr(row, "kind") else row.uuid)


def find(connection: Connection, public_id: str) -> Record | None:
    """A record that may be seen; None when there is none of that id.

    Args:
        public_id: `cus_<uuid>` or `con_<uuid>`.
    """
    entity = next((each for each, prefix in PREFIXES.items() if public_id.startswith(prefix)), None)
    if entity is None:
        return None
    row = listing.one(connection, entity, public_id)
    if row is None:
        return None
    if entity == "customer":
        return Record(entity, row, listing.behind(connection, [row.id])[row.id])
    query = select(Contact.__table__).where((Contact.id == row.id) | (Contact.within_id == row.id))
    return Record(entity, row, in_order_of(connection, connection.execute(query).all()))


def moved(connection: Connection, public_id: str) -> str | None:
    """Where a record is shown that stands behind or within another one; None when it is nowhere.

    Args:
        public_id: one that `find` does not find.
    """
    uuid = clean(public_id[4:])
    if public_id.startswith(PREFIXES["customer"]):
        shown = (
            select(Customer.uuid)
            .join(DataSourceCustomer, DataSourceCustomer.customer_id == Customer.id)
            .where(DataSourceCustomer.origin_uuid == uuid, visibility.seen(connection, Customer))
        )
    elif public_id.startswith(PREFIXES["contact"]):
        within = select(Contact.within_id).where(Contact.uuid == uuid).scalar_subquery()
        shown = select(Contact.uuid).where(Contact.id == within, visibility.seen(connection, Contact))
    else:
        return None
    found = connection.scalar(shown)
    return None if found is None or found == uuid else public_id[:4] + found


@contextmanager
def changing(session: Session, public_id: str) -> Iterator[tuple[Connection, Record]]:
    """Hold a record for as long as the block changes it, then compose and commit.

    Raises:
        Gone: there is none of that id any more.
    """
    with write(session):
        connection = session.connection()
        lock_sources(connection)
        record = find(connection, public_id)
        if record is None:
            raise Gone("This record was deleted or merged meanwhile. Nothing was changed.")
        yield connection, record
        recompose(connection, [record])


def recompose(connection: Connection, records: Sequence[Record]) -> None:
    """Let records show what people set on them, in the caller's transaction."""
    compose(connection, [each.row.id for each in records if each.entity == "customer"])
    contacts = [each for each in records if each.entity == "contact"]
    if contacts:
        compose_contacts(
            connection, {each.row.customer_id for each in contacts}, [each.row.uuid for each in contacts]
        )


def named(connection: Connection, entity: str, origin: str) -> tuple[str, int] | None:
    """What the record is called that an origin stands behind, or within: its public id, and its source's id.

    Args:
        entity: `customer` or `contact`.
        origin: of a data source customer, or the uuid of a contact.
    """
    if entity == "customer":
        query = select(Customer.uuid, Customer.source_id)
        query = query.join(DataSourceCustomer, DataSourceCustomer.customer_id == Customer.id)
        query = query.where(DataSourceCustomer.origin_uuid == origin)
    else:
        own = aliased(Contact)
        query = select(Contact.uuid, Contact.source_id)
        query = query.join(own, Contact.id == func.coalesce(own.within_id, own.id)).where(own.uuid == origin)
    row = connection.execute(query).first()
    return None if row is None else (PREFIXES[entity] + row.uuid, row.source_id)


def parted(connection: Connection, public_id: str, origins: Iterable[str]) -> tuple[str, int] | None:
    """The customer that another was parted from, as `named` gives it; None when they are one all the same.

    Args:
        public_id: of the other.
        origins: that stood behind one customer.
    """
    found = (named(connection, "customer", origin) for origin in origins)
    return next((each for each in found if each is not None and each[0] != public_id), None)


def log(
    connection: Connection,
    action: str,
    user_id: int | None,
    record: Record,
    other: tuple[str, int] | None = None,
    **details: Any,
) -> None:
    """Write a line of the audit log on a record, which goes with the primary's source.

    Args:
        other: another record that the line names, as `named` gives it; the line goes with its source too.
    """
    sources = [record.primary[1]]
    if other is not None:
        details["other"] = other[0]
        sources.append(other[1])
    audit.record_on(connection, action, user_id, sources, record=record.public_id, **details)


def people(connection: Connection) -> dict[int, str]:
    """Everybody who may sign in, by id: their name, else their e-mail address."""
    rows = connection.execute(select(User.id, User.name, User.email).order_by(User.email)).all()
    return {row.id: row.name or row.email for row in rows}
