"""The columns of the two tables: the standard attributes, and a column for each custom attribute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from webapp.domain.attributes import shown
from webapp.domain.clock import iso
from webapp.models import Contact, Customer
from webapp.models.customer import LEAD_STATUSES
from webapp.services import attributes

CUSTOM = "custom."

# How a value is kept, which says how it is sorted and compared.
TEXT, NUMBER, MICROS, MONEY, JSON, OTHER = "text", "number", "micros", "money", "json", "other"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table.

    Attributes:
        key: its name in addresses and in CSV files: `email`, `custom.plan`.
        label: its heading.
        type: "String", "Integer", "Decimal", "Timestamp" or "Boolean".
        kind: how it is kept: TEXT, NUMBER, MICROS, MONEY (hundredths of the row's currency), JSON (a custom
            attribute), or OTHER (of another table).
        preset: whether it is shown until somebody chooses columns.
        required: every row has a value, so that nothing sorts as empty.
        alone: shown on the page of a single source too (`source` says nothing there).
        indexed: of a custom attribute: whether it has an index to sort and filter by.
    """

    key: str
    label: str
    type: str = "String"
    kind: str = TEXT
    preset: bool = False
    required: bool = False
    alone: bool = True
    indexed: bool = False

    @property
    def name(self) -> str:
        """The attribute's own name: `plan` for `custom.plan`."""
        return self.key.removeprefix(CUSTOM)

    @property
    def numeric(self) -> bool:
        """Whether it holds numbers, which stand at the right."""
        return self.type in ("Integer", "Decimal")


@dataclass(frozen=True, slots=True)
class Table:
    """One of the tables.

    Attributes:
        noun: `customers` or `contacts`.
        one: `customer` or `contact`; also the entity of its custom attributes.
        model: the mapped class that a row is of.
        prefix: of a row's public id.
        standard: the columns that it always has.
        sort: how it is sorted until somebody says otherwise; a dash in front: the greatest first.
        statuses: only customers with one of these lead statuses are its rows; empty: all.
    """

    noun: str
    one: str
    model: Any
    prefix: str
    standard: tuple[Column, ...]
    sort: str = "-updated_at"
    statuses: tuple[str, ...] = ()


def _time(key: str, label: str, preset: bool = False) -> Column:
    return Column(key, label, "Timestamp", MICROS, preset, required=True)


_SOURCE = Column("source", "Source", kind=OTHER, alone=False)

CUSTOMERS = Table(
    "customers",
    "customer",
    Customer,
    "cus_",
    (
        Column("name", "Customer", preset=True, required=True),
        Column("email", "Email", preset=True),
        Column("country", "Country", preset=True),
        Column("lead_status", "Lead status", required=True),
        Column("owner", "Owner"),
        Column("tags", "Tags"),
        Column("mrr", "MRR", "Decimal", MONEY),
        Column("currency", "Currency"),
        Column("contacts", "Contacts", "Integer", NUMBER, preset=True, required=True),
        Column("external_id", "External ID", required=True),
        Column("company", "Company"),
        Column("website_url", "Website"),
        Column("state", "State"),
        Column("city", "City"),
        Column("zip", "ZIP"),
        _SOURCE,
        Column("lead_created_at", "Lead created", "Timestamp", MICROS),
        Column("free_trial_started_at", "Free trial started", "Timestamp", MICROS),
        _time("first_seen", "First seen"),
        _time("last_seen", "Last seen"),
        _time("updated_at", "Last updated", preset=True),
    ),
)

CONTACTS = Table(
    "contacts",
    "contact",
    Contact,
    "con_",
    (
        Column("name", "Contact", preset=True, required=True),
        Column("email", "Email", preset=True),
        Column("customer", "Customer", kind=OTHER, preset=True, required=True),
        Column("title", "Title", preset=True),
        Column("user_id", "User ID"),
        Column("first_name", "First name"),
        Column("last_name", "Last name"),
        Column("phone", "Phone"),
        Column("linked_in", "LinkedIn"),
        Column("twitter", "Twitter"),
        _SOURCE,
        _time("first_seen", "First seen"),
        _time("last_seen", "Last seen"),
        _time("updated_at", "Last updated", preset=True),
    ),
)

_PRESET = ("name", "lead_status", "owner", "tags", "email", "contacts", "lead_created_at", "first_seen")


def _leads() -> tuple[Column, ...]:
    """The columns of customers, with those in front that somebody needs who looks after leads."""
    known = {each.key: replace(each, preset=each.key in _PRESET) for each in CUSTOMERS.standard}
    first = [replace(known.pop("name"), label="Lead"), *(known.pop(key) for key in _PRESET[1:])]
    return (*first, *known.values())


LEADS = Table("leads", "customer", Customer, "cus_", _leads(), "-first_seen", LEAD_STATUSES)


def columns_of(connection: Connection, table: Table, source_id: int | None = None) -> dict[str, Column]:
    """Every column that a table has now, by key, in order.

    Args:
        connection: to read the registry of custom attributes with.
        table: CUSTOMERS or CONTACTS.
        source_id: for the table of one source, which has only the custom attributes that this source told.
    """
    standard = [column for column in table.standard if column.alone or source_id is None]
    indexed = attributes.indexed(connection, table.one)
    custom = [
        Column(CUSTOM + known.key, known.key, known.type, JSON, indexed=(known.key, known.shape) in indexed)
        for known in attributes.offered(connection, table.one, source_id)
    ]
    return {column.key: column for column in (*standard, *custom)}


def value_of(record: Mapping[str, Any], column: Column) -> str | int | Decimal | bool | None:
    """What a record has in a column, as kept; None where it has nothing."""
    if column.kind == JSON:
        return record["custom"].get(column.name)
    value = record[column.key]
    return Decimal(value) / 100 if column.kind == MONEY and value is not None else value


def text_of(record: Mapping[str, Any], column: Column) -> str:
    """What a record shows in a column, on a page as in a CSV file; empty where it has nothing."""
    value = value_of(record, column)
    if value is None:
        return ""
    if column.kind == MICROS:
        return iso(int(value))
    if column.kind == MONEY:
        return f"{value:.2f}"
    return shown(value, column.type) if column.kind == JSON else str(value)
