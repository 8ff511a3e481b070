"""The subscriptions of one customer as its page shows them, and what people do to them from there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.orm import Session

from webapp.domain.text import plain
from webapp.services import records, revenue
from webapp.services.billing import subscriptions
from webapp.services.records import Record

LARGEST = Decimal(10) ** 12
LONGEST_REASON = 500
_CENT = Decimal("0.01")


class Refused(ValueError):
    """Nothing was changed; the text says why, and what would do."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One subscription.

    Attributes:
        row: of `subscriptions`, with `plan`, `adjusted` and `reason`.
        mrr: what it brings a month while it runs, a plain decimal in units of its currency.
        computed: the same without what a person said.
        connected: a letter that the subscriptions share which count as one; empty: it stands alone.
    """

    row: Any
    mrr: str
    computed: str
    connected: str

    @property
    def public_id(self) -> str:
        return f"sub_{self.row.uuid}"


def of(connection: Connection, customer_id: int) -> list[Shown]:
    """The subscriptions of a customer, those that began first in front."""
    rows = subscriptions.of_customer(connection, customer_id)
    uuids = dict.fromkeys(row.connection_uuid for row in rows if row.connection_uuid)
    letters = {uuid: _letter(number) for number, uuid in enumerate(uuids)}
    return [
        Shown(
            row,
            _cents(revenue.paid(row, row.adjusted).mrr),
            _cents(revenue.paid(row).mrr),
            letters.get(row.connection_uuid, ""),
        )
        for row in rows
    ]


def one(connection: Connection, customer_id: int, public_id: str) -> Shown | None:
    """One subscription of a customer; None when there is none of that id (`sub_<uuid>`)."""
    return next((each for each in of(connection, customer_id) if each.public_id == public_id), None)


def adjust(
    session: Session, public_id: str, subscription: str, amount: str, reason: str, user_id: int
) -> None:
    """Say what a subscription's MRR is, in place of what is computed.

    Args:
        public_id: of the customer.
        subscription: `sub_<uuid>`.
        amount: a month, in units of its currency, as typed.
        reason: why.

    Raises:
        Refused: the amount is none, there is no reason, or no such subscription.
        records.Gone: the customer is not there any more.
    """
    mrr, reason = _amount(amount), " ".join(reason.split())
    if not reason:
        raise Refused("Say why, so that others understand the number.")
    if len(reason) > LONGEST_REASON:
        raise Refused(f"A reason has at most {LONGEST_REASON} characters; this one has {len(reason):,}.")
    with records.changing(session, public_id) as (connection, record):
        shown = _known(connection, record, [subscription])[0]
        subscriptions.adjust(connection, shown.row, mrr, reason, user_id)
        records.log(connection, "customer.mrr_adjusted", user_id, record)


def drop_adjustment(session: Session, public_id: str, subscription: str, user_id: int) -> None:
    """Let a subscription's MRR be computed again.

    Raises:
        Refused: there is no such subscription.
        records.Gone: the customer is not there any more.
    """
    with records.changing(session, public_id) as (connection, record):
        subscriptions.drop_adjustment(connection, _known(connection, record, [subscription])[0].row)
        records.log(connection, "customer.adjustment_removed", user_id, record)


def connect(session: Session, public_id: str, chosen: Iterable[str], user_id: int) -> None:
    """Let subscriptions of a customer count as one that goes on.

    Args:
        chosen: their public ids.

    Raises:
        Refused, subscriptions.CannotConnect: fewer than two, or one is not there any more.
        records.Gone: the customer is not there any more.
    """
    with records.changing(session, public_id) as (connection, record):
        subscriptions.connect(connection, [each.row for each in _known(connection, record, chosen)])
        records.log(connection, "customer.subscriptions_connected", user_id, record)


def disconnect(session: Session, public_id: str, chosen: Iterable[str], user_id: int) -> None:
    """Let subscriptions stand alone again; see `connect`."""
    with records.changing(session, public_id) as (connection, record):
        known = [each for each in _known(connection, record, chosen) if each.connected]
        if not known:
            raise Refused("None of these is connected, so there is nothing to disconnect. Tick some first.")
        subscriptions.disconnect(connection, [each.row for each in known])
        records.log(connection, "customer.subscriptions_disconnected", user_id, record)


def _known(connection: Connection, record: Record, chosen: Iterable[str]) -> Sequence[Shown]:
    wanted = set(chosen)
    found = [each for each in of(connection, record.row.id) if each.public_id in wanted]
    if len(found) < len(wanted):
        raise Refused("One of these subscriptions is not there any more. Nothing was changed.")
    return found


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text.replace(",", "").strip())
    except ArithmeticError:
        amount = Decimal("NaN")
    if not amount.is_finite() or abs(amount) >= LARGEST or -int(amount.as_tuple().exponent) > 4:
        raise Refused(f"“{text[:40]}” is no amount. Write it as 49.90, per month.")
    if amount < 0:
        raise Refused("MRR cannot be less than nothing. Write 0 if it brings nothing.")
    return amount


def _cents(amount: Decimal) -> str:
    return plain(amount.quantize(_CENT, ROUND_HALF_EVEN))


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else str(number + 1)
