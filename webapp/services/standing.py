"""Standing behind customers: each data source customer carries what one source tells, each customer shows it.

A customer with one source behind it and nothing else is that source's word, column by column, and is written
with it. Any other is composed (`services/composing.py`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, select

from webapp.domain.composing import CUSTOMER_VALUES
from webapp.domain.text import indexed
from webapp.models import Customer, DataSourceCustomer, KeptUuid
from webapp.models.base import folded
from webapp.services.automations import keys
from webapp.services.rows import delete_in, select_in, upsert

# What the upsert of a customer leaves alone: its number of contacts, and what people or subscriptions say.
KEPT = ("created_at", "contacts", "lead_status")

CUSTOMER_IDS = select(Customer.uuid, Customer.id)
_WHEREABOUTS = select(
    DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id, Customer.uuid, Customer.composed
).join(Customer, Customer.id == DataSourceCustomer.customer_id)
_KEPT_UUIDS = select(KeptUuid.origin_uuid, KeptUuid.uuid)
_STOOD = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id)


@dataclass(frozen=True, slots=True)
class Standing:
    """What one source tells of one customer.

    Attributes:
        origin_uuid: of the company, person or billing record.
        kind: `company`, `person` or `billing`.
        external_id: the source's name for it.
        values: a value or None for each standard attribute, `custom`, `first_seen` and `last_seen`.
        contacts: that come with it when it is new.
    """

    origin_uuid: str
    kind: str
    external_id: str
    values: Mapping[str, Any]
    contacts: int = 0


@dataclass(frozen=True, slots=True)
class Stood:
    """What standing did.

    Attributes:
        added: origins that stood behind no customer before.
        composed: ids of customers that are more than one source's word, and are to be composed again.
        ids: of the customers, by origin.
    """

    added: frozenset[str] = frozenset()
    composed: frozenset[int] = frozenset()
    ids: Mapping[str, int] = field(default_factory=dict)


def stand(
    connection: Connection,
    source_id: int,
    standings: Sequence[Standing],
    moment: int,
) -> Stood:
    """Write what a source tells of some customers, in the caller's transaction.

    Args:
        source_id: whose word it is.
        moment: now, in microseconds.
    """
    if not standings:
        return Stood()
    known = {row.origin_uuid: row for row in whereabouts(connection, [s.origin_uuid for s in standings])}
    new = [s.origin_uuid for s in standings if s.origin_uuid not in known]
    names = customer_uuids(connection, new) | {row.origin_uuid: row.uuid for row in known.values()}
    plain = [s for s in standings if s.origin_uuid not in known or not known[s.origin_uuid].composed]
    rows = (
        customer_row(names[s.origin_uuid], source_id, s.external_id, s.values, moment)
        | {"contacts": s.contacts}
        for s in sorted(plain, key=lambda s: names[s.origin_uuid])
    )
    upsert(connection, Customer, rows, ("uuid",), keep=KEPT, moment="updated_at")
    named = select_in(connection, CUSTOMER_IDS, Customer.uuid, [names[origin] for origin in new])
    made = {row.uuid: row.id for row in named}
    ids = {origin: row.customer_id for origin, row in known.items()} | {o: made[names[o]] for o in new}
    # Automations look at what they have not seen, if any is on.
    unmatched = keys.is_any_on(connection)
    _write_data_source_customers(connection, source_id, standings, ids, moment, unmatched)
    return Stood(frozenset(new), frozenset(row.customer_id for row in known.values() if row.composed), ids)


def whereabouts(connection: Connection, origins: Iterable[str]) -> list[Any]:
    """The customers behind which some origins stand: rows of `origin_uuid, customer_id, uuid, composed`."""
    return select_in(connection, _WHEREABOUTS, DataSourceCustomer.origin_uuid, origins)


def customer_uuids(connection: Connection, origins: Iterable[str]) -> dict[str, str]:
    """What customers led by some origins are called: as the origin, unless another uuid was kept for it."""
    known = list(origins)
    rows = select_in(connection, _KEPT_UUIDS, KeptUuid.origin_uuid, known)
    kept = {row.origin_uuid: row.uuid for row in rows}
    return {origin: kept.get(origin, origin) for origin in known}


def customer_ids(connection: Connection, origins: Iterable[str]) -> dict[str, int]:
    """The ids of the customers behind which some origins stand."""
    rows = select_in(connection, _STOOD, DataSourceCustomer.origin_uuid, origins)
    return {row.origin_uuid: row.customer_id for row in rows}


def customer_row(
    uuid: str, source_id: int, external_id: str, values: Mapping[str, Any], moment: int
) -> dict[str, Any]:
    """The columns of a customer that is what one source tells."""
    return {
        "uuid": uuid,
        "source_id": source_id,
        "external_id": external_id,
        **{name: values.get(name) for name in CUSTOMER_VALUES},
        "custom": values["custom"],
        "first_seen": values["first_seen"],
        "last_seen": values["last_seen"],
        "sort_name": indexed(folded(values["name"] or external_id)),
        "search": searchable(values["name"], values["email"], external_id),
        "contacts": 0,
        "created_at": moment,
        "updated_at": moment,
    }


def step_down(connection: Connection, origins: Iterable[str]) -> dict[str, int]:
    """Take origins from behind their customers.

    Returns:
        The id of the customer that each stood behind; some of these may have nobody behind them now.
    """
    stood = customer_ids(connection, origins)
    delete_in(connection, DataSourceCustomer, DataSourceCustomer.origin_uuid, stood)
    return stood


def searchable(*parts: str | None) -> str:
    """What a search looks into: the folded texts, each once, behind two line feeds.

    So the beginning of each, be it one letter, is a trigram that an index can find.
    """
    return "".join(f"\n\n{text}" for text in dict.fromkeys(folded(part) for part in parts if part))


def _write_data_source_customers(
    connection: Connection,
    source_id: int,
    standings: Sequence[Standing],
    ids: Mapping[str, int],
    moment: int,
    unmatched: bool,
) -> None:
    rows = (
        {
            "customer_id": ids[s.origin_uuid],
            "source_id": source_id,
            "kind": s.kind,
            "origin_uuid": s.origin_uuid,
            "external_id": s.external_id,
            "told": told_of(s.values),
            "first_seen": s.values["first_seen"],
            "last_seen": s.values["last_seen"],
            "leads": True,
            "unmatched": unmatched,
            "created_at": moment,
            "updated_at": moment,
        }
        for s in sorted(standings, key=attrgetter("origin_uuid"))
    )
    keep = ("created_at", "customer_id", "leads")
    upsert(connection, DataSourceCustomer, rows, ("origin_uuid",), keep=keep, moment="updated_at")


def told_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """The document that a data source customer keeps: what was told, without blanks."""
    told = {name: values[name] for name in CUSTOMER_VALUES if values.get(name) is not None}
    return told | {"custom": values["custom"]} if values["custom"] else told
