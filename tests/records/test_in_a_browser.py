"""What only a browser shows of these pages: that everybody can use them, on a phone too."""

import pytest

from tests.accessible import violations
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


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(visit, paths, scheme, width):  # noqa: F811
    """Everybody can use these pages, whatever they read them with."""
    apart, both = paths
    for path in (*apart, both):
        for each in path() if callable(path) else (path,):
            check(visit(each), each, scheme, width)


def check(page, path, scheme, width):
    """Ask axe about a page, and whether it is wider than its window."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    assert not (found := violations(page)), (path, width, found)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path


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
