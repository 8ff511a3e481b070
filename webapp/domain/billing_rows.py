"""Rows of a billing file: which column is what, and what a row says, or all that is wrong with it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from webapp.domain import text as texts
from webapp.domain.attributes import Value
from webapp.domain.clock import read_time, timestamp_form
from webapp.domain.countries import country
from webapp.domain.traits import key_of

CUSTOMERS, SUBSCRIPTIONS = "customers", "subscriptions"
LONGEST = 1024
"""Characters of a standard attribute; of an external id 255."""
IGNORED, CUSTOM = "", "custom"
REASON = "not imported because"
"""The heading under which refused rows that are sent back say what is wrong with them."""

FIELDS: dict[str, dict[str, str]] = {
    CUSTOMERS: {
        "external_id": "External ID",
        "name": "Name",
        "company": "Company",
        "email": "E-mail",
        "website_url": "Website",
        "country": "Country",
        "state": "State",
        "city": "City",
        "zip": "ZIP",
        "lead_created_at": "Lead created at",
        "free_trial_started_at": "Free trial started at",
    },
    SUBSCRIPTIONS: {
        "external_id": "Subscription ID",
        "customer": "Customer’s external ID",
        "plan": "Plan",
        "amount": "Amount",
        "currency": "Currency",
        "interval": "Interval",
        "start": "Start",
        "end": "End",
        "past_due": "Past due",
    },
}
REQUIRED = {
    CUSTOMERS: ("external_id",),
    SUBSCRIPTIONS: ("external_id", "customer", "amount", "currency", "interval", "start"),
}
# Headings, as keys, that a column is guessed by.
_SPELLINGS = {
    CUSTOMERS: {
        "external_id": "external_id id customer_id customer account_id customer_external_id",
        "name": "name customer_name full_name account_name",
        "company": "company company_name organization organisation",
        "email": "email e_mail email_address e_mail_address mail",
        "website_url": "website_url website url domain homepage web",
        "country": "country country_code billing_country",
        "state": "state region province",
        "city": "city town",
        "zip": "zip zip_code postal_code postcode",
        "lead_created_at": "lead_created_at",
        "free_trial_started_at": "free_trial_started_at trial_started_at",
    },
    SUBSCRIPTIONS: {
        "external_id": "external_id id subscription_id subscription",
        "customer": "customer customer_id customer_external_id account_id",
        "plan": "plan plan_id plan_name product price",
        "amount": "amount price_amount unit_amount mrr value total",
        "currency": "currency currency_code",
        "interval": "interval billing_interval period billing_period frequency",
        "start": "start start_date started_at start_at created created_at",
        "end": "end end_date ended_at end_at cancelled_at canceled_at cancelled canceled",
        "past_due": "past_due status overdue",
    },
}
_INTERVALS = {
    "day": ("day", 1), "daily": ("day", 1), "week": ("week", 1), "weekly": ("week", 1),
    "month": ("month", 1), "monthly": ("month", 1), "quarter": ("month", 3), "quarterly": ("month", 3),
    "half_year": ("month", 6), "semiannual": ("month", 6), "year": ("year", 1), "yearly": ("year", 1),
    "annual": ("year", 1), "annually": ("year", 1),
}  # fmt: skip
_COUNTED = re.compile(r"(?:every )?(\d{1,3}) ?(day|week|month|year)s?")
_CURRENCY = re.compile(r"[A-Z]{3}")
_AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,10})?")
_THOUSANDS = re.compile(r"-?\d{1,3}(,\d{3})+(\.\d+)?")
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_DECIMAL = re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,17}")
_YES = ("past_due", "past due", "true", "yes", "1", "unpaid", "overdue")


@dataclass(slots=True)
class Row:
    """What one row says.

    Attributes:
        values: by field, as it is stored: texts, microseconds, a Decimal, a pair for an interval.
        custom: custom attributes.
        problems: what is wrong with it, in sentences; a row with one is not imported.
    """

    values: dict[str, Any] = field(default_factory=dict)
    custom: dict[str, Value] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def guess(kind: str, heading: Sequence[str]) -> list[str]:
    """What each column is taken for: a field, `custom.<key>` of customers, or IGNORED.

    Args:
        kind: CUSTOMERS or SUBSCRIPTIONS.
        heading: the first row of the file.
    """
    spelled = {s: name for name, known in _SPELLINGS[kind].items() for s in known.split()}
    found: list[str] = []
    for title in heading:
        key = key_of(title)
        name = spelled.get(key, IGNORED)
        if name in found:
            name = IGNORED
        is_free = key not in ("", key_of(REASON)) and f"custom.{key}" not in found
        if not name and is_free and kind == CUSTOMERS:
            name = f"custom.{key}"
        found.append(name)
    # A column that bears a field's own name is that field, whatever stood before it.
    for number, title in enumerate(heading):
        key = key_of(title)
        if key in FIELDS[kind] and found[number] != key:
            found = [IGNORED if name == key else name for name in found]
            found[number] = key
    return found


def unfit(kind: str, columns: Sequence[str]) -> str | None:
    """Why a mapping cannot be used, in a sentence; None when it can."""
    for name in REQUIRED[kind]:
        if name not in columns:
            return f"Say which column is “{FIELDS[kind][name]}”: nothing can be imported without it."
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice is not None:
        label = FIELDS[kind].get(twice, twice.removeprefix("custom."))
        return f"Two columns are “{label}”. Choose one of them."
    return None


def read(kind: str, columns: Sequence[str], cells: Sequence[str]) -> Row:
    """What a row says, or everything that is wrong with it.

    Args:
        kind: CUSTOMERS or SUBSCRIPTIONS.
        columns: what each cell is; see `guess`.
        cells: of the row. Blank ones say nothing.
    """
    row = Row()
    if len(cells) > len(columns):
        row.problems.append(f"The row has {len(cells)} cells, and the heading {len(columns)}.")
    told = {name: cell.strip() for name, cell in zip(columns, cells, strict=False) if name and cell.strip()}
    for name in REQUIRED[kind]:
        if name not in told:
            row.problems.append(f"“{FIELDS[kind][name]}” is missing.")
    for name, cell in told.items():
        if name.startswith("custom."):
            row.custom[name.removeprefix("custom.")] = typed(cell)
        else:
            _read_field(row, kind, name, texts.clean(cell))
    start, end = row.values.get("start"), row.values.get("end")
    if start is not None and end is not None and end < start:
        row.problems.append("It ends before it starts.")
    return row


def _read_field(row: Row, kind: str, name: str, cell: str) -> None:
    label = FIELDS[kind][name]
    if name in ("external_id", "customer"):
        if len(cell) > 255:
            row.problems.append(f"“{label}” has more than 255 characters.")
    elif len(cell) > LONGEST:
        row.problems.append(f"“{label}” has more than {LONGEST:,} characters.")
        return
    try:
        row.values[name] = _PARSERS.get(name, str)(cell)
    except ValueError as error:
        row.problems.append(f"“{label}” {error}.")


def typed(cell: str) -> Value:
    """A custom attribute's value: an Integer, a Decimal, a Boolean, or the text, which may be a Timestamp."""
    if _INTEGER.fullmatch(cell):
        return int(cell)
    if _DECIMAL.fullmatch(cell):
        return Decimal(cell)
    if cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    return cell if timestamp_form(cell) else texts.clean(cell)


def _email(cell: str) -> str:
    if not texts.is_email(cell):
        raise ValueError("is no e-mail address")
    return cell


def _time(cell: str) -> int:
    found = read_time(cell)
    if found is None:
        raise ValueError("is no date: write it as 2026-11-24 or 2026-11-24T10:15:00Z")
    return found


def _amount(cell: str) -> Decimal:
    plain = cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell
    if not _AMOUNT.fullmatch(plain):
        raise ValueError("is no amount: write it as 1234.50, without a currency")
    if plain.startswith("-"):
        raise ValueError("is less than nothing")
    return Decimal(plain)


def _currency(cell: str) -> str:
    if not _CURRENCY.fullmatch(cell.upper()):
        raise ValueError("is no currency: write its three letters, such as EUR")
    return cell.upper()


def _interval(cell: str) -> tuple[str, int]:
    said = cell.lower().replace("-", " ")
    found = _INTERVALS.get(said.replace(" ", "_"))
    if found is not None:
        return found
    counted = _COUNTED.fullmatch(said)
    if counted is None or int(counted[1]) == 0:
        raise ValueError("is no interval: write month, year or 3 months")
    return counted[2], int(counted[1])


_PARSERS: Mapping[str, Any] = {
    "email": _email,
    "country": country,
    "lead_created_at": _time,
    "free_trial_started_at": _time,
    "start": _time,
    "end": _time,
    "amount": _amount,
    "currency": _currency,
    "interval": _interval,
    "past_due": lambda cell: cell.lower() in _YES,
}
