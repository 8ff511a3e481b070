"""What a worker does. Each task takes one id, calls one service, and may be run twice or by two at once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import structlog
from sqlalchemy import Engine, event

from jobs import queue
from webapp.config import Settings
from webapp.database import make_engine
from webapp.services import projection, syncs
from webapp.services.automations import runs, working
from webapp.services.billing import reading
from webapp.services.imports import running as imports
from webapp.services.momentum import Momentum

# Seconds after which a drain makes way for the next source and queues up again.
SLICE = 2.0
FROZEN_AFTER = 15  # seconds in which a transaction asks nothing of PostgreSQL
CACHE = 32 * 1024  # KiB of SQLite's pages


class Stop:
    """Set when this process is asked to stop; what runs then ends with its present batch.

    A flag and no `threading.Event`: a signal may come while the main thread holds that one's lock.
    """

    def __init__(self) -> None:
        self._asked = False

    def set(self) -> None:
        """Ask."""
        self._asked = True

    def clear(self) -> None:
        """Take it back, in a process that was forked."""
        self._asked = False

    def is_set(self) -> bool:
        """Whether somebody asked."""
        return self._asked

    def wait(self, seconds: float) -> None:
        """Sleep for so long, or until somebody asks."""
        end = time.monotonic() + seconds
        while not self._asked and time.monotonic() < end:
            time.sleep(0.1)


stopping = Stop()

log = structlog.get_logger()


class TaskFailed(Exception):
    """A task failed. Its own error stays out of the queue, since it may quote what people told."""


def drain(source_id: int) -> None:
    """Project what waits in a source's inbox."""
    settings, engine = _process(os.getpid())
    bell = queue.bell(settings.redis_url)
    bell.answered(queue.DRAIN, source_id)
    with _reported("drain", source_id, bell):
        if drain_for(SLICE, engine, source_id, settings, bell, _momentum(engine)):
            bell.ring(source_id)
        if working.waits(engine):
            bell.match()


def match(_everything: int) -> None:
    """Let the automations look at what changed."""
    settings, engine = _process(os.getpid())
    bell = queue.bell(settings.redis_url)
    bell.answered(queue.MATCH, queue.EVERYTHING)
    with _reported("match", queue.EVERYTHING, bell):
        stop = Deadline(SLICE)
        working.work_off(engine, stop=stop)
        if stop.passed:
            bell.match()


def run_automation(run_id: int) -> None:
    """Take up an automation's pass over everything where it was left; other long work need not wait."""
    settings, engine = _process(os.getpid())
    bell = queue.bell(settings.redis_url)
    bell.answered(queue.RUN, run_id)
    with _reported("automation", run_id, bell):
        give_way = GiveWay(bell)
        runs.run(engine, run_id, stop=give_way)
        if give_way.asked:
            bell.automate(run_id)


def sync(sync_id: int) -> None:
    """Take up a re-sync, a rebuild or a deletion where it was left."""
    settings, engine = _process(os.getpid())
    bell = queue.bell(settings.redis_url)
    bell.answered(queue.SYNC, sync_id)
    with _reported("sync", sync_id, bell):
        give_way = GiveWay(bell)
        syncs.run(engine, sync_id, settings=settings, stop=stopping.is_set, give_way=give_way)
        if give_way.asked:
            bell.start(sync_id)


def read_file(file_id: int) -> None:
    """Take up an uploaded billing file where it was left; other long work need not wait for its end."""
    settings, engine = _process(os.getpid())
    bell = queue.bell(settings.redis_url)
    bell.answered(queue.READ, file_id)
    with _reported("file", file_id, bell):
        give_way = GiveWay(bell)
        reading.run(engine, file_id, settings=settings, stop=give_way)
        if give_way.asked:
            bell.read_file(file_id)
        if working.waits(engine):
            bell.match()


def run_import(import_id: int) -> None:
    """Take up an import of existing data where it was left; other long work need not wait for its end."""
    settings, engine = _process(os.getpid())
    bell = queue.bell(settings.redis_url)
    bell.answered(queue.IMPORT, import_id)
    with _reported("import", import_id, bell):
        give_way = GiveWay(bell)
        imports.run(engine, import_id, settings=settings, stop=give_way, ring=bell.ring)
        if give_way.asked:
            bell.take_in(import_id)


def drain_for(
    seconds: float,
    engine: Engine,
    source_id: int,
    settings: Settings,
    bell: queue.Bell,
    momentum: Momentum | None = None,
) -> bool:
    """Drain a source for so many seconds at most.

    Returns:
        Whether the time was over before the inbox was empty.
    """
    stop = Deadline(seconds)
    drained = projection.drain(engine, source_id, settings=settings, stop=stop, momentum=momentum)
    if drained.total:
        bell.count("drained", **asdict(drained))
    return stop.passed


class Deadline:
    """Says stop when its time is over, and remembers that it did."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self.passed = False

    def __call__(self) -> bool:
        self.passed = stopping.is_set() or time.monotonic() >= self._end
        return self.passed


class GiveWay:
    """Says stop when other long work waits for the one worker, and remembers that it did."""

    def __init__(self, bell: queue.Bell) -> None:
        self._bell = bell
        self._looked_at = time.monotonic()
        self.asked = False

    def __call__(self) -> bool:
        if stopping.is_set():
            return True
        if time.monotonic() - self._looked_at >= SLICE:
            self._looked_at = time.monotonic()
            self.asked = self._bell.lengths().get(queue.SYNCS, 0) > 0
        return self.asked


@lru_cache(maxsize=1)
def _process(_pid: int) -> tuple[Settings, Engine]:
    """Settings and engine of this process; a forked one makes its own, since connections cannot be shared."""
    settings = Settings.from_env()
    return settings, working_engine(settings)


@lru_cache(maxsize=1)
def _momentum(_engine: Engine) -> Momentum:
    """What one slice of this process's drains hands on to the next."""
    return Momentum()


def working_engine(settings: Settings) -> Engine:
    """An engine for work under locks: PostgreSQL ends a transaction in which nothing moves any more.

    A worker freezes with its machine, or its network goes, in the middle of one; what it had locked would
    keep everybody else out for as long.
    Of SQLite's pages a worker keeps half as many as others do: it is no slower by that.
    """
    engine = make_engine(settings)
    is_server = engine.dialect.name == "postgresql"
    event.listen(engine, "connect", _end_when_frozen if is_server else _keep_few_pages)
    return engine


def _end_when_frozen(connection: Any, _record: Any) -> None:
    connection.execute(f"SET idle_in_transaction_session_timeout = '{FROZEN_AFTER}s'")
    connection.commit()


def _keep_few_pages(connection: Any, _record: Any) -> None:
    connection.execute(f"PRAGMA cache_size = -{CACHE}")


@contextmanager
def _reported(task: str, row_id: int, bell: queue.Bell) -> Iterator[None]:
    outcome = "failed"
    try:
        yield
        outcome = "done"
    except Exception as error:
        log.exception("task.failed", task=task, id=row_id, error=type(error).__name__)
        raise TaskFailed(type(error).__name__) from None
    finally:
        bell.count("jobs", **{f"{task}_{outcome}": 1})
