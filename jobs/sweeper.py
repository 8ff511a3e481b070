"""The sweeper: `python -m jobs.sweeper` finds what was missed, every five seconds and at its start.

A wake-up may be lost with the queue's server, a worker with its machine; the database still says what waits.
While nobody hears the bell the sweeper does the work itself, more slowly, so that events still come in.
"""

from __future__ import annotations

import signal
import sys
import time
from dataclasses import dataclass

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from jobs import queue, tasks
from jobs.queue import Bell
from jobs.tending import Tender
from webapp import logs
from webapp.config import Settings
from webapp.services import packing, syncs, upkeep
from webapp.services.automations import runs, working
from webapp.services.billing import reading, uploads
from webapp.services.imports import files, running, turns

EVERY = 5.0  # seconds between two rounds
EVERY_ALONE = 2.0  # while the sweeper has to do the work itself
RETENTION_EVERY = 3600.0
SLICE = 5.0  # seconds for one source, or one piece of long work, before the next has its turn

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Swept:
    """What one round found.

    Attributes:
        sources: with events that waited.
        syncs: that nobody worked on, imports and passes of automations among them.
        alone: whether the work was done here, since nobody heard the bell.
    """

    sources: int
    syncs: int
    alone: bool


def sweep(engine: Engine, settings: Settings, bell: Bell) -> Swept:
    """One round: ring for everything that waits; what nobody hears is done here."""
    source_ids, sync_ids = upkeep.waiting(engine), syncs.stalled(engine)
    unheard = [source_id for source_id in source_ids if not bell.ring(source_id)]
    unstarted = [sync_id for sync_id in sync_ids if not bell.start(sync_id)]
    import_ids = turns.stalled(engine)
    untaken = [import_id for import_id in import_ids if not bell.take_in(import_id)]
    run_ids = runs.stalled(engine)
    unautomated = [run_id for run_id in run_ids if not bell.automate(run_id)]
    file_ids = uploads.stalled(engine)
    unread = [file_id for file_id in file_ids if not bell.read_file(file_id)]
    if matching := working.waits(engine):
        bell.match()
    alone = bell.is_open
    if alone:
        for source_id in unheard:
            tasks.drain_for(SLICE, engine, source_id, settings, bell)
        for sync_id in unstarted:
            syncs.run(engine, sync_id, settings=settings, stop=tasks.Deadline(SLICE))
        for import_id in untaken:
            running.run(engine, import_id, settings=settings, stop=tasks.Deadline(SLICE))
        for run_id in unautomated:
            runs.run(engine, run_id, stop=tasks.Deadline(SLICE))
        for file_id in unread:
            reading.run(engine, file_id, settings=settings, stop=tasks.Deadline(SLICE))
        if matching:
            working.work_off(engine, stop=tasks.Deadline(SLICE))
    return Swept(len(source_ids), len(sync_ids) + len(import_ids) + len(run_ids) + len(file_ids), alone)


class Sweeper:
    """Rounds, retention and tidying, until this process is asked to stop."""

    def __init__(self, engine: Engine, settings: Settings, bell: Bell) -> None:
        self._engine = engine
        self._settings = settings
        self._bell = bell
        self._tender = Tender(engine)
        self._retention_at = 0.0
        self._alone = False

    def round(self) -> float:
        """One round of everything; a trouble is logged and the next round tries again.

        Returns:
            Seconds until the next round.
        """
        try:
            self._bell.beat("sweeper")
            swept = sweep(self._engine, self._settings, self._bell)
            if swept.alone != self._alone:
                self._alone = swept.alone
                log.warning("sweeper.works_alone" if swept.alone else "sweeper.queue_is_back")
            upkeep.turn_subscriptions(self._engine)
            upkeep.forget_expired(self._engine, self._settings)
            files.tidy(self._engine, self._settings)
            self._tender.start()
            if time.monotonic() >= self._retention_at:
                dropped = upkeep.drop_old(self._engine, self._settings, tasks.stopping.is_set)
                packing.empty_log(self._engine)  # what a reader kept a deletion from emptying
                self._retention_at = time.monotonic() + RETENTION_EVERY
                if dropped:
                    log.info("sweeper.retention", events=dropped)
        except SQLAlchemyError as error:
            log.warning("sweeper.database_unavailable", error=type(error).__name__)
        except Exception as error:
            log.exception("sweeper.failed", error=type(error).__name__)
        return EVERY_ALONE if self._alone else EVERY


def main() -> int:
    """Sweep until SIGTERM.

    Returns:
        0 after an orderly stop.
    """
    logs.configure(is_program=True)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: tasks.stopping.set())
    settings = Settings.from_env()
    sweeper = Sweeper(tasks.working_engine(settings), settings, queue.bell(settings.redis_url))
    while not tasks.stopping.is_set():
        tasks.stopping.wait(sweeper.round())
    return 0


if __name__ == "__main__":
    sys.exit(main())
