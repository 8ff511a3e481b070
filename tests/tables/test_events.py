"""The events of a source, a look into one, and the people who wait."""

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.orm import Session

from tests import factories
from tests.projection import support
from tests.tables.conftest import texts
from webapp.database import begin
from webapp.models import Event, Rejection, Source, Tally
from webapp.services import counting, event_list

SENTENCES = [
    "kept until they tell a user id or an e-mail",
    "ignored: page calls are not imported",
    "waits for a company",
    "imported contact Ada Lovelace into Acme",
    "imported contact Ada Lovelace into Acme",
    "imported contact Ada Lovelace into Acme",
    "imported customer Acme",
]


def test_every_event_says_what_became_of_it(told):
    """Nobody has to guess whether a call arrived, and why it made nothing."""
    page = told.page("/sources/SOURCE/events")
    assert texts(page, ".event-link") == SENTENCES
    # The sentence begins with the outcome, and its colour says it too: no badge says it a third time.
    assert texts(page, "tbody .badge") == []
    assert texts(page, ".event-link--ignored") == ["ignored: page calls are not imported"]


def test_outcomes_are_told_from_what_is_known_now(told, engine, settings):
    """Somebody who waited and got a company is imported, and the old event says so."""
    event = {"type": "identify", "userId": "u_2", "traits": {"company": {"id": "org_9", "name": "Globex"}}}
    support.receive(engine, told.source_id, [event, {"type": "identify", "userId": "late"}])
    page = told.page("/sources/SOURCE/events")
    assert texts(page, ".event-link")[:2] == ["waiting to be processed"] * 2
    assert page.select_one("#events")["hx-trigger"] == "load delay:2s, htmx:sendError delay:5s"
    support.drain(engine, settings, told.source_id)
    page = told.page("/sources/SOURCE/events")
    assert "imported contact Bob into Globex" in texts(page, ".event-link")
    assert page.select_one("#events").get("hx-trigger") is None


def test_a_group_call_that_names_a_person_says_both(told, engine, settings):
    """A group call tells of a company, and attaches somebody to it."""
    support.receive(
        engine, told.source_id, [{"type": "group", "groupId": "org_1", "userId": "u_1", "traits": {}}]
    )
    support.drain(engine, settings, told.source_id)
    assert (
        texts(told.page("/sources/SOURCE/events"), ".event-link")[0]
        == "imported customer Acme, named by Ada Lovelace"
    )


def test_a_parked_event_says_why(told, engine):
    """An event that failed is not lost, and its reason is there to read."""
    with begin(engine) as connection:
        connection.execute(
            update(Event).where(Event.message_id == "m5").values(state=3, reason="could not be applied")
        )
    page = told.page("/sources/SOURCE/events?outcome=parked")
    assert texts(page, ".event-link") == ["parked: could not be applied"]


FOUND = [
    ("outcome=imported", "m4 m3 m2 m1"),
    ("outcome=ignored", "m6"),
    ("outcome=waits", "m5"),
    ("outcome=kept", "m7"),
    ("outcome=pending", ""),
    ("type=track", "m3"),
    ("type=group", "m1"),
    ("since=2026-09-01&until=2026-09-01", "m4 m3 m2 m1"),
    ("since=2026-09-01T12:00", "m7 m6 m5 m4 m3"),
    ("until=2026-09-01T11:00:00", "m2 m1"),
    ("q=m3", "m3"),
    ("q=u_2", "m5"),
    ("q=visitor", "m4"),
    ("q=org_1", "m2 m1"),
    ("q=ADA@acme.example", "m4 m3 m2"),
    ("q=u_1&type=track", "m3"),
    ("q=nothing", ""),
]


def test_events_are_found_by_outcome_type_time_and_id(told):
    """In a stream of thousands, one call can be found again."""
    for args, found in FOUND:
        page = told.page(f"/sources/SOURCE/events?{args}")
        assert (args, texts(page, "tbody td[data-label='Message ID']")) == (args, found.split())


def test_events_of_the_other_policy_are_found_by_their_outcome_too(told, engine):
    """A filter and a sentence never disagree."""
    with begin(engine) as connection:
        connection.execute(update(Source).values(applied_policy="user"))
    assert texts(told.page("/sources/SOURCE/events?outcome=waits"), ".event-link") == []
    page = told.page("/sources/SOURCE/events?outcome=kept")
    assert texts(page, ".event-link")[1] == "kept; a re-sync of the source brings it into the tables"


def test_a_mistyped_time_or_outcome_is_explained(told):
    """What cannot be had is said, and the rest is shown."""
    page = told.page("/sources/SOURCE/events?since=soon&outcome=nonsense")
    assert len(texts(page, "[role=alert] p")) == 2
    assert len(page.select(".event-link")) == 7


def test_outcomes_and_duplicates_are_counted_apart_from_the_list(told, engine):
    """The list is there at once; the numbers come after, or on a page of their own without a script."""
    with begin(engine) as connection:
        counted = {"source_id": told.source_id, "writer": 0, "received": 7}
        connection.execute(
            insert(Tally), [{"hour": 0, "duplicates": 2, **counted}, {"hour": 1, "duplicates": 3, **counted}]
        )
    part = told.page("/sources/SOURCE/events/counts", headers={"HX-Request": "true"})
    numbers = dict(zip(texts(part, "dt"), texts(part, "dd"), strict=True))
    assert numbers == {
        "Imported": "4",
        "Waits for a company": "1",
        "Kept": "1",
        "Ignored": "1",
        "Waiting to be processed": "0",
        "Parked": "0",
        "Duplicates, kept once": "5",
    }
    page = told.page("/sources/SOURCE/events")
    assert page.select_one("#event-counts")["hx-trigger"] == "load"
    plain = told.page(page.select_one("#event-counts a")["href"])
    assert texts(plain, "#event-counts dd") == list(numbers.values())


def test_requests_that_were_turned_away_are_counted_with_their_reasons(told, engine):
    """Whoever wonders where their calls went finds them here."""
    with begin(engine) as connection:
        row = {"source_id": told.source_id, "status": 400, "reason": "the body is not JSON", "count": 1200}
        once = {"status": 413, "reason": "too large", "count": 1}
        connection.execute(
            insert(Rejection), [each | {"last_at": factories.SOME_DAY} for each in (row, row | once)]
        )
    shown = texts(told.page("/sources/SOURCE/events"), "#rejections dl")[0]
    assert "400 · 1,200 times" in shown
    assert "413 · 1 time too large" in shown
    assert "the body is not JSON" in shown


@pytest.mark.parametrize("near", [event_list.NEAR, 100, 60, 3])
def test_a_long_list_is_read_page_by_page_both_ways(told, engine, monkeypatch, near):
    """Older and newer lead through the whole inbox, however many events are looked at first."""
    monkeypatch.setattr(event_list, "NEAR", near)
    with begin(engine) as connection:
        for number in range(110):
            factories.event(
                connection, told.source_id, state=2, reason="page", type="page", message_id=f"x{number}"
            )
    ids = []
    page = told.page("/sources/SOURCE/events?type=page")
    while True:
        ids.append(texts(page, "tbody td[data-label='Message ID']"))
        following = page.select_one("a[rel=next]")
        if following is None:
            break
        page = told.page(following["href"])
    assert [len(each) for each in ids] == [50, 50, 11]
    back = told.page(page.select_one("a[rel=prev]")["href"])
    assert texts(back, "tbody td[data-label='Message ID']") == ids[1]


def test_new_events_are_announced(told, engine):
    """The list is live and yet stands still."""
    ask = told.page("/sources/SOURCE/events").select_one("#events-news")["hx-get"]
    assert told.client.get(ask).status_code == 204
    support.receive(
        engine, told.source_id, [{"type": "page", "userId": "u"}, {"type": "track", "userId": "v"}]
    )
    assert texts(told.page(ask), ".news") == ["2 new, show"]


def test_one_event_shows_its_body_what_was_read_and_what_it_changed(told):
    """From an event one reaches the records; from its body one sees that nothing was lost."""
    page = told.page("/sources/SOURCE/events?q=m2")
    page = told.page(page.select_one(".event-link")["href"])
    assert texts(page, "#outcome") == ["imported contact Ada Lovelace into Acme"]
    assert told.page(page.select_one("a[href^='/contacts/con_']")["href"]).h1.text == "Ada Lovelace"
    assert told.page(page.select_one("a[href^='/customers/cus_']")["href"]).h1.text == "Acme"
    read = dict(zip(texts(page, "#read dt"), texts(page, "#read dd"), strict=True))
    assert read == {
        "User ID": "u_1",
        "Company (group ID)": "org_1",
        "email": "ada@acme.example",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "age (Integer)": "36",
    }
    indented, raw = (each.text for each in page.select("pre"))
    assert raw.startswith('{"type": "identify", "messageId": "m2"')
    assert '\n  "messageId": "m2"' in indented
    body = told.client.get(page.select_one("a[download]")["href"])
    assert body.text == raw


def test_what_was_noticed_in_an_event_is_said_in_words(told):
    """A value that was skipped is not silently gone."""
    page = told.page("/sources/SOURCE/events?q=m7")
    assert texts(page, "tbody .warn") == ["1 warning"]
    page = told.page(page.select_one(".event-link")["href"])
    assert texts(page, "#warnings li") == ["email : this is not an e-mail address; it was skipped"]


BODIES = [
    b'{"type":"identify","userId":"u\\u0000\\ud800","traits":{"a":NaN,"b":"<script>alert(1)</script>"}}',
    b'"just a text"',
    b"[[[1]]]",
    b'{"type":"track","userId":"\xc3\xa9","properties":{"n":1e999,"a":' + b"[" * 100 + b"]" * 100 + b"}}",
]


def test_any_body_can_be_looked_into(told, engine, settings):
    """NUL, half a surrogate pair, NaN, markup, depth: shown, never run, never an error page."""
    for body in BODIES:
        support.receive(engine, told.source_id, [body])
        support.drain(engine, settings, told.source_id)
        page = told.page("/sources/SOURCE/events")
        page = told.page(page.select_one(".event-link")["href"])
        assert page.select("pre")
        assert not [script for script in page.select("script") if "alert" in script.text]


def test_an_event_that_is_not_there_is_not_found(told):
    """Retention may have dropped it, or it never was."""
    for number in ("0", "999999", "99999999999999999999999"):
        assert told.client.get(f"/sources/{told.id}/events/{number}").status_code == 404


def test_an_event_of_another_source_is_not_found(told, engine):
    """An address names its source, and gives nothing of another."""
    with begin(engine) as connection:
        other = factories.source(connection, "Other")
        event_id = factories.event(connection, other)
    assert told.client.get(f"/sources/{told.id}/events/{event_id}").status_code == 404


def test_people_who_wait_are_listed_with_what_is_known_of_them(told):
    """Nothing of what they said is lost, and here one sees it."""
    page = told.page("/sources/SOURCE/waiting")
    assert texts(page, "h2") == ["1 person waits for a company"]
    assert texts(page, "tbody .identity__name") == ["Bob"]
    assert texts(page, "tbody td")[:2] == ["bob@mail.example", "colour blue"]


def test_nobody_waits_under_the_other_policy(told, engine):
    """Who is imported does not wait."""
    with begin(engine) as connection:
        connection.execute(update(Source).values(applied_policy="user"))
    assert texts(told.page("/sources/SOURCE/waiting"), ".empty__title") == ["Nobody waits"]


def test_outcomes_of_a_large_inbox_are_estimated_from_a_sample(told, engine, monkeypatch):
    """A number on a page never costs the reading of a whole inbox."""
    with Session(engine) as session:
        source = session.get_one(Source, told.source_id)
        exact = event_list.counts(session, source)
        monkeypatch.setattr(counting, "LOOKED_AT", 3)
        about = event_list.counts(session, source)
    assert {kind for kind, number in about.items() if number.exact} == {"pending", "parked", "duplicates"}
    assert not [kind for kind, number in exact.items() if not number.exact]
    # Of so few events the sample is all of them.
    assert {kind: number.number for kind, number in about.items()} == {
        kind: number.number for kind, number in exact.items()
    }


def test_parked_events_are_found_by_their_small_index(told, engine):
    """Whoever has the page open asks for their number every five seconds, whatever an inbox holds."""
    with Session(engine) as session:
        source = session.get_one(Source, told.source_id)
        statement = select(Event.id).where(event_list.parked(source)).order_by(Event.id.desc()).limit(51)
        compiled = statement.compile(engine, compile_kwargs={"literal_binds": True})
        how = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        if engine.dialect.name == "postgresql":  # so few it would rather read whole
            session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = " ".join(str(row) for row in session.execute(text(f"{how} {compiled}")))
    assert "ix_events_parked" in plan
