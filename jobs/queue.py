"""The queue: a doorbell that wakes a worker, and a breaker for when nobody hears it.

What waits is in the database. The queue only says so sooner than the sweeper would, so whatever goes wrong
here costs at most time: 0.3 s once, then the breaker is open and nothing is tried for a while.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

import redis
import structlog
from redis.backoff import NoBackoff
from redis.retry import Retry
from rq import Queue
from rq.exceptions import DeserializationError
from rq.job import Job
from rq.serializers import JSONSerializer
from rq.utils import import_attribute

EVENTS, SYNCS = "tributary-events", "tributary-syncs"
DRAIN, SYNC, IMPORT = "jobs.tasks.drain", "jobs.tasks.sync", "jobs.tasks.run_import"
MATCH, RUN = "jobs.tasks.match", "jobs.tasks.run_automation"
READ = "jobs.tasks.read_file"
# The only functions that a worker runs, and the queue that each waits in. Long work has a queue of its own,
# so that events never wait behind a re-sync.
ALLOWED = {DRAIN: EVENTS, MATCH: EVENTS, SYNC: SYNCS, IMPORT: SYNCS, RUN: SYNCS, READ: SYNCS}
_TIMEOUTS = {
    DRAIN: 600,
    MATCH: 600,
    SYNC: 86_400,
    IMPORT: 86_400,
    RUN: 86_400,
    READ: 86_400,
}  # seconds after which a job is ended as hung
EVERYTHING = 0  # the id of a task that is about no single row

SECONDS = 0.3  # the most that a queue that is down or silent costs
PAUSE = 5.0  # seconds for which the breaker stays open
FLAG_SECONDS = 10  # for which one wake-up keeps further ones out, until its task begins
ALIVE_SECONDS = 120  # for which a program counts as alive after a beat
_FAILED_SECONDS = 3600  # for which a failed job can be looked at

log = structlog.get_logger()


class ForbiddenJob(Exception):
    """The queue holds a job for a function that is not ours to run; it was not run."""


class AllowedJob(Job):
    """A job that runs a function of `ALLOWED` with one id, or fails without running anything.

    Whoever can write to the queue's server could otherwise have a worker call any function that is installed.
    """

    @property
    def func(self) -> Callable[[int], None]:
        """The function to run.

        Raises:
            ForbiddenJob: the job names another, or does not carry exactly one id.
        """
        try:
            name, args, kwargs, instance = self.func_name, self.args, self.kwargs, self.instance
        except DeserializationError:
            raise ForbiddenJob("the job cannot be read") from None
        one_id = isinstance(args, list) and len(args) == 1 and type(args[0]) is int
        if name not in ALLOWED or not one_id or kwargs or instance:
            raise ForbiddenJob("the job is not one of ours")
        found: Callable[[int], None] = import_attribute(name)
        return found

    def get_call_string(self) -> str | None:
        """Nothing: what a foreign job carries belongs in no log."""
        return None

    @property
    def success_callback(self) -> None:
        """None: jobs have no callbacks here."""

    @property
    def failure_callback(self) -> None:
        """None: jobs have no callbacks here."""

    @property
    def stopped_callback(self) -> None:
        """None: jobs have no callbacks here."""

    def send_webhooks(self, *_args: Any, **_kwargs: Any) -> None:
        """Nothing: jobs call nobody."""


def connect(url: str, seconds: float | None = SECONDS) -> redis.Redis:
    """A client that gives up soon and tries nothing twice.

    Args:
        url: of the queue's server.
        seconds: to wait for it; None as long as a worker waits for its next job.
    """
    return redis.Redis.from_url(
        url, socket_connect_timeout=SECONDS, socket_timeout=seconds, retry=Retry(NoBackoff(), 0)
    )


def queue(name: str, connection: redis.Redis) -> Queue:
    """One of the two queues."""
    return Queue(name, connection=connection, job_class=AllowedJob, serializer=JSONSerializer)


def flag(task: str, row_id: int) -> str:
    """The key that says that this task is queued already for this row."""
    return f"tributary:rung:{task}:{row_id}"


def alive(name: str) -> str:
    """The key that says that a program lives, for as long as `ALIVE_SECONDS` after each of its beats."""
    return f"tributary:alive:{name}"


class Bell:
    """Wakes workers. Safe to share between threads."""

    def __init__(self, url: str | None) -> None:
        """Args:
        url: of the queue's server; None where there is none, and all is left to the sweeper.
        """
        self._connection = connect(url) if url else None
        self._open_until = 0.0
        self._trying = threading.Lock()
        self._was_away = False

    @property
    def is_open(self) -> bool:
        """Whether the queue is known to be away, so that nobody hears."""
        return self._connection is None or time.monotonic() < self._open_until

    def ring(self, source_id: int) -> bool:
        """Wake a worker for a source, unless a wake-up is queued already; whether one is."""
        return self._try(lambda connection: _ring(connection, DRAIN, source_id))

    def start(self, sync_id: int) -> bool:
        """Have a worker take up long work; whether that is queued."""
        return self._try(lambda connection: _ring(connection, SYNC, sync_id))

    def take_in(self, import_id: int) -> bool:
        """Have a worker take up an import; whether that is queued."""
        return self._try(lambda connection: _ring(connection, IMPORT, import_id))

    def match(self) -> bool:
        """Have a worker let the automations look at what changed; whether that is queued."""
        return self._try(lambda connection: _ring(connection, MATCH, EVERYTHING))

    def automate(self, run_id: int) -> bool:
        """Have a worker take up an automation's pass over everything; whether that is queued."""
        return self._try(lambda connection: _ring(connection, RUN, run_id))

    def read_file(self, file_id: int) -> bool:
        """Have a worker take up an uploaded billing file; whether that is queued."""
        return self._try(lambda connection: _ring(connection, READ, file_id))

    def answered(self, task: str, row_id: int) -> None:
        """Take the flag down: what comes from now on needs a wake-up of its own."""
        self._try(lambda connection: connection.delete(flag(task, row_id)))

    def beat(self, name: str) -> None:
        """Say that a program lives, for `flask doctor`."""
        self._try(lambda connection: connection.set(alive(name), 1, ex=ALIVE_SECONDS))

    def count(self, name: str, **counts: int) -> None:
        """Add to counters that all processes share, for the metrics; lost with the queue's server."""

        def add(connection: redis.Redis) -> None:
            with connection.pipeline(transaction=False) as pipeline:
                for key, number in counts.items():
                    pipeline.hincrby(f"tributary:count:{name}", key, number)
                pipeline.execute()

        self._try(add)

    def counts(self, name: str) -> dict[str, int]:
        """Counters that `count` added up; none while the queue is away."""
        found: dict[str, int] = {}

        def read(connection: redis.Redis) -> None:
            stored: Any = connection.hgetall(f"tributary:count:{name}")
            found.update({key.decode(): int(value) for key, value in stored.items()})

        self._try(read)
        return found

    def lengths(self) -> dict[str, int]:
        """How many jobs wait, per queue; empty while the queue is away."""
        found: dict[str, int] = {}
        self._try(lambda connection: found.update({n: queue(n, connection).count for n in (EVENTS, SYNCS)}))
        return found

    def hears(self) -> bool:
        """Whether the queue's server answers now."""
        return self._try(lambda connection: connection.ping())

    def _try(self, act: Callable[[redis.Redis], Any]) -> bool:
        # One at a time: when the server is silent one caller finds out, and the others find the breaker open.
        if self._connection is None or self.is_open or not self._trying.acquire(timeout=SECONDS):
            return False
        try:
            if time.monotonic() < self._open_until:
                return False
            act(self._connection)
            if self._was_away:
                self._was_away = False
                log.info("queue.is_back")
            return True
        except redis.RedisError as error:
            self._open_until = time.monotonic() + PAUSE
            if not self._was_away:
                self._was_away = True
                log.warning("queue.unavailable", error=type(error).__name__, tried_every_seconds=PAUSE)
            return False
        finally:
            self._trying.release()


@lru_cache(maxsize=8)
def bell(url: str | None) -> Bell:
    """The bell of this process for a queue's server; its breaker is shared by all who ring it."""
    return Bell(url)


class Ringer:
    """Rings on a thread of its own, so that who stores events never waits for the queue."""

    def __init__(self, rung: Bell) -> None:
        self._bell = rung
        self._changed = threading.Condition()
        self._sources: set[int] = set()
        self._thread: threading.Thread | None = None

    def __call__(self, source_ids: Iterable[int]) -> None:
        """Ring soon for these sources; returns at once."""
        with self._changed:
            self._sources.update(source_ids)
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="ringer", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._sources:
                    self._changed.wait()
                source_id = self._sources.pop()
            if not self._bell.ring(source_id):
                # The sweeper will find it if this process ends before the queue is back.
                with self._changed:
                    self._sources.add(source_id)
                time.sleep(1.0)


def _ring(connection: redis.Redis, task: str, row_id: int) -> None:
    if not connection.set(flag(task, row_id), 1, nx=True, ex=FLAG_SECONDS):
        return
    waiting = queue(ALLOWED[task], connection)
    # The flag falls while a wake-up waits behind long work. Each one more would have its turn, too.
    begins = f"{task.rpartition('.')[2]}-{row_id}-"
    if not any(job_id.startswith(begins) for job_id in waiting.get_job_ids()):
        waiting.enqueue_call(
            task,
            args=[row_id],
            job_id=f"{begins}{uuid.uuid4().hex}",
            timeout=_TIMEOUTS[task],
            result_ttl=0,
            failure_ttl=_FAILED_SECONDS,
            description=task,
        )
