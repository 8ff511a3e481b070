"""Plans and subscriptions of a billing source, many at once, and what people do to subscriptions by hand.

Everything here composes the customers that it touches again, so that their MRR and status are true.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, delete, func, select

from webapp.domain.text import plain
from webapp.models import DataSourceCustomer, MrrAdjustment, Plan, Subscription, now
from webapp.models.base import new_uuid
from webapp.services.composing import compose
from webapp.services.rows import chunks, select_in, update_by_id, upsert
from webapp.services.standing import customer_ids


class CannotConnect(ValueError):
    """These subscriptions cannot be one; the message is for the person who asked."""


@dataclass(frozen=True, slots=True)
class PlanTold:
    """What a billing source says of one plan.

    Attributes:
        external_id: the source's own name for it.
        interval_unit, interval_count: `month`, 3: paid for every three months.
    """

    external_id: str
    name: str
    interval_unit: str
    interval_count: int


@dataclass(frozen=True, slots=True)
class SubscriptionTold:
    """What a billing source says of one subscription, whole.

    Attributes:
        external_id: the source's own name for it.
        origin_uuid: of the data source customer who has it.
        amount: what is paid per interval, in units of the currency.
        currency: ISO 4217, upper-case.
        start_at, end_at: microseconds.
        plan_id: of a plan of the same source.
    """

    external_id: str
    origin_uuid: str
    amount: Decimal
    currency: str
    interval_unit: str
    interval_count: int
    start_at: int
    end_at: int | None = None
    past_due: bool = False
    plan_id: int | None = None


def put_plans(connection: Connection, source_id: int, plans: Sequence[PlanTold]) -> dict[str, int]:
    """Write plans, in the caller's transaction; the id of each by its external id."""
    moment = now()
    rows = {
        each.external_id: {
            "uuid": new_uuid(),
            "source_id": source_id,
            "external_id": each.external_id,
            "name": each.name,
            "interval_unit": each.interval_unit,
            "interval_count": each.interval_count,
            "created_at": moment,
        }
        for each in plans
    }
    upsert(connection, Plan, list(rows.values()), ("source_id", "external_id"), keep=("uuid", "created_at"))
    query = select(Plan.external_id, Plan.id).where(Plan.source_id == source_id)
    return {row.external_id: row.id for row in select_in(connection, query, Plan.external_id, rows)}


def put_subscriptions(connection: Connection, source_id: int, told: Sequence[SubscriptionTold]) -> int:
    """Write subscriptions, in the caller's transaction, and what follows for their customers.

    Args:
        source_id: of a billing source, locked by the caller.
        told: of the same external id the last stands.

    Returns:
        How many were new.
    """
    moment = now()
    rows = {each.external_id: _row(source_id, each, moment) for each in told}
    query = select(Subscription.external_id, Subscription.origin_uuid).where(
        Subscription.source_id == source_id
    )
    before = {
        row.external_id: row.origin_uuid
        for row in select_in(connection, query, Subscription.external_id, rows)
    }
    keep = ("uuid", "created_at", "connection_uuid")
    upsert(connection, Subscription, list(rows.values()), ("source_id", "external_id"), keep=keep)
    recompose(connection, {row["origin_uuid"] for row in rows.values()} | set(before.values()))
    return len(rows.keys() - before.keys())


def named(connection: Connection, source_id: int, external_id: str) -> Any | None:
    """The row of the subscription that a source names so; None when there is none."""
    query = select(Subscription.__table__).where(Subscription.source_id == source_id)
    return connection.execute(query.where(Subscription.external_id == external_id)).first()


def told_of(row: Any) -> SubscriptionTold:
    """What its source says of a subscription, by its row."""
    return SubscriptionTold(
        external_id=row.external_id,
        origin_uuid=row.origin_uuid,
        amount=Decimal(row.amount),
        currency=row.currency,
        interval_unit=row.interval_unit,
        interval_count=row.interval_count,
        start_at=row.start_at,
        end_at=row.end_at,
        past_due=row.past_due,
        plan_id=row.plan_id,
    )


def remove_subscriptions(connection: Connection, ids: Iterable[int]) -> None:
    """Delete subscriptions with their MRR adjustments, in the caller's transaction."""
    rows = select_in(connection, select(Subscription.__table__), Subscription.id, ids)
    for chunk in chunks([row.id for row in rows]):
        connection.execute(delete(MrrAdjustment).where(MrrAdjustment.subscription_id.in_(chunk)))
        connection.execute(delete(Subscription).where(Subscription.id.in_(chunk)))
    end_lone_connections(connection, {row.connection_uuid for row in rows})
    recompose(connection, {row.origin_uuid for row in rows})


def adjust(connection: Connection, row: Any, mrr: Decimal, reason: str, user_id: int | None) -> None:
    """Say what a subscription's MRR is, in place of what is computed.

    Args:
        row: of `subscriptions`.
        mrr: a month, in units of the subscription's currency.
        reason: why, in a person's words.
        user_id: who says so.
    """
    adjustment = {
        "source_id": row.source_id,
        "subscription_id": row.id,
        "mrr": plain(mrr),
        "reason": reason,
        "user_id": user_id,
        "created_at": now(),
    }
    upsert(connection, MrrAdjustment, [adjustment], ("subscription_id",))
    recompose(connection, [row.origin_uuid])


def drop_adjustment(connection: Connection, row: Any) -> None:
    """Let a subscription's MRR be computed again."""
    connection.execute(delete(MrrAdjustment).where(MrrAdjustment.subscription_id == row.id))
    recompose(connection, [row.origin_uuid])


def connect(connection: Connection, rows: Sequence[Any]) -> str:
    """Let subscriptions of one customer count as one that goes on; the uuid of their connection.

    Args:
        rows: of `subscriptions`. What they were connected with before comes along.

    Raises:
        CannotConnect: fewer than two, or of several customers.
    """
    if len({row.id for row in rows}) < 2:
        raise CannotConnect("Choose at least two subscriptions to connect.")
    if len(set(customer_ids(connection, [row.origin_uuid for row in rows]).values())) != 1:
        raise CannotConnect("Only subscriptions of one customer can be connected.")
    known = {row.connection_uuid for row in rows if row.connection_uuid is not None}
    uuid = min(known) if known else new_uuid()
    together = select_in(connection, select(Subscription.id), Subscription.connection_uuid, known)
    ids = {row.id for row in rows} | {row.id for row in together}
    update_by_id(connection, Subscription, [{"id": id, "connection_uuid": uuid} for id in sorted(ids)])
    return uuid


def disconnect(connection: Connection, rows: Iterable[Any]) -> None:
    """Let subscriptions stand alone again; one that is left alone by it stands alone too."""
    known = list(rows)
    update_by_id(connection, Subscription, [{"id": row.id, "connection_uuid": None} for row in known])
    end_lone_connections(connection, {row.connection_uuid for row in known})


def end_lone_connections(connection: Connection, uuids: Iterable[str | None]) -> None:
    """End connections that hold one subscription: there is nothing left that it goes on from."""
    query = select(Subscription.connection_uuid, func.min(Subscription.id).label("id"))
    query = query.group_by(Subscription.connection_uuid).having(func.count() == 1)
    lone = select_in(connection, query, Subscription.connection_uuid, {uuid for uuid in uuids if uuid})
    update_by_id(connection, Subscription, [{"id": row.id, "connection_uuid": None} for row in lone])


def disconnect_source(connection: Connection, source_id: int) -> None:
    """Let the subscriptions of a source that goes be connected with nothing."""
    connected = select(Subscription.__table__).where(Subscription.connection_uuid.is_not(None))
    disconnect(connection, connection.execute(connected.where(Subscription.source_id == source_id)).all())


def part_connections(connection: Connection, origins: Iterable[str]) -> None:
    """After customers became several again: subscriptions of several customers are not one that goes on.

    Args:
        origins: of data source customers that are no longer together.
    """
    query = select(Subscription.id, Subscription.origin_uuid, Subscription.connection_uuid)
    query = query.where(Subscription.connection_uuid.is_not(None))
    uuids = {row.connection_uuid for row in select_in(connection, query, Subscription.origin_uuid, origins)}
    rows = select_in(connection, query, Subscription.connection_uuid, uuids)
    customers = customer_ids(connection, {row.origin_uuid for row in rows})
    parts: dict[str, dict[int, list[int]]] = {}
    for row in sorted(rows, key=lambda row: row.id):
        of_customer = parts.setdefault(row.connection_uuid, {})
        of_customer.setdefault(customers.get(row.origin_uuid, 0), []).append(row.id)
    parted = [part for each in parts.values() if len(each) > 1 for part in each.values()]
    fresh = {id: new_uuid() if len(part) > 1 else None for part in parted for id in part[:1]}
    named = [{"id": id, "connection_uuid": fresh[part[0]]} for part in parted for id in part]
    update_by_id(connection, Subscription, named)


def recompose(connection: Connection, origins: Iterable[str]) -> None:
    """Compose the customers of some data source customers again."""
    compose(connection, customer_ids(connection, origins).values())


def turn(connection: Connection, limit: int = 500) -> int:
    """Let subscriptions that have begun or ended by themselves show, in the caller's transaction.

    Args:
        limit: how many at most.

    Returns:
        How many there were; 0 when none is due.
    """
    moment = now()
    query = select(Subscription.__table__).where(Subscription.due_at <= moment)
    rows = connection.execute(query.order_by(Subscription.due_at, Subscription.id).limit(limit)).all()
    fresh = [{"id": row.id, "due_at": due(row.start_at, row.end_at, moment)} for row in rows]
    update_by_id(connection, Subscription, fresh)
    recompose(connection, {row.origin_uuid for row in rows})
    return len(rows)


def due(start_at: int, end_at: int | None, moment: int) -> int | None:
    """When a subscription next begins or ends, after a moment; None: never."""
    return min((at for at in (start_at, end_at) if at is not None and at > moment), default=None)


def _row(source_id: int, told: SubscriptionTold, moment: int) -> dict[str, Any]:
    return {
        "uuid": new_uuid(),
        "source_id": source_id,
        "origin_uuid": told.origin_uuid,
        "external_id": told.external_id,
        "plan_id": told.plan_id,
        "amount": plain(told.amount),
        "currency": told.currency,
        "interval_unit": told.interval_unit,
        "interval_count": told.interval_count,
        "start_at": told.start_at,
        "end_at": told.end_at,
        "past_due": told.past_due,
        "due_at": due(told.start_at, told.end_at, moment),
        "connection_uuid": None,
        "created_at": moment,
        "updated_at": moment,
    }


def of_customer(connection: Connection, customer_id: int) -> list[Any]:
    """The subscriptions of a customer with their plan and adjustment, those that began first in front.

    Returns:
        Rows of `subscriptions` with `plan` (its name), `adjusted` (a plain decimal), `reason`.
    """
    query = (
        select(
            Subscription.__table__,
            Plan.name.label("plan"),
            MrrAdjustment.mrr.label("adjusted"),
            MrrAdjustment.reason,
        )
        .join(DataSourceCustomer, DataSourceCustomer.origin_uuid == Subscription.origin_uuid)
        .outerjoin(Plan, Plan.id == Subscription.plan_id)
        .outerjoin(MrrAdjustment, MrrAdjustment.subscription_id == Subscription.id)
        .where(DataSourceCustomer.customer_id == customer_id)
    )
    return list(connection.execute(query.order_by(Subscription.start_at, Subscription.id)).all())


def found(connection: Connection, condition: Any) -> Mapping[int, Any]:
    """Rows of `subscriptions` by id."""
    rows = connection.execute(select(Subscription.__table__).where(condition)).all()
    return {row.id: row for row in rows}
