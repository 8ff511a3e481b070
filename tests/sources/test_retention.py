"""How long raw events are kept: the form, what it says it costs, and what is then erased."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from tests import factories
from tests.people import post, signed_in
from tests.sources.support import add_source, change, fill, key, row, soup, text
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Contact, Customer, Event, Sync, now
from webapp.services import retention, sources, syncs, upkeep

DAY = 86_400_000_000
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def filled(app, engine, settings):
    """Public id of a source whose three events are forty days old."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id)
    with begin(engine) as connection:
        connection.execute(Event.__table__.update().values(received_at=now() - 40 * DAY))
    return public_id


def number(engine, model):
    """How many rows there are."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(model))


def test_old_events_of_a_source_go_when_it_says_so_and_what_they_told_stays(app, engine, settings, filled):
    """By default everything is kept; a number of days erases what is older, and no customer or contact."""
    other, _ = add_source(app, "Other")
    other_id = key(app, other)
    with begin(engine) as connection:
        factories.event(connection, other_id, received_at=now() - 400 * DAY)
    before = number(engine, Customer), number(engine, Contact)
    assert upkeep.drop_old(engine, settings) == 0
    client, path = signed_in(app), f"/sources/{filled}/retention"
    answer = post(client, path, path, keep="days", days="30", understood="1")
    assert answer.location == f"/sources/{filled}/settings#retention"
    assert upkeep.drop_old(engine, settings) == 3
    assert number(engine, Event) == 1
    assert (number(engine, Customer), number(engine, Contact)) == before
    page = soup(client.get(f"/sources/{filled}/settings"))
    assert "cannot be rebuilt" in page.select_one("#retention").text
    lines = soup(client.get("/audit-log")).text
    assert "chose to keep raw events of Production for 30 days" in " ".join(lines.split())


@ONE_DATABASE
@pytest.mark.parametrize(
    ("typed", "where", "said"),
    [
        ({"keep": "days", "days": "30"}, "#retention .field__error", "cannot be brought back"),
        ({"keep": "days", "days": "x", "understood": "1"}, "#retention-days-error", "whole number"),
        ({"keep": "days", "days": "0", "understood": "1"}, "#retention-days-error", "from 1 to 36,500"),
        ({"keep": "never"}, "#keep-error", "one of the two"),
    ],
)
def test_a_choice_that_cannot_be_kept_changes_nothing(app, filled, typed, where, said):
    """The form comes back with what was typed, and says what is wrong."""
    client, path = signed_in(app), f"/sources/{filled}/retention"
    answer = post(client, path, path, **typed)
    assert answer.status_code == 422
    page = soup(answer)
    assert said in text(page, where)
    assert page.select_one("#retention-days")["value"] == typed.get("days", "")
    assert row(app, filled).retention_days is None


@ONE_DATABASE
def test_the_form_says_what_it_costs(app, filled):
    """No rebuild, no list, no sight of what an event said: before, not after."""
    said = text(soup(signed_in(app).get(f"/sources/{filled}/settings")), "#retention")
    assert "a rebuild is refused" in said
    assert "Customers and contacts keep what events told" in said
    assert "0 events are older than 90 days now" in said


@ONE_DATABASE
def test_the_installation_has_the_last_word(app, engine, settings, filled):
    """RETENTION_DAYS limits every source: fewer days are a source's choice, more are not."""
    limited = replace(settings, retention_days=60)
    assert [retention.days(own, limited) for own in (None, 30, 60, 90)] == [60, 30, 60, 60]
    assert [retention.days(own, settings) for own in (None, 30)] == [0, 30]
    with app.app_context():
        session = db.session()
        source = sources.find(session, filled)
        with pytest.raises(sources.Refused, match="60 days at most"):
            retention.choose(session, limited, source, 90)
        assert retention.choose(session, limited, source, 20)
        assert not retention.choose(session, limited, source, 20)


def test_nothing_is_dropped_from_under_a_rebuild(app, engine, settings, filled):
    """A rebuild that has begun gets every event that was there, and retention comes after it."""
    source_id = key(app, filled)
    change(engine, source_id, retention_days=30)
    columns = {"kind": "rebuild", "policy": "user", "previous_policy": "user", "source_id": source_id}
    with begin(engine) as connection:
        sync = factories.make(connection, Sync, created_at=now(), result={}, **columns)
    assert upkeep.drop_old(engine, settings) == 0
    syncs.run(engine, sync, settings=settings)
    assert upkeep.drop_old(engine, settings) == 3
