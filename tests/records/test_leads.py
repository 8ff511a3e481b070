"""Leads: their own table, tabs by status, and many changed at once."""

from bs4 import BeautifulSoup

from tests import people
from tests.tables.conftest import texts
from tests.tables.test_bulk import send


def names(page):
    """The customers of a table, in order."""
    return texts(page, "tbody .identity__name")


def ids(pair, path="/customers?size=100"):
    """Public ids of all customers."""
    return [box["value"] for box in pair.page(path).select("input[name=id]")]


def test_leads_are_the_customers_without_a_subscription(paying):
    """Who pays is no row, in the table as in its search, filters and file."""
    assert sorted(names(paying.page("/leads"))) == ["Acme Inc", "Beta", "Other"]
    assert names(paying.page("/leads?q=acme")) == ["Acme Inc"]
    assert len(paying.client.get("/leads.csv").text.splitlines()) == 4
    head = texts(paying.page("/leads"), "thead th")
    assert head[-8:] == [
        *("Lead", "Lead status", "Owner", "Tags", "Email", "Contacts", "Lead created", "First seen"),
    ]


def test_tabs_count_the_leads_of_each_status(paying):
    """A tab is a filter like any other."""
    path = paying.path("g1")
    paying.send(path, f"{path}/handling", status="Working Lead", owner="", tags="")
    page = paying.page("/leads")
    assert texts(page, ".tabs a") == [
        "All",
        "New Lead 2",
        "Working Lead 1",
        "Qualified Lead 0",
        "Unqualified Lead 0",
    ]
    tab = paying.page(page.select(".tabs a")[2]["href"])
    assert names(tab) == ["Acme Inc"]
    assert texts(tab, ".tabs [aria-current]") == ["Working Lead 1"]
    answer = paying.client.get(page.select(".tabs a")[1]["href"], headers={"HX-Request": "true"})
    part = BeautifulSoup(answer.text, "html.parser")
    assert texts(part, "#leads-tabs[hx-swap-oob] [aria-current]") == ["New Lead 2"]


def test_mrr_stands_at_the_right_with_its_currency_and_is_filtered_in_units(paying):
    """A filter asks in the units that are shown."""
    view = "/customers?c=name&c=mrr&c=currency&sort=-mrr"
    page = paying.page(view)
    assert texts(page, "td.number")[0] == "110.05 EUR"
    assert names(page)[0] == "ACME"
    assert names(paying.page(f"{view}&f=mrr:greater:110")) == ["ACME"]
    assert names(paying.page(f"{view}&f=mrr:greater:111")) == []
    assert "110.05,EUR" in paying.client.get(f"/customers.csv{view.removeprefix('/customers')}").text


def test_many_leads_are_given_a_status_and_who_pays_is_passed_over(paying):
    """It says how many, and why others were not."""
    said = send(paying.client, id=ids(paying), action="status", bulk_status="Qualified Lead")
    assert any("3 leads set to Qualified Lead. 1 customer passed over" in each for each in said)
    assert paying.row("g1").lead_status == "Qualified Lead"
    assert paying.row("b1").lead_status == "Active"


def test_many_are_given_an_owner_and_tags_and_lose_them_again(pair):
    """Also a merged one, whichever of its parts had the tag."""
    path = pair.path("g1")
    pair.send(path, f"{path}/handling", status="New Lead", owner="", tags="old, eu")
    pair.merge()
    everybody = ids(pair)
    send(pair.client, id=everybody, action="owner", bulk_owner="administrator@example.com")
    assert any(
        "2 customers tagged" in each for each in send(pair.client, id=everybody, action="tag", bulk_tag="eu")
    )
    assert (pair.row("b1").tags, pair.row("b2").tags) == ("eu, old", "eu")
    assert pair.row("b1").owner == pair.row("b2").owner == "administrator@example.com"
    send(pair.client, id=everybody, action="tag", bulk_tag="eu", bulk_verb="remove")
    send(pair.client, id=everybody, action="owner", bulk_owner="")
    assert (pair.row("b1").tags, pair.row("b2").tags, pair.row("b1").owner) == ("old", "", None)


def test_what_cannot_be_given_to_many_is_said(pair):
    """Nothing is changed."""
    for fields, why in (
        ({"action": "status", "bulk_status": "Rich"}, "Choose one of"),
        ({"action": "owner", "bulk_owner": "nobody@example.com"}, "Nobody with this address"),
        ({"action": "tag", "bulk_tag": "a, b"}, "no comma"),
    ):
        assert any(why in each for each in send(pair.client, id=ids(pair), **fields))
    assert pair.row("g1").tags == ""


def test_leads_are_changed_from_their_own_table(pair):
    """The same actions stand beside leads."""
    page = people.post(
        pair.client, "/leads", "/leads/bulk", action="tag", bulk_tag="hot", all="1", query="", back="/leads"
    )
    assert (page.status_code, page.location) == (303, "/leads")
    shown = BeautifulSoup(pair.client.get("/leads?f=tags:is:hot").text, "html.parser")
    assert len(names(shown)) == 4
