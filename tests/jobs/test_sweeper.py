"""The sweeper: what was missed is found, what has expired is forgotten."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select

from jobs import queue
from jobs.queue import Bell
from jobs.sweeper import EVERY, EVERY_ALONE, Sweeper, sweep
from tests import factories
from tests.jobs.conftest import add_events, all_drained, states, waiting_jobs
from tests.webhook.conftest import eventually
from webapp.database import begin, make_engine
from webapp.models import Event, Invitation, Login, Source, Sync, User, now
from webapp.models.event import APPLIED, PARKED, PENDING
from webapp.services import upkeep

DAY = 86_400_000_000
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def sources(engine, **columns):
    """Three sources: one that works, one that is paused, one that is being deleted."""
    with begin(engine) as connection:
        return [
            factories.source(connection, "Works", **columns),
            factories.source(connection, "Paused", pause="keep"),
            factories.source(connection, "Going", state="deleting"),
        ]


def test_what_waits_is_rung_for(engine, queued, bell):
    """A wake-up that was lost costs some seconds, not an event; who is paused is left alone."""
    works, paused, going = sources(engine)
    for number, source_id in enumerate((works, paused, going)):
        add_events(engine, source_id, 2, first=number * 10)
    with begin(engine) as connection:
        sync = {"kind": "resync", "created_at": now(), "result": {}, "source_id": works}
        fresh = factories.make(connection, Sync, **sync)
        silent = factories.make(
            connection, Sync, **sync | {"state": "running", "heartbeat_at": now() - 60_000_000}
        )
        ahead = factories.make(  # given before the clock was set back, by whom nobody knows
            connection, Sync, **sync | {"state": "running", "heartbeat_at": now() + DAY}
        )
        factories.make(connection, Sync, **sync | {"state": "running", "heartbeat_at": now()})
        factories.make(connection, Sync, **sync | {"state": "done"})
    swept = sweep(engine, queued, bell)
    assert (swept.sources, swept.syncs, swept.alone) == (1, 3, False)
    assert waiting_jobs(bell) == {queue.EVENTS: [works], queue.SYNCS: [fresh, silent, ahead]}
    sweep(engine, queued, bell)
    assert waiting_jobs(bell) == {queue.EVENTS: [works], queue.SYNCS: [fresh, silent, ahead]}


def test_while_nobody_hears_the_sweeper_does_the_work(engine, settings):
    """A broken queue makes events come in later, never not at all."""
    works, paused, _ = sources(engine)
    add_events(engine, works, 5)
    add_events(engine, paused, 2, first=10)
    with begin(engine) as connection:
        sync = {"kind": "resync", "policy": "user", "previous_policy": "user", "source_id": works}
        sync_id = factories.make(connection, Sync, created_at=now(), result={}, **sync)
    sweeper = Sweeper(engine, settings, Bell("redis://127.0.0.1:1"))
    assert sweeper.round() == EVERY_ALONE
    assert states(engine) == {APPLIED: 5, PENDING: 2}
    with engine.connect() as connection:
        assert connection.scalar(select(Sync.state).where(Sync.id == sync_id)) == "done"


@ONE_DATABASE
def test_a_queue_that_comes_back_is_used_again(engine, queued, bell, capsys):
    """The sweeper steps back as soon as workers hear the bell."""
    works, *_ = sources(engine)
    sweeper = Sweeper(engine, queued, Bell(None))
    assert sweeper.round() == EVERY_ALONE
    sweeper._bell = bell
    add_events(engine, works, 1)
    assert sweeper.round() == EVERY
    assert waiting_jobs(bell)[queue.EVENTS] == [works]


@ONE_DATABASE
def test_a_database_that_is_away_does_not_end_the_sweeper(settings, tmp_path):
    """It tries again at its next round."""
    engine = make_engine(replace(settings, database_url=f"sqlite:///{tmp_path}/nowhere/x.db"))
    assert Sweeper(engine, settings, Bell(None)).round() > 0
    engine.dispose()


def test_expired_sessions_and_links_are_forgotten(engine, settings):
    """A session that nobody used for two weeks, and a link that has ended, leave no row."""
    with begin(engine) as connection:
        user = factories.make(
            connection,
            User,
            email="a@example.com",
            password_hash="x",
            role="viewer",
            created_at=now(),
            name="",
        )
        for days, digest in ((1, b"fresh"), (15, b"stale")):
            seen = now() - days * DAY
            instants = {"created_at": seen, "last_seen_at": seen, "confirmed_at": seen}
            factories.make(connection, Login, token_digest=digest, user_id=user, **instants)
        for end, digest in ((now() + DAY, b"fresh"), (now() - 1, b"stale")):
            factories.make(
                connection, Invitation, token_digest=digest, role="viewer", created_at=now(), expires_at=end
            )
    assert upkeep.forget_expired(engine, settings) == 2
    assert upkeep.forget_expired(engine, settings) == 0
    with engine.connect() as connection:
        for model in (Login, Invitation):
            assert list(connection.scalars(select(model.token_digest))) == [b"fresh"]


def test_retention_drops_what_is_old_and_done_in_small_steps(engine, settings, monkeypatch):
    """Old events go, those that still wait stay, and the source says since when its inbox is whole."""
    monkeypatch.setattr(upkeep, "STEP", 10)
    works, *_ = sources(engine)
    with begin(engine) as connection:
        for number in range(35):
            state = PENDING if number == 3 else PARKED if number == 4 else APPLIED
            factories.event(connection, works, b"%d" % number, received_at=now() - 40 * DAY, state=state)
        for number in range(35, 60):
            factories.event(connection, works, b"%d" % number, received_at=now() - 5 * DAY)
    assert upkeep.drop_old(engine, settings) == 0
    kept = replace(settings, retention_days=30)
    assert upkeep.drop_old(engine, kept) == 34
    assert upkeep.drop_old(engine, kept) == 0
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Event)) == 26
        before = connection.scalar(select(Source.dropped_before).where(Source.id == works))
    assert now() - 31 * DAY < before < now() - 29 * DAY


@ONE_DATABASE
def test_the_sweeper_runs_by_itself_and_stops_in_order(start, engine, queued, bell):
    """At its start it looks at once, and SIGTERM ends it."""
    works, *_ = sources(engine)
    add_events(engine, works, 3)
    process = start("jobs.sweeper")
    assert eventually(lambda: waiting_jobs(bell)[queue.EVENTS] == [works], 20)
    process.terminate()
    assert process.wait(timeout=10) == 0


@ONE_DATABASE
def test_without_a_queue_the_sweeper_alone_drains(start, engine):
    """`REDIS_URL` that leads nowhere is slow, and complete."""
    works, *_ = sources(engine)
    process = start("jobs.sweeper", REDIS_URL="redis://127.0.0.1:1")
    add_events(engine, works, 3)
    assert all_drained(engine, 20)
    process.terminate()
    assert process.wait(timeout=10) == 0
