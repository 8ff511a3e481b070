"""Records as the API answers them, with ChartMogul's names: a whole page of them in one query a kind."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from flask import url_for
from sqlalchemy import Connection

from webapp.domain.clock import iso
from webapp.domain.composing import TAG_SEPARATOR
from webapp.domain.revenue import Paid, hundredths
from webapp.models import now
from webapp.security import public_base
from webapp.services import attributes, contact_notes, listing, revenue
from webapp.views.api import custom

SYSTEMS = {"billing": "Import API", "segment": "Segment"}
"""What ChartMogul calls a source's kind."""
CURRENCY = "USD"
"""What is said where there is no money, and so no currency, since a currency has to be said."""
SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "INR": "₹", "KRW": "₩", "BRL": "R$", "ILS": "₪"}
MONTHS = 12


def data_source(row: Any, busy: bool = False) -> dict[str, Any]:
    """A source. `row` is of `sources`; `busy` says whether long work is open on it."""
    return {
        "uuid": f"ds_{row.uuid}",
        "name": row.name,
        "system": SYSTEMS.get(row.kind, row.kind),
        "created_at": iso(row.created_at),
        "status": "importing" if busy else "idle",
    }


def customers(connection: Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Customers, in the order given; `rows` are of `customers`."""
    behind = listing.behind(connection, [row.id for row in rows])
    since = listing.customers_since(connection, [each.origin_uuid for all in behind.values() for each in all])
    types, sources = attributes.types(connection, "customer"), listing.sources(connection)
    return [_customer(row, behind.get(row.id, []), since, types, sources) for row in rows]


def _customer(
    row: Any,
    behind: Sequence[Any],
    since: Mapping[str, int],
    types: Mapping[str, str],
    sources: Mapping[int, Any],
) -> dict[str, Any]:
    system = sources[row.source_id]
    began = [since[each.origin_uuid] for each in behind if each.origin_uuid in since]
    named = {each.source_id: f"ds_{sources[each.source_id].uuid}" for each in behind}
    currency, mrr = row.currency or CURRENCY, row.mrr or 0
    return {
        "id": row.id,
        "uuid": f"cus_{row.uuid}",
        "external_id": row.external_id,
        "external_ids": [each.external_id for each in behind],
        "data_source_uuid": f"ds_{system.uuid}",
        "data_source_uuids": [named[each.source_id] for each in behind],
        # ChartMogul says "" where these are unknown; its clients take no null for them.
        "name": row.name or "",
        "company": row.company or "",
        "email": row.email or "",
        "status": row.lead_status,
        "customer-since": _time(min(began, default=None)),
        "lead_created_at": _time(row.lead_created_at),
        "free_trial_started_at": _time(row.free_trial_started_at),
        "country": row.country,
        "state": row.state,
        "city": row.city,
        "zip": row.zip,
        "address": {"country": row.country, "state": row.state, "city": row.city, "address_zip": row.zip},
        "website_url": row.website_url,
        "owner": row.owner,
        "attributes": attributes_of(row, types),
        "mrr": mrr,
        "arr": mrr * MONTHS,
        "currency": currency,
        "currency-sign": sign(currency),
        "billing-system-type": SYSTEMS.get(system.kind, system.kind),
        "billing-system-url": None,
        "chartmogul-url": public_base() + url_for("customers.show", customer_id=f"cus_{row.uuid}"),
    }


def attributes_of(row: Any, types: Mapping[str, str]) -> dict[str, Any]:
    """Tags and custom attributes of a customer."""
    return {"tags": tags(row), "stripe": {}, "clearbit": {}, "custom": custom.given(row.custom, types)}


def tags(row: Any) -> list[str]:
    """The tags of a customer."""
    return row.tags.split(TAG_SEPARATOR) if row.tags else []


def contacts(connection: Connection, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Contacts, in the order given; `rows` as `listing.contacts` gives them."""
    types, sources = attributes.types(connection, "contact"), listing.sources(connection)
    written = contact_notes.latest(connection, [row.uuid for row in rows])
    return [
        {
            "uuid": f"con_{row.uuid}",
            "customer_uuid": f"cus_{row.customer_uuid}",
            "customer_external_id": row.customer_external_id,
            "data_source_uuid": f"ds_{sources[row.source_id].uuid}",
            "external_id": row.user_id,
            "position": None,
            "first_name": row.first_name,
            "last_name": row.last_name,
            "title": row.title,
            "email": row.email,
            "phone": row.phone,
            "linked_in": row.linked_in,
            "twitter": row.twitter,
            "notes": written.get(row.uuid),
            "last_seen": _time(row.last_seen),
            "custom": custom.given(row.custom, types),
        }
        for row in rows
    ]


def plans(connection: Connection, rows: Iterable[Any]) -> list[dict[str, Any]]:
    """Plans, in the order given."""
    sources = listing.sources(connection)
    return [
        {
            "uuid": f"pl_{row.uuid}",
            "data_source_uuid": f"ds_{sources[row.source_id].uuid}",
            "external_id": row.external_id,
            "name": row.name,
            "interval_count": row.interval_count,
            "interval_unit": row.interval_unit,
        }
        for row in rows
    ]


def subscriptions(connection: Connection, customer_uuid: str, rows: Sequence[Any]) -> list[dict[str, Any]]:
    """Subscriptions of one customer, in the order given: ChartMogul's two shapes of one in one.

    Args:
        rows: of `subscriptions`, with the `plan_uuid` and `plan` (its name), and `adjusted`.
    """
    sources, moment = listing.sources(connection), now()
    return [_subscription(row, customer_uuid, f"ds_{sources[row.source_id].uuid}", moment) for row in rows]


def _subscription(row: Any, customer_uuid: str, source: str, moment: int) -> dict[str, Any]:
    paid = revenue.paid(row, row.adjusted)
    mrr = hundredths(paid.mrr)
    return {
        "id": row.id,
        "uuid": f"sub_{row.uuid}",
        "external_id": row.external_id,
        "subscription_set_external_id": row.connection_uuid or row.external_id,
        "customer_uuid": f"cus_{customer_uuid}",
        "data_source_uuid": source,
        "plan": row.plan,
        "plan_uuid": f"pl_{row.plan_uuid}" if row.plan_uuid else None,
        "quantity": 1,
        "amount_in_cents": hundredths(Decimal(row.amount)),
        "mrr": mrr,
        "arr": mrr * MONTHS,
        "status": _status(paid, moment),
        "billing-cycle": row.interval_unit,
        "billing-cycle-count": row.interval_count,
        "start-date": iso(row.start_at),
        "end-date": _time(row.end_at),
        "cancellation_dates": [iso(row.end_at)] if row.end_at is not None else [],
        "past_due": row.past_due,
        "currency": row.currency,
        "currency-sign": sign(row.currency),
    }


def _status(paid: Paid, moment: int) -> str:
    if not paid.runs(moment):
        return "future" if moment < paid.start_at else "cancelled"
    return "past_due" if paid.past_due else "active"


def sign(currency: str) -> str:
    """A currency's sign, or its code where it has none of its own."""
    return SIGNS.get(currency, currency)


def _time(instant: int | None) -> str | None:
    return None if instant is None else iso(instant)
