"""Merging by hand: who may be the same, both side by side, and the result before it is one."""

import pytest

from tests.tables.conftest import texts


def lines(page):
    """The comparison: `{attribute: (one, other, result)}`."""
    rows = page.select("#result tbody tr")
    return {row.th.get_text(strip=True): tuple(texts(row, "td")) for row in rows}


def test_customers_with_the_same_domain_or_name_are_suggested(pair):
    """From either side, with the reason; others are not."""
    for one, other in (("g1", "ACME"), ("b1", "Acme Inc")):
        page = pair.page(f"{pair.path(one)}/merge")
        assert texts(page, "#suggestions .identity__name") == [other]
        assert texts(page, "#suggestions [data-label=Why]") == ["Website domain, Company name"]


def test_not_a_duplicate_is_not_suggested_again(pair):
    """Neither for the one nor for the other."""
    path = pair.path("g1")
    pair.send(f"{path}/merge", f"{path}/told-apart", other=pair.path("b1").removeprefix("/customers/"))
    for name in ("g1", "b1"):
        assert pair.page(f"{pair.path(name)}/merge").select("#suggestions tbody tr") == []


def test_any_customer_is_found_by_the_table_s_search(pair):
    """Its own page is not among them; no match is said."""
    page = pair.page(f"{pair.path('g1')}/merge?q=bet")
    assert texts(page, "#found .identity__name") == ["Beta"]
    assert "No other customer" in texts(pair.page(f"{pair.path('g1')}/merge?q=zzz"), "#found .empty")[0]


def test_the_result_of_a_merge_is_seen_before_it_is_one(pair):
    """Billing leads unless somebody chooses otherwise; the page afterwards is what was shown."""
    one, other = pair.path("g1"), pair.path("b1").removeprefix("/customers/")
    page = pair.page(f"{one}/merge/{other}")
    assert page.select_one("input[name=primary][checked]")["value"] == other
    shown = lines(page)
    assert shown["Name"] == ("Acme Inc", "ACME", "ACME")
    assert shown["Email"][2] == "hello@acme.com"
    assert shown["tier"][2] == "2"
    mine = pair.page(f"{one}/merge/{other}?primary={one.removeprefix('/customers/')}")
    assert lines(mine)["Name"][2] == "Acme Inc"
    assert lines(mine)["Country"][2] == "US"
    form = page.select_one("form[method=post][action$=merges]")
    merged = pair.send(one, form["action"], other=form.select_one("[name=other]")["value"])
    assert merged.select_one("h1").text == "ACME"
    row = pair.row("g1")
    assert (row.name, row.email, row.country) == tuple(
        shown[each][2] for each in ("Name", "Email", "Country")
    )


def test_the_primary_that_was_chosen_leads(pair):
    """Segment's, if somebody says so."""
    one, other = pair.path("g1"), pair.path("b1")
    pair.send(one, f"{one}/merges", other=other.removeprefix("/customers/"))
    assert pair.path("b1") == one
    assert pair.row("b1").name == "Acme Inc"


def test_what_is_one_already_or_gone_is_said(pair):
    """No merge of a customer with itself, nor with one that is not there."""
    path = pair.merge()
    own = path.removeprefix("/customers/")
    assert "already" in texts(pair.page(pair.client.get(f"{path}/merge/{own}").location), ".toast--error")[0]
    assert "one customer already" in texts(pair.send(path, f"{path}/merges", other=own), ".toast--error")[0]
    assert (
        "Nothing was changed" in texts(pair.send(path, f"{path}/merges", other="cus_x"), ".toast--error")[0]
    )
    assert pair.client.get(f"{path}/merge/cus_nothing").status_code == 404


@pytest.mark.parametrize("primary", ["b2", "g1"])
def test_the_result_of_merging_who_was_merged_before_is_what_is_shown(pair, primary):
    """Of three, whoever is to lead: all that the page shows as the result is what the one customer shows."""
    one = pair.merge()
    names = {"g1": one.removeprefix("/customers/"), "b2": pair.path("b2").removeprefix("/customers/")}
    paths = (f"{one}/merge/{names['b2']}", f"{pair.path('b2')}/merge/{names['g1']}")
    sides = [lines(pair.page(f"{path}?primary={names[primary]}")) for path in paths]
    shown = {attribute: told[2] for attribute, told in sides[0].items()}
    assert {attribute: told[2] for attribute, told in sides[1].items()} == shown
    assert shown["Name"] == {"b2": "Beta", "g1": "ACME"}[primary]
    form = pair.page(f"{paths[0]}?primary={names[primary]}").select_one("form[method=post][action$=merges]")
    pair.send(one, form["action"], other=form.select_one("[name=other]")["value"])
    row = pair.row("g1")
    assert pair.path("g1") == pair.path("b1") == pair.path("b2") == f"/customers/{names[primary]}"
    told = {"Name": row.name, "Email": row.email, "Country": row.country, "External ID": row.external_id}
    told |= {"Website": row.website_url, "Status": row.lead_status, "plan": row.custom["plan"]}
    assert told | {"tier": str(row.custom["tier"])} == shown
