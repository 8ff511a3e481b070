"""The bell, its breaker, and what a worker may run."""

import pickle
import socket
from contextlib import suppress
from dataclasses import dataclass

import pytest
import redis

from jobs import queue, workers
from jobs.queue import AllowedJob, Bell, Ringer
from tests.webhook.conftest import at_once, eventually


@pytest.fixture
def connection(broker):
    """A client of the real queue."""
    with redis.Redis.from_url(broker) as client:
        yield client


@dataclass
class Silent:
    """A server that takes connections and never says a word."""

    listener: socket.socket

    @property
    def url(self):
        """Where it listens."""
        return f"redis://127.0.0.1:{self.listener.getsockname()[1]}"

    def callers(self):
        """How many have connected since this was asked last."""
        self.listener.setblocking(False)
        found = 0
        with suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()
                found += 1
        return found


@pytest.fixture
def silent():
    """A queue's server that answers nobody."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(50)
        yield Silent(listener)


def jobs(connection, name=queue.EVENTS):
    """The jobs that wait in a queue, as (function, arguments)."""
    return [(job.func_name, job.args) for job in queue.queue(name, connection).jobs]


@pytest.fixture(params=workers.QUEUES)
def worker(request, broker):
    """Which of the product's workers is meant."""
    return Worker(request.param, broker)


@dataclass
class Worker:
    """A worker as the product makes it, and the queue that it takes jobs from."""

    name: str
    url: str

    def queue(self, connection):
        """Where its jobs wait."""
        return queue.queue(workers.QUEUES[self.name], connection)

    def run_all(self, connection):
        """Have it run what is queued; the errors of what failed."""
        made = workers.make(self.name, self.url)
        with made.connection:
            made.work(burst=True, logging_level="CRITICAL")
        waiting = self.queue(connection)
        assert not waiting.count
        failed = waiting.failed_job_registry.get_job_ids()
        found = [
            AllowedJob.fetch(job_id, connection, queue.JSONSerializer).latest_result() for job_id in failed
        ]
        return [result.exc_string if result else "" for result in found]


def test_a_source_is_rung_for_once_until_somebody_answers(bell, connection):
    """A burst of a thousand events queues one job, not a thousand."""
    for _ in range(5):
        assert bell.ring(7)
    assert bell.ring(8)
    assert jobs(connection) == [("jobs.tasks.drain", [7]), ("jobs.tasks.drain", [8])]
    queue.queue(queue.EVENTS, connection).pop_job_id()  # a worker takes the first
    bell.answered(queue.DRAIN, 7)
    assert bell.ring(7)
    assert jobs(connection) == [("jobs.tasks.drain", [8]), ("jobs.tasks.drain", [7])]


def test_what_waits_behind_long_work_waits_once(bell, connection):
    """The sweeper rings for it again and again; each wake-up more would have its turn, before what is new."""
    for _ in range(3):
        assert bell.take_in(4)
        assert bell.take_in(44)
        connection.delete(queue.flag(queue.IMPORT, 4), queue.flag(queue.IMPORT, 44))  # its time is over
    assert jobs(connection, queue.SYNCS) == [("jobs.tasks.run_import", [4]), ("jobs.tasks.run_import", [44])]


def test_long_work_waits_in_a_queue_of_its_own(bell, connection):
    """Events never stand behind a re-sync."""
    assert bell.start(3)
    assert bell.start(3)
    assert jobs(connection) == []
    assert jobs(connection, queue.SYNCS) == [("jobs.tasks.sync", [3])]


def test_a_flag_whose_wake_up_was_lost_falls_by_itself(bell, connection):
    """A queue that was emptied in between is rung again before the sweeper's next round."""
    bell.ring(7)
    assert 0 < connection.ttl(queue.flag(queue.DRAIN, 7)) < 15


FOREIGN = (
    "os.system",
    "jobs.tasks.stopping.set",
    "jobs.queue.connect",
    "builtins.exec",
    "jobs.tasks.drain_for",
)
NO_ID = [([], {}), ([1, 2], {}), (["1"], {}), ([True], {}), ([[1]], {}), ([1], {"x": 1}), ([None], {})]


def test_a_job_for_any_other_function_fails_without_being_run(worker, connection, tmp_path):
    """Whoever can write to the queue's server cannot make a worker do as they please."""
    for name in FOREIGN:
        trace = tmp_path / name
        argument = f"touch {trace}" if name == "os.system" else f"open({str(trace)!r}, 'w')"
        worker.queue(connection).enqueue_call(name, args=[argument])
    errors = worker.run_all(connection)
    assert ["ForbiddenJob" in error for error in errors] == [True] * len(FOREIGN)
    assert not list(tmp_path.iterdir())


def test_a_job_carries_one_id_and_nothing_else(worker, connection):
    """What a task is given is a number of a row, never something to work on."""
    for args, kwargs in NO_ID:
        worker.queue(connection).enqueue_call("jobs.tasks.drain", args=args, kwargs=kwargs)
    errors = worker.run_all(connection)
    assert ["ForbiddenJob" in error for error in errors] == [True] * len(NO_ID)


def test_a_pickled_job_is_not_unpickled(worker, connection, tmp_path):
    """Python's pickles run code while they are read; nobody reads one here."""

    class Trap:
        def __reduce__(self):
            return open, (str(tmp_path / "trace"), "w")

    job = worker.queue(connection).enqueue_call("jobs.tasks.drain", args=[1])
    connection.hset(job.key, "data", pickle.dumps(("jobs.tasks.drain", None, (Trap(),), {})))
    [error] = worker.run_all(connection)
    assert "DeserializationError" in error
    assert not (tmp_path / "trace").exists()


def test_callbacks_of_a_job_are_not_called(worker, connection):
    """A callback is a function of somebody's choice too."""
    job = worker.queue(connection).enqueue_call("os.getpid", args=[1])
    connection.hset(job.key, mapping={"failure_callback_name": "jobs.nothing.there", "webhooks": "[{}]"})
    [error] = worker.run_all(connection)
    assert "ForbiddenJob" in error
    assert "jobs.nothing" not in error


def test_a_silent_queue_is_waited_for_once(silent):
    """The first caller finds out, and then nobody asks the queue for a while."""
    bell = Bell(silent.url)
    assert not bell.ring(1)
    assert silent.callers() == 1
    assert not any([bell.ring(2), bell.start(3), bell.counts("jobs"), bell.lengths(), bell.hears()])
    assert silent.callers() == 0
    assert bell.is_open


@pytest.mark.parametrize("url", ["redis://127.0.0.1:1", "unix:///nowhere/x.sock"])
def test_a_queue_that_is_away_is_no_error(url):
    """Whoever rings is told that nobody hears."""
    bell = Bell(url)
    assert not bell.ring(1)
    assert bell.is_open


def test_threads_that_ring_a_silent_queue_at_once_wait_together(silent):
    """Thirty-two requests do not wait one after the other."""
    bell = Bell(silent.url)
    at_once(*(lambda number=number: bell.ring(number) for number in range(32)))
    assert silent.callers() == 1


def test_without_a_queue_nothing_is_tried():
    """An installation without a queue is served by the sweeper alone."""
    bell = Bell(None)
    assert bell.is_open
    assert not bell.ring(1)


def test_the_ringer_returns_at_once_and_tries_again(silent, bell, connection):
    """A request never waits for the queue at all; the ringing happens beside it."""
    unheard = Bell(silent.url)
    unheard._connection = queue.connect(silent.url, seconds=30)
    Ringer(unheard)([1, 2, 3])
    assert not unheard.is_open  # it still waits for an answer
    Ringer(bell)([4, 5])
    assert eventually(lambda: sorted(args[0] for _, args in jobs(connection)) == [4, 5])


def test_counters_are_shared_by_all_processes(bell, broker):
    """What a worker counts, the web server can tell."""
    bell.count("jobs", drain_done=2)
    Bell(broker).count("jobs", drain_done=1, sync_failed=1)
    assert bell.counts("jobs") == {"drain_done": 3, "sync_failed": 1}
