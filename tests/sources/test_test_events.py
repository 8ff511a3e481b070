"""Send a test event: tried without a trace, or sent like any other."""

import json
import re

import pytest
from sqlalchemy import select

from tests.people import post, signed_in
from tests.projection.support import count_rows, drain, receive
from tests.sources.support import ACME, ADA, BOB, add_source, change, fill, key, row, soup, text
from webapp.models import (
    AttributeSighting,
    AuditLine,
    Company,
    Contact,
    Customer,
    Event,
    Identifier,
    Person,
    Rejection,
    Tally,
)
from webapp.services import examples

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TABLES = (
    Event,
    Customer,
    Contact,
    Person,
    Identifier,
    Company,
    AttributeSighting,
    Tally,
    Rejection,
    AuditLine,
)


def path_of(public_id):
    """The address of the page."""
    return f"/sources/{public_id}/test-event"


def attempt(client, public_id, event, step="try"):
    """Try or send an event."""
    body = event if isinstance(event, str) else json.dumps(event)
    return post(client, path_of(public_id), path_of(public_id), body=body, step=step)


def rows(engine):
    """How many rows each table has."""
    return [count_rows(engine, model) for model in TABLES]


def changes(page):
    """The rows that would change: `{"Created Customer Acme": {attribute: (before, after)}}`."""
    found = {}
    for change_ in page.select(".change"):
        facts = {}
        for fact in change_.select(".facts > div"):
            old = fact.select_one("del")
            before = old.extract().text if old else ""
            facts[fact.dt.text.strip()] = (before, " ".join(fact.dd.get_text(" ").split()))
        found[" ".join(change_.h4.get_text(" ").split())] = facts
    return found


@pytest.mark.parametrize("chosen", [choice for choice, _ in examples.CHOICES])
def test_every_example_can_be_tried_and_leaves_no_trace(app, engine, chosen):
    """The answer, the outcome and the rows are shown; not a row of any table is another afterwards."""
    public_id, _ = add_source(app)
    client = signed_in(app)
    page = soup(client.get(path_of(public_id) + f"?example={chosen}"))
    assert page.select_one("#example option[selected]")["value"] == chosen
    before = rows(engine)
    answer = attempt(client, public_id, page.select_one("#body").text)
    assert answer.status_code == 200
    tried = soup(answer)
    assert text(tried, "#answer") == '200 {"received": 1}'
    outcome, made = text(tried, "#outcome"), " ".join(changes(tried))
    if chosen == "page":
        assert (outcome, made) == ("Ignored ignored: page calls are not imported", "")
    else:
        assert outcome.startswith("Imported imported")
        assert "Created Customer" in made
    assert rows(engine) == before
    assert row(app, public_id).last_event_at is None


def test_what_changes_is_told_attribute_by_attribute(app, engine, settings):
    """Old value and new; what stays as it is is not listed."""
    public_id, _ = add_source(app)
    before = {
        **ADA,
        "timestamp": "2026-09-20",
        "traits": {"email": "ada@example.com", "plan": "free", "a": 1},
    }
    fill(app, engine, settings, public_id, [before])
    event = {**ADA, "timestamp": "2026-09-21", "traits": {"email": "ada@new.example", "plan": "pro", "a": 1}}
    assert changes(soup(attempt(signed_in(app), public_id, event))) == {
        "Changed Customer ada@new.example": {
            "name": ("ada@example.com", "ada@new.example"),
            "email": ("ada@example.com", "ada@new.example"),
        },
        "Changed Contact ada@new.example": {
            "email": ("ada@example.com", "ada@new.example"),
            "custom.plan": ("free", "pro"),
            "customer": ("ada@example.com", "ada@new.example"),
        },
    }


def test_a_person_who_gains_a_company_leaves_their_own_customer(app, engine, settings):
    """What would go is told beside what would come."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id)
    group = {"type": "group", "userId": "ada", "groupId": "lovelace", "traits": {"name": "Lovelace Ltd"}}
    found = changes(soup(attempt(signed_in(app), public_id, group)))
    assert set(found) == {
        "Created Customer Lovelace Ltd",
        "Removed Customer ada@example.com",
        "Changed Contact ada@example.com",
    }
    assert found["Changed Contact ada@example.com"] == {"customer": ("ada@example.com", "Lovelace Ltd")}


def test_people_who_wait_and_warnings_are_told(app):
    """The sentence is the one that the events page would have."""
    public_id, _ = add_source(app, policy="company")
    event = {"type": "identify", "userId": "ada", "traits": {"email": "not an address"}}
    page = soup(attempt(signed_in(app), public_id, event))
    assert text(page, "#outcome") == "Waits for a company waits for a company"
    assert "email : this is not an e-mail address; it was skipped" in text(page, "#rehearsal .notice")
    assert "No row of customers or contacts would change." in text(page, "#rehearsal")


def test_an_event_that_was_received_before_changes_nothing(app, engine, settings):
    """Repeats are told as such, in a batch too."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id)
    page = soup(attempt(signed_in(app), public_id, {"batch": [ADA, BOB, ADA, ACME]}))
    assert text(page, "#answer") == '200 {"received": 4}'
    assert "3 events were received before" in text(page, "#rehearsal .notice")
    assert changes(page) == {}


def test_what_waits_in_a_paused_source_can_be_tried(app, engine, settings):
    """A pause keeps events waiting, and does not keep anybody from seeing what would become of one."""
    public_id, _ = add_source(app)
    source_id = key(app, public_id)
    change(engine, source_id, pause="keep")
    receive(engine, source_id, [BOB])
    page = soup(attempt(signed_in(app), public_id, [ADA, BOB]))
    assert len(page.select("#outcome li")) == 2
    assert "once it is resumed" in text(page, "#rehearsal .notice--warn")
    assert len(changes(page)) == 4
    assert count_rows(engine, Event) == 1
    change(engine, source_id, pause="refuse")
    page = soup(attempt(signed_in(app), public_id, ADA))
    assert text(page, "#answer").startswith("503")


@SQLITE
@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "The body is not JSON (character 0)."),
        ("{ not json", "The body is not JSON (character 2)."),
        ('{"a": 1,}', "The body is not JSON"),
        ("12", "The body is neither a JSON object nor an array."),
        ("[" * 600, "The body"),
        ('{"a": "' + "x" * 1_048_576 + '"}', ""),
    ],
)
@pytest.mark.parametrize("step", ["try", "send"])
def test_what_cannot_be_taken_gets_a_sentence(app, engine, body, sentence, step):
    """Never an error page of ours, and nothing is stored; what was typed stays."""
    public_id, _ = add_source(app)
    answer = attempt(signed_in(app), public_id, body, step)
    if not sentence:
        assert answer.status_code == 413
        return
    assert answer.status_code == 422
    page = soup(answer)
    assert text(page, "#body-error").startswith(sentence)
    assert text(page, "#answer").startswith("400")
    assert page.select_one("#body").text.strip() == body
    assert count_rows(engine, Event) == 0


@SQLITE
@pytest.mark.parametrize(
    "body",
    [
        "[]",
        "[{}]",
        '[1, null, "x"]',
        '{"a": NaN}',
        '{"type": {"a": 1}}',
        '{"type":"identify","userId":"\\ud800"}',
    ],
)
def test_strange_events_are_tried_like_others(app, engine, body):
    """Whatever the webhook lets in has an outcome, and no event is too odd to be tried or sent."""
    public_id, _ = add_source(app)
    client = signed_in(app)
    assert attempt(client, public_id, body).status_code == 200
    assert count_rows(engine, Event) == 0
    assert attempt(client, public_id, body, "send").status_code == 303


def test_a_test_event_that_is_sent_goes_the_way_of_all(app, engine, settings):
    """Stored, counted, folded, and told in the audit log; a second time it is a duplicate."""
    public_id, _ = add_source(app)
    client, source_id = signed_in(app), key(app, public_id)
    for _ in range(2):
        answer = attempt(client, public_id, ADA, "send")
        assert answer.location == f"/sources/{public_id}/events"
    assert text(soup(client.get(answer.location)), ".toast__text").startswith("Sent, and received")
    assert drain(engine, settings, source_id).applied == 1
    with engine.connect() as connection:
        assert connection.scalars(select(Event.body)).all() == [json.dumps(ADA).encode()]
        tally = connection.execute(select(Tally.received, Tally.duplicates)).all()
        assert (sum(each.received for each in tally), sum(each.duplicates for each in tally)) == (2, 1)
        said = connection.scalars(select(AuditLine.action)).all()
    assert said.count("source.test_event_sent") == 2
    assert row(app, public_id).first_event_at is not None


@SQLITE
def test_a_source_that_signs_can_be_sent_test_events(app, engine):
    """The page sends from within; nobody has to compute a signature by hand."""
    public_id, _ = add_source(app)
    client, settings_page = signed_in(app), f"/sources/{public_id}/settings"
    post(client, settings_page, f"/sources/{public_id}/signature", secret="a shared secret")
    assert attempt(client, public_id, ADA, "send").status_code == 303
    assert count_rows(engine, Event) == 1


@SQLITE
def test_a_source_that_refuses_takes_no_test_event_either(app, engine):
    """The page shows the answer that any sender gets, and says why."""
    public_id, _ = add_source(app)
    change(engine, key(app, public_id), pause="refuse")
    answer = attempt(signed_in(app), public_id, ADA, "send")
    assert answer.status_code == 503
    assert "its pause refuses" in text(soup(answer), "#rehearsal")
    assert count_rows(engine, Event) == 0


@SQLITE
def test_the_connection_test_is_told_as_such(app, engine):
    """`{}` is noted with its time and stored nowhere, tried or sent."""
    public_id, _ = add_source(app)
    client = signed_in(app)
    assert "connection test" in text(soup(attempt(client, public_id, "{}")), "#outcome")
    assert row(app, public_id).connection_tested_at is None
    attempt(client, public_id, "{}", "send")
    assert row(app, public_id).connection_tested_at is not None
    assert count_rows(engine, Event) == 0


@SQLITE
def test_test_events_are_for_administrators_with_a_form_of_ours(app, engine):
    """A viewer neither sees the page nor sends; a form from elsewhere is turned away."""
    public_id, _ = add_source(app)
    assert signed_in(app, "viewer").get(path_of(public_id)).status_code == 403
    client = signed_in(app)
    forged = client.post(path_of(public_id), data={"body": "{}", "step": "send"})
    assert forged.status_code == 400
    assert client.get("/sources/ds_none/test-event").status_code == 404
    assert row(app, public_id).connection_tested_at is None


@SQLITE
def test_examples_are_never_taken_for_a_repeat(app):
    """Each has a message id of its own."""
    public_id, _ = add_source(app)
    client = signed_in(app)
    ids = {re.search(r"test-[0-9a-f-]{36}", client.get(path_of(public_id)).text)[0] for _ in range(3)}
    assert len(ids) == 3
