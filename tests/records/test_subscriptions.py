"""Subscriptions on a customer's page: what they bring, adjusted, connected, and all of it taken back."""

import pytest

from tests.tables.conftest import texts


def cells(page, label):
    """What a column of the subscriptions shows."""
    found = page.select(f"#subscriptions [data-label={label}]")
    return [" ".join(each.get_text(" ").split()) for each in found]


def test_subscriptions_show_what_they_bring_a_month(paying):
    """The head has their sum, exactly."""
    page = paying.page(paying.path("b1"))
    assert cells(page, "Amount") == ["1,200.60 EUR every year", "10.00 EUR every month"]
    assert cells(page, "MRR") == ["100.05 EUR", "10.00 EUR"]
    assert texts(page, "#mrr") == ["110.05 EUR MRR"]


def test_an_adjustment_stands_until_it_is_removed(paying):
    """With its reason, in the sum, and computed again afterwards."""
    path = paying.path("b1")
    form = f"{path}/subscriptions/{paying.subscription('s2')}/adjustment"
    page = paying.send(form, form, amount="25", reason="Discount ended")
    assert cells(page, "MRR")[1] == "25.00 EUR adjusted from 10.00: Discount ended"
    assert texts(page, "#mrr") == ["125.05 EUR MRR"]
    page = paying.send(form, f"{form}/removal")
    assert texts(page, "#mrr") == ["110.05 EUR MRR"]


@pytest.mark.parametrize(
    ("amount", "reason", "said"),
    [
        ("much", "x", "no amount"),
        ("-1", "x", "less than nothing"),
        ("1", " ", "why"),
        ("NaN", "x", "no amount"),
    ],
)
def test_an_adjustment_that_says_nothing_is_refused(paying, amount, reason, said):
    """The form comes back with what was typed."""
    form = f"{paying.path('b1')}/subscriptions/{paying.subscription('s2')}/adjustment"
    page = paying.send(form, form, 422, amount=amount, reason=reason)
    assert said in texts(page, ".notice")[0]
    assert page.select_one("#amount")["value"] == amount


def test_subscriptions_are_connected_and_disconnected(paying):
    """Two or more that are ticked; fewer are explained."""
    path = paying.path("b1")
    both = [paying.subscription("s1"), paying.subscription("s2")]
    page = paying.send(path, f"{path}/connections", verb="connect", subscription=both)
    assert cells(page, "Connected") == ["A", "A"]
    page = paying.send(path, f"{path}/connections", verb="disconnect", subscription=both[:1])
    assert cells(page, "Connected") == ["— none", "— none"]
    page = paying.send(path, f"{path}/connections", verb="connect", subscription=both[:1])
    assert "at least two" in texts(page, ".toast--error")[0]
    page = paying.send(path, f"{path}/connections", verb="disconnect", subscription=both)
    assert "nothing to disconnect" in texts(page, ".toast--error")[0]


def test_a_subscription_of_somebody_else_is_not_there(paying):
    """An address with another customer in it shows nothing and changes nothing."""
    form = f"{paying.path('b2')}/subscriptions/{paying.subscription('s2')}/adjustment"
    assert paying.client.get(form).status_code == 404
    page = paying.send(paying.path("b2"), f"{form}/removal")
    assert "not there any more" in texts(page, ".toast--error")[0]
