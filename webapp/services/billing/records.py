"""Writing customers and contacts of a billing source, many at once: the same for files and for the API."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from webapp.domain.attributes import TYPES, Value, type_of
from webapp.domain.composing import CONTACT_VALUES, CUSTOMER_VALUES
from webapp.models import AttributeSighting, Contact, DataSourceCustomer, now
from webapp.models.base import new_uuid
from webapp.services import contact_counts, contact_rows, keeping
from webapp.services.composing import ignored_keys
from webapp.services.contact_rows import own_values
from webapp.services.keeping import Touched
from webapp.services.rows import select_in, upsert
from webapp.services.standing import Standing, Stood, customer_ids, stand


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """What a billing source says of one customer.

    Attributes:
        external_id: its own name for it; a new one makes a customer.
        values: standard attributes (`CUSTOMER_VALUES`) that it tells; None clears, what is absent stays.
        custom: custom attributes, the same way.
    """

    external_id: str
    values: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Value | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ContactChange:
    """What a billing source says of one contact.

    Attributes:
        uuid: of the contact; a new one makes a contact.
        origin_uuid: of the data source customer that it is a contact of.
        values: `CONTACT_VALUES` that it tells; None clears, what is absent stays.
        custom: custom attributes, the same way.
    """

    uuid: str
    origin_uuid: str
    values: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Value | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Put:
    """What was written.

    Attributes:
        origins: by external id, the uuid of the data source customer.
        added: the external ids that were new.
    """

    origins: Mapping[str, str]
    added: frozenset[str]


def put_customers(connection: Connection, source_id: int, changes: Sequence[CustomerChange]) -> Put:
    """Write what a billing source says of customers, in the caller's transaction.

    Args:
        source_id: of a billing source, locked by the caller.
        changes: with any repeats; of the same external id the later says more.
    """
    moment = now()
    known = {row.external_id: row for row in _known(connection, source_id, [c.external_id for c in changes])}
    told: dict[str, dict[str, Any]] = {id: dict(row.told) for id, row in known.items()}
    ignored = ignored_keys(connection, "customer")
    for change in changes:
        before = told.get(change.external_id, {})
        told[change.external_id] = _changed(before, change.values, change.custom, ignored)
    origins = {id: known[id].origin_uuid if id in known else new_uuid() for id in told}
    standings = [
        Standing(
            origin_uuid=origins[id],
            kind="billing",
            external_id=id,
            values={name: values.get(name) for name in CUSTOMER_VALUES}
            | {"custom": values.get("custom", {}), "last_seen": moment}
            | {"first_seen": known[id].first_seen if id in known else moment},
        )
        for id, values in told.items()
    ]
    stood = stand(connection, source_id, standings, moment)
    note_customs(connection, source_id, "customer", [c.custom for c in changes], moment)
    keeping.keep(connection, source_id, stood, Touched())
    return Put(origins, frozenset(id for id in told if origins[id] in stood.added))


def put_contacts(connection: Connection, source_id: int, changes: Sequence[ContactChange]) -> None:
    """Write what a billing source says of contacts, in the caller's transaction.

    Args:
        source_id: of a billing source, locked by the caller.
        changes: each uuid once; its data source customer is there.
    """
    moment = now()
    query = select(Contact.__table__)
    known = {row.uuid: row for row in select_in(connection, query, Contact.uuid, [c.uuid for c in changes])}
    under = customer_ids(connection, [change.origin_uuid for change in changes])
    ignored = ignored_keys(connection, "contact")
    rows = []
    for change in changes:
        place = {"uuid": change.uuid, "source_id": source_id, "company": None}
        place |= {"customer_id": under[change.origin_uuid], "origin_uuid": change.origin_uuid}
        told = _contact(change, known.get(change.uuid), ignored, moment)
        rows.append(contact_rows.told_row(told, place, moment))
    contact_rows.write(connection, rows, known)
    note_customs(connection, source_id, "contact", [c.custom for c in changes], moment)
    ids = {*under.values(), *(row.customer_id for row in known.values())}
    recount(connection, source_id, [change.uuid for change in changes], ids)


def recount(connection: Connection, source_id: int, contact_uuids: Iterable[str], ids: Iterable[int]) -> None:
    """After contacts of a source came, changed or went: compose them, and count those of their customers."""
    customers = frozenset(ids)
    uuids = frozenset(contact_uuids)
    touched = Touched(contacts=uuids, showing=customers, among=uuids)
    keeping.keep(connection, source_id, Stood(), touched)
    contact_counts.again(connection, customers)


def _known(connection: Connection, source_id: int, external_ids: Iterable[str]) -> list[Any]:
    query = select(DataSourceCustomer.__table__).where(
        DataSourceCustomer.source_id == source_id, DataSourceCustomer.kind == "billing"
    )
    return select_in(connection, query, DataSourceCustomer.external_id, external_ids)


def _changed(
    told: Mapping[str, Any],
    values: Mapping[str, Any],
    custom: Mapping[str, Value | None],
    ignored: frozenset[str],
) -> dict[str, Any]:
    merged = dict(told) | dict(values)
    customs = dict(told.get("custom", {})) | dict(custom)
    kept = sorted(key for key, value in customs.items() if value is not None and key not in ignored)
    merged["custom"] = {key: customs[key] for key in kept}
    return {name: value for name, value in merged.items() if value is not None}


def _contact(change: ContactChange, row: Any | None, ignored: frozenset[str], moment: int) -> dict[str, Any]:
    """All that its source tells of a contact after a change: `contact_rows.TOLD`."""
    own = dict(own_values(row)) if row is not None else {}
    told = _changed(own, change.values, change.custom, ignored)
    values = {name: told.get(name) for name in CONTACT_VALUES}
    seen = {"first_seen": own.get("first_seen", moment), "last_seen": moment}
    return values | {"custom": told.get("custom", {})} | seen


def note_customs(
    connection: Connection,
    source_id: int,
    entity: str,
    customs: Iterable[Mapping[str, Value | None]],
    moment: int,
    generation: int = 1,
) -> None:
    """Enter custom attributes that a billing source tells, or people set, into the registry with their types.

    Args:
        generation: `BY_HAND` for what people set over a source.
    """
    bits: dict[str, int] = {}
    counts: dict[str, int] = {}
    for told in customs:
        for key, value in told.items():
            if value is not None:
                bits[key] = bits.get(key, 0) | 1 << TYPES.index(type_of(value))
                counts[key] = counts.get(key, 0) + 1
    query = select(AttributeSighting.__table__, AttributeSighting.count.label("told")).where(
        AttributeSighting.source_id == source_id,
        AttributeSighting.generation == generation,
        AttributeSighting.entity == entity,
    )
    known = {row.key: row for row in select_in(connection, query, AttributeSighting.key, bits)}
    rows = [
        {
            "source_id": source_id,
            "generation": generation,
            "entity": entity,
            "key": key,
            "types": bits[key] | (known[key].types if key in known else 0),
            "over_limit": False,
            "count": counts[key] + (known[key].told if key in known else 0),
            "first_at": known[key].first_at if key in known else moment,
            "first_event_id": 0,
            "last_at": moment,
        }
        for key in bits
    ]
    upsert(connection, AttributeSighting, rows, ("source_id", "generation", "entity", "key"))


def number_of_customers(connection: Connection, source_id: int) -> int:
    """How many customers a billing source tells of."""
    query = select(func.count()).where(DataSourceCustomer.source_id == source_id)
    return connection.scalar(query) or 0
