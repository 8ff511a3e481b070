"""Changing many rows at once: who may, which rows, and what is said."""

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import select

from tests import factories, people
from tests.tables import bulk_action
from tests.tables.conftest import texts
from webapp.database import begin
from webapp.models import Customer
from webapp.services.tables import choosing


@pytest.fixture
def cities(engine):
    """Thirty customers of one source and one of another; what finds out where they are."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        for number in range(30):
            at = factories.SOME_DAY - number
            factories.customer(connection, source_id, f"org_{number:02}", updated_at=at, country="DE")
        other = factories.source(connection, "Other")
        factories.customer(connection, other, "elsewhere", country="FR", updated_at=1)

    def where():
        with engine.connect() as connection:
            rows = connection.execute(
                select(Customer.external_id, Customer.city).order_by(Customer.external_id)
            )
            return {row.external_id for row in rows if row.city}

    return where


@pytest.fixture
def browser_of(app, cities):
    """Somebody's browser, in an account that has an action to offer."""
    bulk_action.offer(app)
    return lambda role="administrator": people.signed_in(app, role)


def soup(client, path):
    """A page that must be there, as HTML."""
    response = client.get(path)
    assert response.status_code == 200, path
    return BeautifulSoup(response.text, "html.parser")


def ids_of(client, path="/customers"):
    """Public ids of the rows that a page shows."""
    return [box["value"] for box in soup(client, path).select("input[name=id]")]


def send(client, address="/customers", to="/customers/bulk", **fields):
    """Send what the bar of a table would, with these fields; the messages that follow."""
    shown = soup(client, address)
    hidden = {field["name"]: field["value"] for field in shown.select(".bulk input[type=hidden]")}
    token = {"csrf_token": people.csrf_token(client, address)}
    usual = {"action": "move", "city": "Ulm"}
    answer = client.post(to, data=token | usual | hidden | fields)
    assert (answer.status_code, answer.location) == (303, hidden["back"])
    return texts(soup(client, hidden["back"]), ".toast")


def test_ticked_rows_are_changed_and_no_others(browser_of, cities):
    """What one ticked is what is changed, and it is said."""
    client = browser_of()
    ids = ids_of(client)
    assert "2 moved to Ulm by 1." in send(client, id=[ids[0], ids[3], ids[3]])
    assert cities() == {"org_00", "org_03"}


def test_the_box_in_the_head_stands_for_the_page_without_a_script(browser_of, cities):
    """Twenty-five boxes need not be ticked one by one."""
    send(browser_of(), page="1")
    assert cities() == {f"org_{number:02}" for number in range(25)}


def test_all_of_a_view_are_those_that_its_search_and_filters_leave(browser_of, cities):
    """What “All 30 of this view” says is what is changed, on every page of it."""
    client = browser_of()
    address = "/customers?f=country:is:DE"
    assert texts(soup(client, address), ".bulk .check") == ["All 30 customers of this view"]
    assert "30 moved to Ulm by 1." in send(client, address, all="1")
    assert "elsewhere" not in cities()


def test_a_source_s_table_changes_its_own_customers_only(browser_of, cities, engine):
    """An id of another source's customer that is slipped in is passed over."""
    client = browser_of()
    elsewhere = ids_of(client, "/customers?q=elsewhere")
    with engine.connect() as connection:
        here = f"/sources/{factories.public_id(connection, 1)}/customers"
    ids = ids_of(client, here)
    assert elsewhere[0] not in ids
    assert "1 moved to Ulm by 1." in send(client, here, f"{here}/bulk", id=[ids[1], *elsewhere])
    assert cities() == {"org_01"}


def test_what_cannot_be_done_is_said_and_changes_nothing(browser_of, cities, monkeypatch):
    """Nothing ticked, a form not filled in, too many rows: each has its sentence."""
    client = browser_of()
    assert any("No customers were chosen" in said for said in send(client))
    assert any("Name a city" in said for said in send(client, id=ids_of(client), city=""))
    monkeypatch.setattr(choosing, "MOST", 20)
    assert any("and there are more" in said for said in send(client, all="1"))
    assert any("has changed meanwhile" in said for said in send(client, all="1", query="f=gone:is:1"))
    assert cities() == set()
    assert people.post(client, "/customers", "/customers/bulk", action="burn").status_code == 404


def test_who_may_not_change_sees_no_boxes_and_is_turned_away(browser_of, cities):
    """A viewer reads; a form that is made up changes nothing, nor does one without its token."""
    ids = ids_of(browser_of())
    viewer = browser_of("viewer")
    assert not soup(viewer, "/customers").select(".pick, .bulk")
    answer = people.post(viewer, "/customers", "/customers/bulk", action="move", city="Ulm", id=ids)
    assert answer.status_code == 403
    forged = browser_of().post("/customers/bulk", data={"action": "move", "city": "Ulm", "id": ids})
    assert forged.status_code == 400
    assert cities() == set()


def test_a_table_without_actions_has_no_boxes(app, engine):
    """Boxes that lead nowhere are in the way."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        factories.contact(connection, source_id, factories.customer(connection, source_id))
    page = soup(people.signed_in(app), "/contacts")
    assert page.select("tbody tr")
    assert not page.select(".pick, .bulk")
