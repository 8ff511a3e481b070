"""The tables as pages: what a browser without JavaScript gets, and what HTMX swaps."""

import re

import pytest

from tests import factories, people
from tests.projection import support
from tests.tables.conftest import texts
from webapp.database import begin

# How a page is written does not depend on the database; what it asks for is tested on both.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

HTMX = {"headers": {"HX-Request": "true"}}


def test_customers_and_contacts_are_listed_with_links_to_each(told):
    """The two tables are what the product is for."""
    page = told.page("/customers")
    assert texts(page, "tbody .identity__name") == ["Acme"]
    assert texts(page, ".pager__count") == ["1 customer"]
    row = page.select_one("tbody tr")
    assert row["data-href"] == row.select_one("th a")["href"]
    assert told.page(row["data-href"]).h1.text == "Acme"
    page = told.page("/contacts")
    assert texts(page, "tbody tr td[data-label=Customer]") == ["Acme"]
    assert told.page(page.select_one("tbody tr")["data-href"]).h1.text == "Ada Lovelace"


def test_a_source_shows_its_own_tables_under_its_tabs(told):
    """The page of a source answers what this source has made."""
    page = told.page("/sources/SOURCE/customers")
    assert texts(page, ".tabs a[aria-current=page]") == ["Customers 1"]
    assert texts(page, "tbody .identity__name") == ["Acme"]
    assert texts(told.page("/sources/SOURCE/contacts"), "tbody .identity__name") == ["Ada Lovelace"]


def test_columns_can_be_chosen_and_custom_attributes_are_columns(told):
    """Everything that was told can be put beside everything else."""
    page = told.page("/customers?c=name&c=custom.seats&c=custom.plan")
    assert texts(page, "thead th:not(.pick)") == ["Customer", "seats", "plan"]
    assert texts(page, "tbody td:not(.pick)") == ["12", "<b>pro</b>"]
    offered = [box["value"] for box in page.select("input[name=c]")]
    assert {"custom.plan", "custom.seats", "external_id", "first_seen"} <= set(offered)
    assert [box["value"] for box in page.select("input[name=c][checked]")] == [
        "name",
        "custom.seats",
        "custom.plan",
    ]
    # Each of them can go forward or back, also without a script.
    up = page.select_one("a[aria-label='Move plan forward']")["href"]
    assert texts(told.page(up), "thead th:not(.pick)") == ["Customer", "plan", "seats"]
    assert page.select_one("a[aria-label='Move plan back']") is None


def test_the_form_works_without_javascript(told):
    """A form sends its empty fields too; the address that it ends at says only what is wanted."""
    sent = "/customers?q=&field=custom.seats&operator=greater&value=5&size=25&c=name&c=email"
    answer = told.client.get(sent)
    assert answer.status_code == 303
    assert answer.location == "/customers?f=custom.seats:greater:5&c=name&c=email"
    page = told.page(answer.location)
    assert texts(page, ".chip") == ["seats is greater than 5"]
    assert texts(page, "tbody .identity__name") == ["Acme"]
    assert [field["value"] for field in page.select("input[type=hidden][name=f]")] == [
        "custom.seats:greater:5"
    ]
    assert page.select_one(".chip a")["href"] == "/customers?c=name&c=email"
    assert texts(told.page("/customers?f=custom.seats:less:5"), ".empty__title") == ["No customers match"]


def test_a_column_that_is_sorted_by_says_so_and_turns_round(told):
    """Somebody who listens to the page hears which way it is sorted."""
    page = told.page("/customers?sort=name")
    head = page.select_one("th[aria-sort]")
    assert (head["aria-sort"], head.get_text(strip=True)) == ("ascending", "Customer")
    assert head.a["href"] == "/customers?sort=-name"


def test_htmx_gets_the_table_and_its_tools_alone(told):
    """Typing in the search swaps the rows and never the field one types in."""
    answer = told.client.get("/customers?q=acm&field=&operator=contains&value=", **HTMX)
    assert "<html" not in answer.text
    assert 'name="q"' not in answer.text
    assert re.search(r'<div id="customers">', answer.text)
    assert 'hx-swap-oob="true"' in answer.text
    assert answer.headers["HX-Push-Url"] == "/customers?q=acm"
    assert "HX-Request" in answer.headers["Vary"]
    typed = {"HX-Request": "true", "HX-Trigger-Name": "q"}
    assert told.client.get("/customers?q=acm", headers=typed).headers["HX-Replace-Url"] == "/customers?q=acm"


def test_pages_follow_each_other_by_signed_cursors(told, engine):
    """A page is found by the last row of the one before, however far one reads."""
    with begin(engine) as connection:
        for number in range(60):
            factories.customer(connection, told.source_id, f"o{number:02}", name=f"N{number:02}")
    first = told.page("/customers?sort=name")
    assert texts(first, ".pager__count") == ["61 customers"]
    assert first.select_one("a[rel=prev]") is None
    second = told.page(first.select_one("a[rel=next]")["href"])
    third = told.page(second.select_one("a[rel=next]")["href"])
    assert third.select_one("a[rel=next]") is None
    names = [texts(page, "tbody .identity__name") for page in (first, second, third)]
    assert names[0] + names[1] + names[2] == ["Acme", *(f"N{number:02}" for number in range(60))]
    back = told.page(third.select_one("a[rel=prev]")["href"])
    assert texts(back, "tbody .identity__name") == names[1]
    forged = told.page("/customers?page=rubbish")
    assert "not valid any more" in texts(forged, "[role=alert]")[0]


def test_a_mistyped_filter_is_explained_and_its_csv_refused(told):
    """A sentence says what is wrong; a file that ignores a filter would be taken for the answer."""
    page = told.page("/customers?f=last_seen:after:soon")
    assert "Write a day as 2026-09-24" in texts(page, "[role=alert]")[0]
    assert told.client.get("/customers.csv?f=last_seen:after:soon").status_code == 422


@pytest.mark.parametrize(
    "args",
    [
        "sort=nothing",
        "c=nothing",
        "size=7",
        "size=abc",
        "f=%00:is:1",
        "q=%00",
        "f=email:contains:%",
        "page=",
        "q=" + "x" * 5000,
    ],
)
def test_no_address_breaks_a_table(told, args):
    """Whatever somebody edits into an address, a table answers."""
    assert told.client.get(f"/customers?{args}", follow_redirects=True).status_code == 200
    assert told.client.get(f"/contacts?{args}", **HTMX).status_code == 200


def test_the_csv_button_gives_the_view(told):
    """The file is what the screen shows: its columns, its filters, its order."""
    page = told.page("/contacts?f=email:contains:acme&c=name&c=custom.age&c=phone")
    answer = told.client.get(page.select_one("a[download]")["href"])
    assert answer.mimetype == "text/csv"
    assert re.fullmatch(
        r'attachment; filename="contacts-\d{4}-\d\d-\d\d.csv"', answer.headers["Content-Disposition"]
    )
    assert answer.text == "name,custom.age,phone\r\nAda Lovelace,36,+44 20 1\r\n"
    of_source = told.client.get(f"/sources/{told.id}/customers.csv?c=external_id")
    assert of_source.text == "external_id\r\norg_1\r\n"


def test_new_rows_are_announced_and_an_empty_table_fills_by_itself(told, engine, settings):
    """What one reads stands still; where there is nothing to read yet, rows appear."""
    page = told.page("/customers")
    ask = page.select_one("#customers-news")["hx-get"]
    empty = told.page("/customers?q=initech")
    ask_empty = empty.select_one("#customers-news")["hx-get"]
    assert told.client.get(ask).status_code == 204
    event = {"type": "group", "groupId": "org_2", "traits": {"name": "Initech"}}
    support.receive(engine, told.source_id, [event])
    support.drain(engine, settings, told.source_id)
    news = told.page(ask)
    assert texts(news, ".news") == ["1 new, show"]
    assert news.select_one(".news a")["href"] == "/customers"
    fill = told.page(ask_empty).select_one("#customers-news")
    assert (fill["hx-get"], fill["hx-trigger"], fill["hx-target"]) == (
        "/customers?q=initech",
        "load",
        "#customers",
    )
    elsewhere = ask.replace("/customers/news?", "/customers/news?f=country:is:FR&")
    assert told.client.get(elsewhere).status_code == 204


def test_a_viewer_sees_tables_and_files(told, app):
    """A viewer is there to look."""
    viewer = people.signed_in(app, "viewer")
    for path in ("/customers", "/contacts", "/customers.csv", "/attributes", f"/sources/{told.id}/events"):
        assert viewer.get(path).status_code == 200
    assert viewer.get(f"/sources/{told.id}/export.zip").status_code == 403


def test_export_first_is_a_zip_and_stands_in_the_audit_log(told):
    """Who took the data along is known."""
    answer = told.client.get(f"/sources/{told.id}/export.zip")
    assert answer.mimetype == "application/zip"
    assert answer.data[:2] == b"PK"
    assert "exported" in told.client.get("/audit-log", follow_redirects=True).text


@pytest.mark.parametrize("path", ["/customers", "/contacts"])
def test_an_empty_account_says_what_to_do(app, path):
    """The first thing that somebody sees is not a blank."""
    page = people.signed_in(app).get(path)
    assert "Connect a Segment source" in page.text
    assert 'href="/sources"' in page.text
