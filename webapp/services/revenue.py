"""What the subscriptions of customers come to: their MRR, and the status that follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, select

from webapp.domain.revenue import Paid, hundredths, mrr_by_currency
from webapp.domain.revenue import status as status
from webapp.models import MrrAdjustment, Subscription
from webapp.services.rows import select_in


def of_origins(connection: Connection, origins: Iterable[str]) -> dict[str, list[Paid]]:
    """The subscriptions of some data source customers, by origin."""
    adjusted = MrrAdjustment.mrr.label("adjusted")
    query = select(Subscription.__table__, adjusted).outerjoin(
        MrrAdjustment, MrrAdjustment.subscription_id == Subscription.id
    )
    found: dict[str, list[Paid]] = {}
    for row in select_in(connection, query, Subscription.origin_uuid, origins):
        found.setdefault(row.origin_uuid, []).append(paid(row, row.adjusted))
    return found


def paid(row: Any, adjusted: str | None = None) -> Paid:
    """A subscription's row as revenue counts it.

    Args:
        row: of `subscriptions`.
        adjusted: the MRR that a person set; a plain decimal.
    """
    return Paid(
        amount=Decimal(row.amount),
        currency=row.currency,
        interval_unit=row.interval_unit,
        interval_count=row.interval_count,
        start_at=row.start_at,
        end_at=row.end_at,
        past_due=row.past_due,
        adjusted=None if adjusted is None else Decimal(adjusted),
    )


def total(subscriptions: Sequence[Paid], moment: int) -> dict[str, Any]:
    """The columns of a customer that tell of money; all None without a subscription.

    Returns:
        `mrr` and `currency` of the currency in which most is paid, `other_mrr` of the others.
    """
    if not subscriptions:
        return {"mrr": None, "currency": None, "other_mrr": None}
    sums = mrr_by_currency(subscriptions, moment)
    if not sums:
        return {"mrr": 0, "currency": min(each.currency for each in subscriptions), "other_mrr": None}
    first, *others = sorted(sums, key=lambda currency: (-sums[currency], currency))
    return {
        "mrr": hundredths(sums[first]),
        "currency": first,
        "other_mrr": {currency: hundredths(sums[currency]) for currency in others} or None,
    }


def units(amount: int) -> str:
    """An amount kept in hundredths, as a plain decimal in units with both digits: 120050 is "1200.50"."""
    return f"{Decimal(amount) / 100:.2f}"
