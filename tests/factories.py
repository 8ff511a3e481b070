"""Rows for tests, made by plain functions. Each takes a connection and gives back what it made."""

import uuid
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, insert, select

from webapp.domain.attributes import TYPES
from webapp.domain.fold import Told, pack
from webapp.domain.identity import company_key, user_key
from webapp.domain.policy import CUSTOMER_DETAILS
from webapp.models import (
    AttributeSighting,
    Company,
    Contact,
    Customer,
    DataSourceCustomer,
    Event,
    Identifier,
    Person,
    Source,
)
from webapp.models.base import folded
from webapp.services.standing import searchable

DAY = 86_400_000_000
SOME_DAY = 1_790_000_000_000_000  # 21 Sep 2026


def make(connection: Connection, model: Any, **columns: Any) -> int:
    """Insert one row; its id."""
    made = connection.execute(insert(model).values(**columns)).inserted_primary_key
    assert made is not None
    return int(made[0])


def source(connection: Connection, name: str = "Production", **columns: Any) -> int:
    """A Segment source; its id."""
    defaults = {
        "uuid": str(uuid.uuid4()),
        "name": name,
        "name_key": folded(name),
        "policy": "user",
        "applied_policy": "user",
        "created_at": SOME_DAY,
    }
    return make(connection, Source, **defaults | columns)


def public_id(connection: Connection, source_id: int) -> str:
    """A source's id as addresses bear it."""
    return "ds_" + connection.execute(select(Source.uuid).where(Source.id == source_id)).scalar_one()


def customer(connection: Connection, source_id: int, external_id: str = "org_1", **columns: Any) -> int:
    """A customer that a company made, with the row by which its source stands behind it; its id."""
    row = customer_row(source_id, external_id, **columns)
    id = make(connection, Customer, **row)
    make(
        connection,
        DataSourceCustomer,
        customer_id=id,
        source_id=source_id,
        kind="company",
        origin_uuid=row["uuid"],
        external_id=external_id,
        told={name: row[name] for name in CUSTOMER_DETAILS if row[name] is not None}
        | {"custom": row["custom"]},
        first_seen=row["first_seen"],
        last_seen=row["last_seen"],
        leads=True,
        unmatched=False,
        created_at=SOME_DAY,
        updated_at=SOME_DAY,
    )
    return id


def customer_row(source_id: int, external_id: str, **columns: Any) -> dict[str, Any]:
    """The columns of a customer."""
    details = dict.fromkeys(CUSTOMER_DETAILS)
    row = {
        **details,
        "uuid": str(uuid.uuid4()),
        "source_id": source_id,
        "external_id": external_id,
        "custom": {},
        "contacts": 0,
        "first_seen": SOME_DAY,
        "last_seen": SOME_DAY,
        "created_at": SOME_DAY,
        "updated_at": SOME_DAY,
        **columns,
    }
    row["sort_name"] = folded(row["name"] or external_id)
    row["search"] = searchable(row["name"], row["email"], external_id)
    return row


def contact(connection: Connection, source_id: int, customer_id: int, **columns: Any) -> int:
    """A contact of a customer; its id."""
    behind = select(DataSourceCustomer.origin_uuid).where(DataSourceCustomer.customer_id == customer_id)
    columns.setdefault("origin_uuid", connection.scalar(behind.limit(1)) or "")
    return make(connection, Contact, **contact_row(source_id, customer_id, **columns))


def contact_row(source_id: int, customer_id: int, **columns: Any) -> dict[str, Any]:
    """The columns of a contact."""
    names = ("user_id", "email", "first_name", "last_name", "title", "phone", "linked_in", "twitter")
    row = {
        **dict.fromkeys(names),
        "uuid": str(uuid.uuid4()),
        "source_id": source_id,
        "customer_id": customer_id,
        "custom": {},
        "first_seen": SOME_DAY,
        "last_seen": SOME_DAY,
        "created_at": SOME_DAY,
        "updated_at": SOME_DAY,
        "company": None,
        "origin_uuid": "",
        **columns,
    }
    name = " ".join(filter(None, (row["first_name"], row["last_name"])))
    row["sort_name"] = folded(name or row["email"] or row["user_id"] or "")
    row["search"] = searchable(name, row["email"], row["user_id"])
    return row


def sighting(
    connection: Connection,
    source_id: int,
    entity: str,
    key: str,
    types: Iterable[str] = ("String",),
    **columns: Any,
) -> None:
    """A key that a source has told, with values of these types."""
    defaults = {
        "generation": 1,
        "over_limit": False,
        "count": 1,
        "first_at": SOME_DAY,
        "first_event_id": 1,
        "last_at": SOME_DAY,
    }
    bits = sum(1 << TYPES.index(each) for each in set(types))
    make(
        connection,
        AttributeSighting,
        **defaults | {"source_id": source_id, "entity": entity, "key": key, "types": bits} | columns,
    )


def company(connection: Connection, source_id: int, group_id: str, told: Told, uuid_: str) -> None:
    """A company as the fold keeps it."""
    make(
        connection,
        Company,
        source_id=source_id,
        generation=1,
        key=company_key(group_id),
        uuid=uuid_,
        told=pack(told),
        first_seen=SOME_DAY,
        last_seen=SOME_DAY,
    )


def person(
    connection: Connection,
    source_id: int,
    uuid_: str,
    user_id: str | None,
    told: Told | None = None,
    key: bytes | None = None,
    **columns: Any,
) -> None:
    """A person with one identifier, as the fold keeps them."""
    person_row = {"source_id": source_id, "generation": 1, "uuid": uuid_, "user_id": user_id}
    times = {"first_seen": SOME_DAY, "last_seen": SOME_DAY}
    make(connection, Person, **person_row | times | {"email": None, "company": None} | columns)
    identifier(connection, source_id, uuid_, key or user_key(user_id or ""), told, email=columns.get("email"))


def identifier(
    connection: Connection,
    source_id: int,
    person_uuid: str,
    key: bytes,
    told: Told | None = None,
    **columns: Any,
) -> None:
    """One more identifier of a person."""
    defaults = {
        "generation": 1,
        "uuid": str(uuid.uuid4()),
        "tie_key": None,
        "email": None,
        "first_seen": SOME_DAY,
        "last_seen": SOME_DAY,
    }
    row = {
        "source_id": source_id,
        "key": key,
        "person_uuid": person_uuid,
        "told": pack(told or Told({}, {}, {})),
    }
    make(connection, Identifier, **defaults | row | columns)


def event(connection: Connection, source_id: int, body: bytes = b"{}", **columns: Any) -> int:
    """An event in the inbox; its id."""
    defaults = {
        "digest": uuid.uuid4().bytes,
        "received_at": SOME_DAY,
        "state": 1,
        "type": "identify",
        "message_id": "",
        "occurred_at": SOME_DAY,
    }
    return make(connection, Event, **defaults | {"source_id": source_id, "body": body} | columns)
