"""What a choice would change, told before it is saved: in numbers, and whom."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from tests.merging.test_merging import billing
from tests.people import post, signed_in
from tests.sources.support import ACME, ADA, BOB, add_source, change, fill, key, row, soup, text
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Customer, DataSourceCustomer, Edit, Note, Sync, now
from webapp.services import attributes, merges, previews, sources, sync_log, syncs
from webapp.services.billing.records import CustomerChange

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVA = {"type": "identify", "messageId": "m4", "userId": "eva", "traits": {"name": "Eva Euler", "plan": "pro"}}
HTMX = {"HX-Request": "true"}


@pytest.fixture
def filled(app, engine, settings):
    """Public id of a source with one company's person and two customers of their own."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id, (ADA, BOB, ACME, EVA))
    return public_id


def lines(page):
    """The numbers of a preview, as sentences."""
    return [" ".join(line.get_text(" ").split()) for line in page.select("[data-numbers] li")]


def names(page):
    """The names in the first column of a list, in order."""
    return sorted(each.get_text(strip=True) for each in page.select("th .identity__name"))


def test_a_preview_comes_before_anything_is_saved(app, filled):
    """Another choice is looked at by its own address; the source keeps the policy that it has."""
    client = signed_in(app)
    part = soup(client.get(f"/sources/{filled}/preview?policy=company", headers=HTMX))
    assert text(part, "[data-preview]") == "−2 individual customers, −2 contacts, 2 people will wait"
    assert lines(part) == [
        "2 individual customers go, each with the contact that they are themselves. "
        "None of them carries a note or an edit. No customer is merged with one that stays.",
        "2 people will wait for a company.",
        "No contact moves from one customer to another.",
    ]
    kept = row(app, filled)
    assert (kept.policy, kept.applied_policy) == ("user", "user")
    settings_page = soup(client.get(f"/sources/{filled}/settings"))
    assert settings_page.select_one("#policy-preview")["hx-trigger"] == "change from:input[name=policy]"
    link = settings_page.select_one("#policy-preview a")["href"]
    assert "A user is added to a company" in soup(client.get(link)).select_one("h2").text


def test_customers_that_would_go_say_what_people_made_of_them(app, engine, filled):
    """Notes, edits and merges are counted, and each customer of the list shows its own."""
    source_id = key(app, filled)
    with app.app_context():
        ada, eva = (
            db.session.query(Customer).filter_by(external_id=name).one().uuid for name in ("ada", "eva")
        )
    with begin(engine) as connection:
        about = {"entity": "customer", "source_id": source_id, "updated_at": now()}
        note = {"uuid": "n1", "origin_uuid": ada, "said_of": ada, "text": "Call her", "created_at": now()}
        connection.execute(insert(Note).values(about | note))
        for origin in (ada, eva):
            connection.execute(
                insert(Edit).values(about | {"origin_uuid": origin, "said_of": origin, "fields": {}})
            )
    client = signed_in(app)
    page = soup(client.get(f"/sources/{filled}/preview?policy=company"))
    assert (
        "1 carries notes and 2 carry edits, which are kept and come back with them. No customer is merged"
        in lines(page)[0]
    )
    listed = soup(client.get(f"/sources/{filled}/preview/go"))
    rows = listed.select("tbody tr")
    badges = {names(r)[0]: [badge.text for badge in r.select(".badge")] for r in rows}
    assert badges == {
        "Eva Euler": ["Edits"],
        "ada@example.com": ["Notes", "Edits"],
    }


def test_who_is_merged_is_told_apart_from_who_goes(app, engine, settings, filled):
    """A customer of whom another source tells stays, and is on the list all the same, as merged."""
    mia = {"type": "identify", "messageId": "m5", "userId": "mia", "traits": {"name": "Mia"}}
    fill(app, engine, settings, filled, (mia,))
    source_id, paid = key(app, filled), billing(engine, CustomerChange("b1", {"name": "Mia Inc"}))
    with begin(engine) as connection:
        told = select(DataSourceCustomer.external_id, DataSourceCustomer.origin_uuid)
        origins = dict(
            connection.execute(told.where(DataSourceCustomer.source_id.in_((source_id, paid)))).all()
        )
        merges.merge(connection, [(origins["b1"], origins["mia"])], merges.By())
        about = {"entity": "customer", "source_id": source_id, "updated_at": now()}
        about |= {"origin_uuid": origins["eva"], "said_of": origins["eva"]}
        connection.execute(insert(Note).values(about | {"uuid": "n1", "text": "Hi", "created_at": now()}))
        connection.execute(insert(Edit).values(about | {"fields": {}}))
    client = signed_in(app)
    page = soup(client.get(f"/sources/{filled}/preview?policy=company"))
    assert text(page, "[data-preview]") == "−2 individual customers, −3 contacts, 3 people will wait"
    assert "1 carries notes and 1 carries edits" in lines(page)[0]
    assert lines(page)[1] == (
        "1 merged customer stays, with what other sources tell, and without what these people told."
    )
    rows = soup(client.get(f"/sources/{filled}/preview/go")).select("tbody tr")
    badges = {names(row)[0]: [badge.text for badge in row.select(".badge")] for row in rows}
    assert badges == {"Mia Inc": ["Merged"], "Eva Euler": ["Notes", "Edits"], "ada@example.com": []}


def test_there_is_a_list_behind_every_number(app, engine, settings, filled):
    """Who goes, who would wait, and, the other way round, who appears; a page at a time."""
    client = signed_in(app)
    assert names(soup(client.get(f"/sources/{filled}/preview/go"))) == ["Eva Euler", "ada@example.com"]
    assert names(soup(client.get(f"/sources/{filled}/preview/wait"))) == ["Eva Euler", "ada@example.com"]
    assert names(soup(client.get(f"/sources/{filled}/preview/appear"))) == []
    with app.app_context():
        session = db.session()
        source = sources.find(session, filled)
        source.policy = "company"
        session.flush()
        sync = syncs.request(session, source)
        session.commit()
        sync_id = sync.id
    syncs.run(engine, sync_id, settings=settings)
    assert names(soup(client.get(f"/sources/{filled}/preview/appear"))) == ["Eva Euler", "ada@example.com"]
    assert lines(soup(client.get(f"/sources/{filled}/preview")))[0].startswith("2 customers appear")


def test_a_long_list_is_read_page_by_page(app, filled, monkeypatch):
    """The next page begins where the one before ended."""
    monkeypatch.setattr(previews, "PAGE", 1)
    client = signed_in(app)
    first = soup(client.get(f"/sources/{filled}/preview/go"))
    second = soup(client.get(first.select_one("a[rel=next]")["href"]))
    assert [len(names(page)) for page in (first, second)] == [1, 1]
    assert sorted(names(first) + names(second)) == ["Eva Euler", "ada@example.com"]
    assert second.select_one("a[rel=next]") is None


def test_an_attribute_is_ignored_only_after_it_was_said_whom_that_concerns(app, engine, settings, filled):
    """Who loses the value, in which source; then the re-sync says why it is asked for, and takes it away."""
    client, path = signed_in(app), "/attributes/contact/plan/ignoring"
    page = soup(client.get(path + "?on=1"))
    assert text(page, "[data-concerned]").startswith("1 contact has a value now and loses it")
    assert [link.text for link in page.select("form li a")] == ["Production"]
    assert post(client, path + "?on=1", path, on="1").status_code == 303
    settings_page = soup(client.get(f"/sources/{filled}/settings"))
    assert "plan of contacts was ignored" in text(settings_page, "#resync .notice")
    asked = f"/sources/{filled}/syncs"
    assert "lose the custom attribute plan" in " ".join(soup(client.get(asked + "/new")).text.split())
    post(client, asked + "/new", asked, kind="resync")
    with app.app_context():
        sync = db.session.query(Sync).one()
        assert sync_log.why_in_words(sync) == "attributes were ignored or imported again: plan"
        sync_id = sync.id
    syncs.run(engine, sync_id, settings=settings)
    assert b"plan" not in client.get(f"/sources/{filled}/contacts.csv").data
    again = soup(client.get(path + "?on=0"))
    assert text(again, "[data-concerned]").startswith("1 contact gains the value that was told last")
    assert not soup(client.get(f"/sources/{filled}/settings")).select("#resync .notice")


def test_a_value_that_comes_back_is_on_the_records_after_a_re_sync(app, engine, settings, filled):
    """Importing an attribute again loses nothing of what was told meanwhile, and before."""
    for ignored in (True, False):
        with app.app_context():
            attributes.ignore(db.session(), "contact", "plan", ignored)
            sync = syncs.request(db.session(), sources.find(db.session(), filled))
            db.session.commit()
            sync_id = sync.id
        syncs.run(engine, sync_id, settings=settings)
        with app.app_context():
            eva = db.session.execute(
                db.text("SELECT custom FROM contacts WHERE user_id = 'eva'")
            ).scalar_one()
            assert ("plan" in str(eva)) is not ignored


@ONE_DATABASE
def test_the_history_says_who_and_why(app, engine, settings, filled):
    """Each line names who asked, and what had been chosen."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    change(engine, key(app, filled), policy="company")
    post(client, path + "/new", path, kind="resync")
    with app.app_context():
        sync_id = db.session.query(Sync).one().id
    syncs.run(engine, sync_id, settings=settings)
    said = text(soup(client.get(f"/sources/{filled}/settings")), "#resync tbody tr")
    assert "“A user is added to a company” was chosen" in said
    assert "@" in said
    assert "−2 customers, −2 contacts" in said


@ONE_DATABASE
def test_a_policy_chosen_while_a_re_sync_runs_wants_another(app, engine, settings, filled):
    """It ends with the choice that it began with, and says so."""
    client, path = signed_in(app), f"/sources/{filled}/syncs"
    source_id = key(app, filled)
    change(engine, source_id, policy="company")
    post(client, path + "/new", path, kind="resync")
    change(engine, source_id, policy="user")
    with app.app_context():
        sync_id = db.session.query(Sync).one().id
    syncs.run(engine, sync_id, settings=settings)
    assert row(app, filled).applied_policy == "company"
    said = text(soup(client.get(f"{path}/{sync_id}")), "#sync .notice")
    assert "“The email or UserID is created” was chosen meanwhile, so another re-sync is needed." in said
