"""What only a browser shows: swaps, focus, history, rows that appear by themselves, and what axe says."""

import pytest
from sqlalchemy import select

from tests.accessible import faults, prepare, violations
from tests.projection import support
from tests.tables.conftest import EVENTS
from webapp.models import Contact, Customer, Event, Source

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def source(engine, settings):
    """A source with its events folded: (id in the database, public id)."""
    source_id = support.make_source(engine, "company")
    support.receive(engine, source_id, EVENTS)
    support.drain(engine, settings, source_id)
    with engine.connect() as connection:
        uuid = connection.execute(select(Source.uuid).where(Source.id == source_id)).scalar_one()
    return source_id, f"ds_{uuid}"


def tell(engine, settings, source_id, name):
    """Have one more company arrive."""
    event = {"type": "group", "groupId": name.lower(), "traits": {"name": name}}
    support.receive(engine, source_id, [event])
    support.drain(engine, settings, source_id)


def test_typing_filtering_and_sorting_swap_the_rows_and_keep_the_address(visit, source):
    """What one sees can be sent to somebody as a link, and Back goes back."""
    page = visit("/customers")
    page.keyboard.press("/")
    page.keyboard.type("acm")
    page.wait_for_url("**/customers?q=acm")
    assert page.evaluate("document.activeElement.name") == "q"
    page.locator("summary", has_text="Filter").click()
    page.select_option("select[name=field]", "custom.seats")
    page.select_option("select[name=operator]", "greater")
    page.fill("input[name=value]", "5")
    page.get_by_role("button", name="Add filter").click()
    page.wait_for_url("**/customers?q=acm&f=custom.seats:greater:5")
    page.locator("#sort-name").click()
    page.wait_for_url("**&sort=name")
    assert page.evaluate("document.activeElement.id") == "sort-name"
    assert page.locator("th[aria-sort=ascending]").inner_text().strip() == "Customer"
    page.go_back()
    page.locator(".chip a").click()
    page.wait_for_url("**/customers?q=acm")
    page.locator("tbody td:not(.pick)").first.click()
    page.wait_for_url("**/customers/cus_*")
    assert page.locator("h1").inner_text() == "Acme"


def test_rows_appear_by_themselves_without_moving_what_is_read(visit, source, engine, settings):
    """An empty table fills; a table that is read says what came and waits to be asked."""
    page = visit("/customers?q=ini")
    assert page.locator("tbody tr").count() == 0
    tell(engine, settings, source[0], "Initech")
    page.locator("tbody tr").wait_for()
    tell(engine, settings, source[0], "Inigo")
    page.get_by_role("link", name="1 new, show").wait_for()
    assert page.locator("tbody tr").count() == 1
    page.get_by_role("link", name="1 new, show").click()
    page.locator("tbody tr").nth(1).wait_for()
    assert page.locator(".news").count() == 0


def test_the_list_of_events_is_live(visit, source, engine, settings):
    """An event that waits to be processed turns into what became of it while one looks."""
    page = visit(f"/sources/{source[1]}/events")
    event = {"type": "identify", "userId": "u_9", "traits": {"name": "Eve", "company": {"id": "org_1"}}}
    support.receive(engine, source[0], [event])
    page.get_by_role("link", name="1 new, show").click()
    page.get_by_role("link", name="waiting to be processed", exact=True).wait_for()
    support.drain(engine, settings, source[0])
    page.get_by_role("link", name="imported contact Eve into Acme").wait_for()
    assert page.url.endswith("/events")


def test_axe_finds_nothing_and_no_page_is_wider_than_a_phone(visit, page, source, engine):
    """Everybody can use these pages, whatever they read them with."""
    with engine.connect() as connection:
        customer = connection.execute(select(Customer.uuid)).scalars().first()
        contact = connection.execute(select(Contact.uuid)).scalars().first()
        event = connection.execute(select(Event.id).where(Event.message_id == "m7")).scalar_one()
    of_source = f"/sources/{source[1]}"
    paths = [
        "/customers",
        "/customers?q=nothing&f=country:is:FR&f=last_seen:after:soon",
        "/contacts?c=name&c=custom.age&sort=-custom.age",
        f"{of_source}/customers",
        f"{of_source}/events",
        f"{of_source}/events/{event}",
        f"{of_source}/waiting",
        f"/customers/cus_{customer}",
        f"/contacts/con_{contact}",
        "/attributes?of=contact",
    ]
    prepare(page)
    for path in paths:
        assert faults(visit(path)) == [], path


def test_a_server_that_is_away_is_said_and_the_table_goes_on_without_a_reload(visit, source):
    """What was on the page stays, and the next click that is answered takes the message away."""
    page = visit("/customers")
    page.evaluate("window.sameDocument = true")
    page.context.set_offline(True)
    page.locator("#sort-name").click()
    page.get_by_text("The server cannot be reached").wait_for()
    assert page.get_by_role("link", name="Acme").is_visible()
    page.context.set_offline(False)
    page.locator("#sort-name").click()
    page.locator("th[aria-sort=ascending]").wait_for()
    page.get_by_text("The server cannot be reached").wait_for(state="detached")
    assert page.evaluate("window.sameDocument")


def test_keys_lead_through_the_table_and_a_question_mark_shows_them(visit, source):
    """Whoever works here all day needs no mouse."""
    page = visit("/contacts?sort=name")
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keys").wait_for()
    page.keyboard.press("Escape")
    assert page.locator("dialog[open]").count() == 0
    page.keyboard.press("/")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "Ada Lovelace"
    page.keyboard.press("Enter")
    page.wait_for_url("**/contacts/con_*")


def test_an_address_is_copied_from_its_cell(visit, source):
    """The commonest thing to do with an e-mail address is to take it elsewhere."""
    page = visit("/contacts")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the email ada@acme.example").click()
    page.locator(".toast", has_text="Copied").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == "ada@acme.example"


def test_columns_move_and_a_view_is_kept_by_name(visit, source):
    """What one has set up once is one click away from then on."""
    page = visit("/customers")
    page.locator("summary", has_text="Columns").click()
    page.get_by_role("link", name="Move Email forward").click()
    page.wait_for_url("**/customers?c=email&c=name*")
    page.get_by_role("link", name="Move Country forward").click()
    page.wait_for_url("**/customers?c=email&c=country*")
    page.keyboard.press("Escape")
    page.locator("summary", has_text="Views").click()
    page.get_by_label("Save this view as").fill("By address")
    page.get_by_role("button", name="Save view").click()
    page.locator(".toast", has_text="is saved").wait_for()
    page.goto(page.url.split("?")[0])
    page.locator("summary", has_text="Views").click()
    page.get_by_role("link", name="By address").click()
    page.wait_for_url("**/customers?c=email&c=country*")
    assert page.locator("thead th:not(.pick)").first.inner_text().strip() == "Email"
    assert violations(page) == []
