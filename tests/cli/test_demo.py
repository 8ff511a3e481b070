"""`flask demo`, and the events that it is made of."""

import json
from collections import Counter

import pytest
from sqlalchemy import func, select

from tests import factories
from webapp.database import begin
from webapp.domain import digests, segment, wire
from webapp.models import Contact, Customer, Event, Source
from webapp.models.event import APPLIED, IGNORED
from webapp.services import attributes, demo_events

UNTIL = 1_790_035_200_000_000


def run(app, *options):
    """Run the command; its result."""
    return app.test_cli_runner().invoke(args=["demo", *options])


def counts(engine):
    """(events, customers, contacts)."""
    with engine.connect() as connection:
        return [
            connection.scalar(select(func.count()).select_from(model)) for model in (Event, Customer, Contact)
        ]


def test_a_demo_fills_a_source_and_a_second_run_adds_nothing(app, engine):
    """Whoever is not sure whether it worked runs it again without harm."""
    first = run(app)
    assert first.exit_code == 0, first.output
    events, customers, contacts = counts(engine)
    assert events > 2000
    assert customers > 200
    assert contacts > 500
    with engine.connect() as connection:
        source = connection.execute(select(Source.__table__)).one()
        states = set(connection.scalars(select(Event.state)))
    assert f"/sources/ds_{source.uuid}" in first.output
    assert (source.name, source.last_event_at is not None) == ("Demo", True)
    assert states == {APPLIED, IGNORED}
    again = run(app)
    assert again.exit_code == 0
    assert "0 events stored" in again.output
    assert counts(engine) == [events, customers, contacts]


def test_a_demo_shows_attributes_of_every_type(app, engine):
    """Somebody who looks around sees what each type looks like, for customers and for contacts."""
    run(app)
    with engine.connect() as connection:
        for entity in ("customer", "contact"):
            types = set(attributes.types(connection, entity).values())
            assert types >= {"String", "Integer", "Decimal", "Timestamp", "Boolean"}, entity


def test_a_demo_never_mixes_with_a_source_that_has_events_of_its_own(app, engine):
    """A real source that happens to bear the name keeps its real people to itself."""
    with begin(engine) as connection:
        source_id = factories.source(connection, "demo")
        factories.event(connection, source_id)
    result = run(app)
    assert result.exit_code == 1
    assert "holds events of its own, so nothing was added" in result.output
    assert counts(engine)[0] == 1
    assert run(app, "--name", "Another").exit_code == 0


def test_the_same_seed_tells_the_same_story():
    """What somebody saw in a demo, somebody else can look at too."""
    assert demo_events.make(1, UNTIL) == demo_events.make(1, UNTIL)
    assert demo_events.make(1, UNTIL) != demo_events.make(2, UNTIL)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_demo_has_everything_that_a_real_stream_has(seed):
    """Both dialects, sign-ups, changes of company, exact repeats, junk: each has its place in the tables."""
    raw = demo_events.make(seed, UNTIL)
    bodies = [json.loads(body) for body in raw]
    types = Counter(body["type"] for body in bodies)
    assert types.keys() == {
        *("Send Contact", "Send Customer", "identify", "track", "group", "page", "screen", "alias")
    }
    assert len({digests.digest(body) for body in raw}) < len(raw)
    readings = [segment.read(wire.decode(body), UNTIL + 1) for body in raw]
    reasons = Counter(reading.reason for reading in readings)
    assert len(reasons) >= 3
    assert reasons[None] > 2000
    assert max(reading.time for reading in readings) <= UNTIL + 1
    of_user = {}
    for reading in readings:
        if reading.reason is None and reading.user_id and reading.group_id:
            of_user.setdefault(reading.user_id, set()).add(reading.group_id)
    assert sum(len(groups) > 1 for groups in of_user.values()) >= 5
