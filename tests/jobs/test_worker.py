"""Real workers on a real queue: they drain, they are killed, they stop in order."""

import os
import signal
import subprocess
import time

import pytest
import redis

from jobs import broker as brokers
from jobs import queue, tasks
from jobs.queue import Bell
from tests import factories
from tests.jobs.conftest import add_events, all_drained, states, waiting_jobs
from tests.webhook.conftest import eventually
from webapp.database import begin
from webapp.models import Sync, now
from webapp.models.event import APPLIED, PENDING

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def source_id(engine):
    """A source."""
    with begin(engine) as connection:
        return factories.source(connection)


def listening(url):
    """Whether a worker for events has begun to wait for jobs."""
    with redis.Redis.from_url(url) as client:
        return eventually(lambda: client.scard(f"rq:workers:{queue.EVENTS}") > 0, 20)


def test_a_wake_up_drains_its_source(start, engine, source_id, bell, broker):
    """An event that is stored and rung for becomes a row; a ring that finds one waiting joins it."""
    start("jobs.worker", "events")
    assert listening(broker)
    for turn in range(5):
        add_events(engine, source_id, 3, first=turn * 3)
        assert bell.ring(source_id)
        assert all_drained(engine)
    assert states(engine) == {APPLIED: 15}
    counted = {"applied": 15, "ignored": 0, "parked": 0, "duplicates": 0}
    assert eventually(lambda: bell.counts("drained") == counted)
    assert eventually(lambda: not waiting_jobs(bell)[queue.EVENTS])
    assert set(bell.counts("jobs")) == {"drain_done"}


@ONE_DATABASE
def test_both_kinds_of_worker_run_under_one_command(start, engine, source_id, bell, queued):
    """`python -m jobs.worker` is all that a host needs, and it stops in order."""
    with begin(engine) as connection:
        sync_id = factories.make(
            connection,
            Sync,
            source_id=source_id,
            kind="resync",
            policy="user",
            previous_policy="user",
            created_at=now(),
            result={},
        )
    add_events(engine, source_id, 5)
    process = start("jobs.worker")
    # Both were there before the worker was: it looks for itself when it starts.
    assert all_drained(engine, 20)
    assert eventually(lambda: sync_state(engine, sync_id) == "done", 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def sync_state(engine, sync_id):
    """The state of long work."""
    with engine.connect() as connection:
        return connection.execute(Sync.__table__.select().where(Sync.id == sync_id)).one().state


def test_a_worker_killed_in_the_middle_loses_nothing(start, engine, source_id, bell):
    """What it had not committed is pending as before, and the next worker takes it up by itself."""
    add_events(engine, source_id, 3000)
    first = start("jobs.worker", "events")
    assert eventually(lambda: 0 < states(engine).get(PENDING, 0) < 3000, 20)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert sum(states(engine).values()) == 3000
    start("jobs.worker", "events")
    assert all_drained(engine, 40)
    assert states(engine) == {APPLIED: 3000}


@ONE_DATABASE
def test_a_worker_that_is_told_to_stop_finishes_its_batch(start, engine, source_id, bell):
    """An orderly stop comes soon, with nothing half done, though much still waits."""
    add_events(engine, source_id, 4000)
    process = start("jobs.worker", "events")
    assert eventually(lambda: 0 < states(engine).get(PENDING, 0) < 4000, 20)
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=15) == 0
    assert states(engine)[PENDING] > 0


@pytest.fixture
def in_this_process(engine, broker, monkeypatch):
    """Tasks run in this process, on the test's database and queue."""

    def use(database_url):
        monkeypatch.setenv("DATABASE_URL", database_url)
        monkeypatch.setenv("REDIS_URL", broker)
        tasks._process.cache_clear()

    use(engine.url.render_as_string(hide_password=False))
    yield use
    used = tasks._process(os.getpid())[1]
    tasks._momentum(used).end()
    used.dispose()
    tasks._process.cache_clear()


def test_a_long_backlog_makes_way_for_another_source(
    in_this_process, engine, source_id, bell, broker, monkeypatch
):
    """Whoever sends a million events does not hold up the others: a drain takes turns."""
    add_events(engine, source_id, 1000)
    with begin(engine) as connection:
        other = factories.source(connection, "Other")
    bell.ring(other)
    monkeypatch.setattr(tasks, "SLICE", 0.01)
    tasks.drain(source_id)
    assert 0 < states(engine)[PENDING] < 1000
    with redis.Redis.from_url(broker) as client:
        waiting = [job.args[0] for job in queue.queue(queue.EVENTS, client).jobs]
    assert waiting == [other, source_id]


def test_slices_of_a_backlog_go_on_as_they_were(in_this_process, engine, source_id, monkeypatch):
    """A worker does not begin anew with every slice: one process reads ahead for all, until nothing waits."""
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setattr(tasks, "SLICE", 0.01)
    add_events(engine, source_id, 3000)
    slices = 0
    while states(engine).get(PENDING):
        tasks.drain(source_id)
        slices += 1
    tasks.drain(source_id)
    assert slices > 1
    assert len(started) == 1
    assert started[0].returncode is not None
    assert states(engine) == {APPLIED: 3000}


@ONE_DATABASE
def test_a_worker_keeps_fewer_pages_of_the_database_than_others(engine, settings):
    """Its memory is counted; it keeps to all else that a connection has to, waiting for others above all."""
    working = tasks.working_engine(settings)
    asked = "PRAGMA cache_size", "PRAGMA busy_timeout", "PRAGMA synchronous", "PRAGMA journal_mode"
    with engine.connect() as usual, working.connect() as ours:
        (pages, *others), (fewer, *same) = (
            [connection.exec_driver_sql(question).scalar_one() for question in asked]
            for connection in (usual, ours)
        )
    working.dispose()
    assert pages < fewer < 0  # negative: in KiB
    assert same == others


@ONE_DATABASE
def test_a_failing_task_tells_its_kind_and_nothing_of_what_people_told(in_this_process, source_id, bell):
    """The queue's server keeps a failed job for an hour; no value of an event may stand in it."""
    in_this_process("sqlite:////nowhere/at/all.db")
    with pytest.raises(tasks.TaskFailed) as failed:
        tasks.drain(source_id)
    assert str(failed.value) == "OperationalError"
    assert failed.value.__suppress_context__
    assert bell.counts("jobs") == {"drain_failed": 1}


@ONE_DATABASE
def test_a_worker_without_a_queue_says_so(start):
    """The fix is one line away, not a traceback."""
    assert start("jobs.worker", "events", REDIS_URL="").wait(timeout=20) == 2


@ONE_DATABASE
def test_a_worker_outlives_its_queue(start, engine, source_id, tmp_path):
    """A queue's server that is restarted, empty, finds the same worker waiting."""
    folder = tmp_path / "queue"
    folder.mkdir()
    with brokers.running(folder) as url:
        process = start("jobs.worker", "events", REDIS_URL=url)
        assert listening(url)
        add_events(engine, source_id, 2)
        assert Bell(url).ring(source_id)
        assert all_drained(engine)
    add_events(engine, source_id, 2, first=10)
    time.sleep(1)
    with brokers.running(folder) as again:
        assert again == url
        assert Bell(url).ring(source_id)
        assert all_drained(engine, 20)
        assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=15) == 0
