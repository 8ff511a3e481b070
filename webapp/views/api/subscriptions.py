"""Subscriptions of a customer: list, make, change, cancel, delete, connect, disconnect."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from flask import Response
from sqlalchemy import Connection

from webapp.domain.text import written
from webapp.extensions import db
from webapp.services import api_acts, listing
from webapp.services.billing import subscriptions
from webapp.services.billing.subscriptions import CannotConnect, SubscriptionTold
from webapp.views.api import finding, gate, shapes
from webapp.views.api.answers import answer, invalid, missing, nothing
from webapp.views.api.asked import Reader, body, paging
from webapp.views.api.plans import interval
from webapp.views.api.routing import operation

GROUP = "Subscriptions"
PAGES = ("per_page", "cursor")
MOST_CENTS = 10**15
EVERYTHING = 10_000
"""Subscriptions of one customer that are looked through for those to connect."""
_CURRENCY = re.compile("[A-Z]{3}")


@operation(
    "GET",
    "/customers/{uuid}/subscriptions",
    "List the subscriptions of a customer",
    group=GROUP,
    query=PAGES,
    answers={200: "Subscriptions"},
)
def list_subscriptions(uuid: str) -> Response:
    """What a customer pays for, and paid for."""
    return answer(_list(uuid, "entries"))


@operation(
    "GET",
    "/import/customers/{uuid}/subscriptions",
    "List the subscriptions of a customer, as they were imported",
    group=GROUP,
    query=PAGES,
    answers={200: "ImportedSubscriptions"},
)
def list_imported_subscriptions(uuid: str) -> Response:
    """The same under ChartMogul's name for imported ones."""
    return answer({"customer_uuid": uuid} | _list(uuid, "subscriptions"))


@operation(
    "POST",
    "/customers/{uuid}/subscriptions",
    "Make a subscription",
    group=GROUP,
    body="NewSubscription",
    answers={201: "Subscription"},
)
def create_subscription(uuid: str) -> Response:
    """A subscription that a billing source of the customer tells of."""
    asked = Reader(body())
    source_uuid, external_id = asked.required("data_source_uuid"), asked.required("external_id")
    blank = SubscriptionTold(external_id, "", Decimal(0), "", "month", 1, 0)
    for name in ("amount_in_cents", "currency", "start_date"):
        if asked.told.get(name) in (None, ""):
            asked.complain(name, f"{name} is required.")
    with gate.changing() as connection:
        asked.check()
        source = finding.billing_source(connection, source_uuid)
        row, behind = finding.held_customer(connection, uuid)
        told_by = [each for each in behind if each.source_id == source.id]
        if not told_by:
            raise invalid(data_source_uuid="This data source tells of another customer. Nothing was changed.")
        if subscriptions.named(connection, source.id, external_id) is not None:
            raise invalid(external_id="The external ID for this subscription already exists in our system.")
        told = _changed(connection, asked, replace(blank, origin_uuid=told_by[0].origin_uuid), source.id)
        subscriptions.put_subscriptions(connection, source.id, [told])
        made = subscriptions.named(connection, source.id, external_id)
        assert made is not None  # noqa: S101
        return answer(_shown(connection, row.uuid, made.uuid), 201)


@operation(
    "PATCH",
    "/import/subscriptions/{uuid}",
    "Change or cancel a subscription",
    group=GROUP,
    body="SubscriptionChange",
    answers={200: "Subscription"},
)
def update_subscription(uuid: str) -> Response:
    """`cancelled_at` or `cancellation_dates` end it, an empty list lets it go on."""
    asked = Reader(body())
    with gate.changing() as connection:
        row, customer_uuid = _held(connection, uuid)
        told = _changed(connection, asked, subscriptions.told_of(row), row.source_id)
        subscriptions.put_subscriptions(connection, row.source_id, [told])
        return answer(_shown(connection, customer_uuid, row.uuid))


@operation(
    "DELETE", "/import/subscriptions/{uuid}", "Delete a subscription", group=GROUP, answers={204: None}
)
def delete_subscription(uuid: str) -> Response:
    """Delete a subscription, with what people said of its MRR."""
    with gate.changing() as connection:
        row, _ = _held(connection, uuid)
        subscriptions.remove_subscriptions(connection, [row.id])
        customer = finding.customer_of(connection, row.origin_uuid)
        api_acts.on_customer(connection, "customer.subscription_deleted", customer)
    return nothing()


@operation(
    "POST",
    "/customers/{uuid}/connect_subscriptions",
    "Connect subscriptions of a customer",
    group=GROUP,
    body="SubscriptionNames",
    answers={202: "Nothing"},
)
def connect_subscriptions(uuid: str) -> Response:
    """Let them count as one that goes on."""
    asked = Reader(body())
    with gate.changing() as connection:
        customer, rows = _named(connection, asked, uuid)
        try:
            connected = subscriptions.connect(connection, rows)
        except CannotConnect as error:
            raise invalid(subscriptions=str(error)) from None
        if any(row.connection_uuid != connected for row in rows):
            api_acts.on_customer(connection, "customer.subscriptions_connected", customer)
    return answer({}, 202)


@operation(
    "POST",
    "/customers/{uuid}/disconnect_subscriptions",
    "Disconnect subscriptions of a customer",
    group=GROUP,
    body="SubscriptionNames",
    answers={202: "Nothing"},
)
def disconnect_subscriptions(uuid: str) -> Response:
    """Let each stand alone again."""
    asked = Reader(body())
    with gate.changing() as connection:
        customer, rows = _named(connection, asked, uuid)
        subscriptions.disconnect(connection, rows)
        if any(row.connection_uuid for row in rows):
            api_acts.on_customer(connection, "customer.subscriptions_disconnected", customer)
    return answer({}, 202)


def _list(uuid: str, name: str) -> dict[str, Any]:
    connection, asked = db.session().connection(), paging()
    row = finding.customer(connection, uuid)
    rows = listing.subscriptions(connection, row.id, asked.after, asked.size)
    return asked.page(name, rows, shapes.subscriptions(connection, row.uuid, asked.shown(rows)))


def _changed(
    connection: Connection, asked: Reader, told: SubscriptionTold, source_id: int
) -> SubscriptionTold:
    """A subscription as it is after what a body tells of it; what that does not tell stays."""
    plan = asked.text("plan_uuid")
    if plan is not None:
        row = listing.one(connection, "plan", plan)
        if row is None or row.source_id != source_id:
            asked.complain("plan_uuid", "There is no plan with this uuid in this data source.")
        else:
            unit, count = row.interval_unit, row.interval_count
            told = replace(told, plan_id=row.id, interval_unit=unit, interval_count=count)
    unit_told, count_told = interval(asked)
    cents, currency, start = asked.number("amount_in_cents"), asked.text("currency"), asked.time("start_date")
    if cents is not None and not 0 <= cents <= MOST_CENTS:
        asked.complain("amount_in_cents", f"amount_in_cents lies between 0 and {MOST_CENTS:,}.")
    if currency is not None and _CURRENCY.fullmatch(currency.upper()) is None:
        asked.complain("currency", "currency is a code of three letters, such as EUR.")
    past_due = asked.truth("past_due")
    told = replace(
        told,
        amount=told.amount if cents is None else cents / 100,
        currency=currency.upper() if currency else told.currency,
        interval_unit=unit_told or told.interval_unit,
        interval_count=count_told or told.interval_count,
        start_at=told.start_at if start is None else start,
        end_at=_end(asked, told.end_at),
        past_due=told.past_due if past_due is None else past_due,
    )
    if told.end_at is not None and told.end_at < told.start_at:
        asked.complain("end_date", "A subscription does not end before it begins.")
    asked.check()
    return told


def _end(asked: Reader, end_at: int | None) -> int | None:
    """When a body lets a subscription end; as before where it says nothing of it."""
    dates = asked.told.get("cancellation_dates")
    if isinstance(dates, list):
        times = [Reader({"cancellation_dates": each}).time("cancellation_dates") for each in dates]
        if None in times:
            asked.complain("cancellation_dates", "cancellation_dates must be a list of times.")
        return max((each for each in times if each is not None), default=None)
    for name in ("cancelled_at", "end_date"):
        if name in asked.told:
            return asked.time(name)
    return end_at


def _held(connection: Connection, uuid: str) -> tuple[Any, str]:
    """A subscription whose customer's sources are locked, and the uuid of the customer."""
    origin = _found(connection, uuid).origin_uuid
    [customer], behind = finding.held(connection, lambda: [finding.customer_of(connection, origin)])
    finding.check_all_open(connection, behind[customer.id])
    return _found(connection, uuid), customer.uuid


def _found(connection: Connection, uuid: str) -> Any:
    row = listing.subscription(connection, uuid)
    if row is None:
        raise missing("Subscription")
    return row


def _named(connection: Connection, asked: Reader, uuid: str) -> tuple[Any, Sequence[Any]]:
    """A customer, and those of its subscriptions that a body names, by uuid or by source and external id."""
    told = asked.told.get("subscriptions")
    if not isinstance(told, list) or not told or not all(isinstance(each, dict) for each in told):
        raise invalid(subscriptions="subscriptions must be a list of objects with uuid, or with both others.")
    customer, _ = finding.held_customer(connection, uuid)
    rows = listing.subscriptions(connection, customer.id, 0, EVERYTHING)
    sources = {f"ds_{row.uuid}": row.id for row in listing.sources(connection).values()}
    by_uuid = {row.uuid: row for row in rows}
    by_name = {(row.source_id, row.external_id): row for row in rows}
    found = []
    for each in told:
        uuid_told = (written(each.get("uuid")) or "").removeprefix("sub_")
        name = sources.get(written(each.get("data_source_uuid")) or ""), written(each.get("external_id"))
        row = by_uuid.get(uuid_told) if uuid_told else by_name.get(name)
        if row is None:
            raise missing("Subscription", "subscriptions")
        found.append(row)
    return customer, found


def _shown(connection: Connection, customer_uuid: str, uuid: str) -> dict[str, Any]:
    row = listing.subscription(connection, uuid)
    return shapes.subscriptions(connection, customer_uuid, [row])[0]
