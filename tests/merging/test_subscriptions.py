"""What customers pay: MRR exactly, status by itself, adjustments and connections that can be taken back."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, select, update

from tests.merging.test_merging import billing, customers, origin
from webapp.database import begin
from webapp.domain.revenue import Paid, hundredths, mrr_by_currency, status
from webapp.models import MrrAdjustment, Subscription, now
from webapp.services.billing import subscriptions
from webapp.services.billing.records import CustomerChange
from webapp.services.billing.subscriptions import PlanTold, SubscriptionTold

DAY = 86_400_000_000


def paid(amount: str, unit: str = "month", count: int = 1, **more: Any) -> Paid:
    """A subscription that runs."""
    return Paid(Decimal(amount), "EUR", unit, count, 0, **more)


@pytest.mark.parametrize(
    ("amount", "unit", "count", "mrr"),
    [
        ("49.90", "month", 1, "49.90"),
        ("100", "year", 1, "8.33"),
        ("300", "month", 3, "100"),
        ("12", "week", 1, "52"),
        ("1", "day", 1, "30.42"),
        ("2400", "year", 2, "100"),
    ],
)
def test_an_amount_is_normalised_to_months(amount: str, unit: str, count: int, mrr: str) -> None:
    """Whatever the interval, a month's part is told."""
    assert hundredths(paid(amount, unit, count).mrr) == Decimal(mrr) * 100


@given(st.lists(st.decimals(min_value=0, max_value=10**9, places=2), max_size=20))
def test_a_sum_of_months_loses_nothing(amounts: list[Decimal]) -> None:
    """Decimals all the way: the sum of many is exact."""
    total = mrr_by_currency([paid(str(amount)) for amount in amounts], 1).get("EUR", Decimal(0))
    assert total == sum(amounts)


def test_a_status_follows_from_subscriptions_alone() -> None:
    """None yet: a lead. Running: Active, or Past Due. All ended: Cancelled."""
    assert status([], 10) is None
    assert status([Paid(Decimal(1), "EUR", "month", 1, 20)], 10) is None
    assert status([paid("1")], 10) == "Active"
    assert status([paid("1"), paid("1", past_due=True)], 10) == "Past Due"
    assert status([paid("1", end_at=10)], 10) == "Cancelled"


def told(origin_uuid: str, external_id: str = "s1", **more: Any) -> SubscriptionTold:
    """A subscription as its billing source tells it."""
    defaults = {"amount": Decimal("49.90"), "currency": "EUR", "interval_unit": "month", "interval_count": 1}
    return SubscriptionTold(external_id, origin_uuid, **defaults | {"start_at": now() - DAY} | more)


def rows(engine: Engine) -> list[Any]:
    """All subscriptions."""
    with engine.connect() as connection:
        return list(connection.execute(select(Subscription.__table__).order_by(Subscription.id)).all())


def test_a_customer_with_a_subscription_is_no_lead(engine: Engine) -> None:
    """Its status and MRR follow from what it pays, and go back when that goes."""
    source_id = billing(engine, CustomerChange("1"))
    uuid = origin(engine, source_id, "1")
    with begin(engine) as connection:
        plans = subscriptions.put_plans(connection, source_id, [PlanTold("gold", "Gold", "month", 1)])
        subscriptions.put_subscriptions(
            connection,
            source_id,
            [told(uuid, plan_id=plans["gold"]), told(uuid, "s2", currency="USD", amount=Decimal(120))],
        )
    (row,) = customers(engine)
    assert (row.lead_status, row.mrr, row.currency, row.other_mrr) == ("Active", 12000, "USD", {"EUR": 4990})
    ids = [each.id for each in rows(engine)]
    with begin(engine) as connection:
        subscriptions.remove_subscriptions(connection, ids)
    (row,) = customers(engine)
    assert (row.lead_status, row.mrr, row.currency, row.composed) == ("New Lead", None, None, False)


def test_a_subscription_ends_by_itself(engine: Engine) -> None:
    """Nobody has to send anything: when its end has passed the customer is Cancelled."""
    source_id = billing(engine, CustomerChange("1"))
    uuid = origin(engine, source_id, "1")
    with begin(engine) as connection:
        subscriptions.put_subscriptions(connection, source_id, [told(uuid, end_at=now() + DAY)])
        assert subscriptions.turn(connection) == 0
        connection.execute(update(Subscription).values(end_at=now() - 1, due_at=now() - 1))
        assert subscriptions.turn(connection) == 1
        assert subscriptions.turn(connection) == 0
    (row,) = customers(engine)
    assert (row.lead_status, row.mrr) == ("Cancelled", 0)


def test_an_adjustment_stands_in_place_of_what_is_computed_until_it_is_dropped(engine: Engine) -> None:
    """A person knows better, says why, and can take it back."""
    source_id = billing(engine, CustomerChange("1"))
    uuid = origin(engine, source_id, "1")
    with begin(engine) as connection:
        subscriptions.put_subscriptions(connection, source_id, [told(uuid)])
    (subscription,) = rows(engine)
    with begin(engine) as connection:
        subscriptions.adjust(connection, subscription, Decimal("40.125"), "discount by hand", None)
        assert connection.scalar(select(MrrAdjustment.mrr)) == "40.125"
    assert customers(engine)[0].mrr == 4012
    with begin(engine) as connection:
        subscriptions.drop_adjustment(connection, subscription)
    assert customers(engine)[0].mrr == 4990


def test_connected_subscriptions_stay_together_until_one_is_left(engine: Engine) -> None:
    """Connecting joins what was connected before; the last one alone is not connected."""
    source_id = billing(engine, CustomerChange("1"), CustomerChange("2"))
    first, second = origin(engine, source_id, "1"), origin(engine, source_id, "2")
    with begin(engine) as connection:
        some = [told(first, name) for name in ("a", "b", "c")] + [told(second, "d")]
        subscriptions.put_subscriptions(connection, source_id, some)
    a, b, c, d = rows(engine)
    with begin(engine) as connection:
        subscriptions.connect(connection, [a, b])
        with pytest.raises(subscriptions.CannotConnect, match="one customer"):
            subscriptions.connect(connection, [a, d])
    a, b, c, d = rows(engine)
    with begin(engine) as connection:
        subscriptions.connect(connection, [b, c])
    a, b, c, d = rows(engine)
    assert a.connection_uuid == b.connection_uuid == c.connection_uuid is not None
    with begin(engine) as connection:
        subscriptions.disconnect(connection, [a, b])
    assert [row.connection_uuid for row in rows(engine)] == [None] * 4
