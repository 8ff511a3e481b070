"""Monthly recurring revenue of subscriptions, exactly: decimals all the way, rounded once at the end."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

# Intervals a month, as a fraction: a year is 12 months, 52 weeks or 365 days.
_A_MONTH = {
    "day": (Decimal(365), Decimal(12)),
    "week": (Decimal(52), Decimal(12)),
    "month": (Decimal(1), Decimal(1)),
    "year": (Decimal(1), Decimal(12)),
}
ACTIVE, PAST_DUE, CANCELLED = "Active", "Past Due", "Cancelled"


@dataclass(frozen=True, slots=True)
class Paid:
    """One subscription as revenue counts it.

    Attributes:
        amount: what is paid per interval, in units of the currency.
        currency: ISO 4217.
        interval_unit, interval_count: `month`, 3: every three months.
        start_at, end_at: microseconds; it runs from the first on, up to the second.
        past_due: whether a payment is overdue.
        adjusted: the MRR that a person set in place of the computed one.
    """

    amount: Decimal
    currency: str
    interval_unit: str
    interval_count: int
    start_at: int
    end_at: int | None = None
    past_due: bool = False
    adjusted: Decimal | None = None

    @property
    def mrr(self) -> Decimal:
        """A month's part of the amount, in units of the currency, or what a person said it is."""
        if self.adjusted is not None:
            return self.adjusted
        times, months = _A_MONTH[self.interval_unit]
        return self.amount * times / (months * self.interval_count)

    def runs(self, moment: int) -> bool:
        """Whether it has begun and not ended at a moment."""
        return self.start_at <= moment and (self.end_at is None or moment < self.end_at)


def status(subscriptions: Iterable[Paid], moment: int) -> str | None:
    """What subscriptions make of a customer: ACTIVE, PAST_DUE or CANCELLED; None of a lead.

    A subscription that has not begun yet makes nothing of anybody.
    """
    begun = [each for each in subscriptions if each.start_at <= moment]
    running = [each for each in begun if each.runs(moment)]
    if running:
        return PAST_DUE if any(each.past_due for each in running) else ACTIVE
    return CANCELLED if begun else None


def mrr_by_currency(subscriptions: Iterable[Paid], moment: int) -> dict[str, Decimal]:
    """The MRR of the subscriptions that run at a moment, by currency, in units; nothing is exchanged."""
    found: dict[str, Decimal] = {}
    for each in subscriptions:
        if each.runs(moment):
            found[each.currency] = found.get(each.currency, Decimal(0)) + each.mrr
    return found


def hundredths(amount: Decimal) -> int:
    """An amount in hundredths of its currency, rounded half to even."""
    return int((amount * 100).quantize(Decimal(1), ROUND_HALF_EVEN))
