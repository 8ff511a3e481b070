"""What only a browser shows of these pages: that everybody can use them, on a phone too."""

import pytest

from tests.accessible import faults, prepare
from tests.tables.conftest import visit  # noqa: F401

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def paths(paying):
    """Every page of this part, with something on each."""
    one, other = paying.path("g1"), paying.path("b1").removeprefix("/customers/")
    paying.send(one, f"{one}/notes", text="Called Ada; she wants an offer by Friday.")
    paying.send(
        one, f"{one}/handling", status="Working Lead", owner="administrator@example.com", tags="eu, vip"
    )
    apart = [f"{one}/merge?q=e", f"{one}/merge/{other}", "/leads"]

    def both():
        path = paying.merge()
        paying.send(path, f"{path}/values/city", value="Paris")
        subscription = f"{path}/subscriptions/{paying.subscription('s2')}/adjustment"
        paying.send(path, subscription, amount="25", reason="Discount ended")
        return [path, paying.contact("Ada@acme.com"), f"{path}/values/city", subscription]

    return apart, both


def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(visit, page, paths):  # noqa: F811
    """Everybody can use these pages, whatever they read them with."""
    apart, both = paths
    prepare(page)
    for path in (*apart, both):
        for each in path() if callable(path) else (path,):
            assert faults(visit(each)) == [], each


def test_another_primary_shows_its_result_at_once(visit, paying):  # noqa: F811
    """No button is needed where a script runs."""
    page = visit(f"{paying.path('g1')}/merge/{paying.path('b1').removeprefix('/customers/')}")
    page.get_by_role("radio").first.check()
    page.wait_for_url("**?primary=cus_*")
    assert page.locator("#result tbody tr").first.locator("td").last.inner_text() == "Acme Inc"


def test_leads_are_ticked_and_tagged(visit, paying):  # noqa: F811
    """The bar comes with the first tick; the table says what was done."""
    page = visit("/leads")
    page.locator("[data-pick]").first.check()
    page.locator(".bulk summary", has_text="Tag").click()
    page.fill("[name=bulk_tag]", "hot")
    page.locator(".bulk button[value=tag]").click()
    page.locator(".toast", has_text="1 customer tagged").wait_for()
    assert page.locator("tbody .tags").count() == 1
