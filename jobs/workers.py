"""What runs jobs: a worker for each of the two queues.

One for events runs jobs in its own warmed process: a drain begins a few milliseconds after its wake-up, which
a fork for each would not allow. A killed one loses nothing, since a drain's batch is one transaction and the
sweeper rings again. One for long work forks for each job, so that what a long one takes in memory goes with
it, and a hung one can be ended.
"""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

import redis
import structlog
from rq.worker import SimpleWorker, Worker
from rq.worker.base import StopRequested

from jobs import queue, tasks
from webapp import logs
from webapp.config import Settings
from webapp.database import make_engine
from webapp.services import syncs, upkeep
from webapp.services.automations import runs
from webapp.services.billing import uploads
from webapp.services.imports import turns

QUEUES = {"events": queue.EVENTS, "syncs": queue.SYNCS}

log = structlog.get_logger()


class _Stops:
    """Finish the present batch when asked to stop, instead of the whole job."""

    max_connection_wait_time = 5.0

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        """Handle SIGTERM and SIGINT."""
        tasks.stopping.set()
        # An idle worker is stopped by an exception, which some of RQ's housekeeping would swallow.
        self._stop_requested = True
        super().request_stop(signum, frame)  # type: ignore[misc]

    def _install_signal_handlers(self) -> None:
        """Hear also what was asked while the worker was being made."""
        super()._install_signal_handlers()  # type: ignore[misc]
        self._stop_requested = tasks.stopping.is_set()


class EventsWorker(_Stops, SimpleWorker):
    """Runs drains in its own process."""


class SyncsWorker(_Stops, Worker):
    """Forks for each piece of long work."""

    def handle_warm_shutdown_request(self) -> None:
        """Ask the forked process to stop too; RQ waits for its end."""
        if self.horse_pid:
            os.kill(self.horse_pid, signal.SIGTERM)

    def setup_work_horse_signals(self) -> None:
        """In the forked process: stop after the present step."""
        tasks.stopping.clear()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: tasks.stopping.set())


def make(name: str, url: str) -> Any:
    """A worker for one of the two queues.

    Args:
        name: `events` or `syncs`.
        url: of the queue's server.
    """
    kind = EventsWorker if name == "events" else SyncsWorker
    connection = queue.connect(url, seconds=None)
    return kind(
        [queue.queue(QUEUES[name], connection)],
        connection=connection,
        job_class=queue.AllowedJob,
        serializer=queue.JSONSerializer,
        # RQ finds out after these many seconds that a worker was killed; it does not run its job again.
        worker_ttl=30,
        maintenance_interval=5,
        job_monitoring_interval=5,
        log_job_description=False,
    )


def serve(name: str) -> int:
    """Work until SIGTERM; a queue's server that goes away is waited for.

    Returns:
        The exit status: 0 after an orderly stop, 2 when there is no queue to work for.
    """
    logs.configure(is_program=True)
    settings = Settings.from_env()
    if not settings.redis_url:
        log.error("worker.no_queue", fix="set REDIS_URL, or start everything with `make run`")
        return 2
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: tasks.stopping.set())
    while not tasks.stopping.is_set():
        try:
            worker = make(name, settings.redis_url)
            _ring_what_waits(name, settings)
            worker.work(logging_level="WARNING")
        except StopRequested:
            break
        except redis.RedisError as error:
            log.warning("worker.queue_unavailable", error=type(error).__name__)
        tasks.stopping.wait(1.0)
    return 0


def _ring_what_waits(name: str, settings: Settings) -> None:
    """What was left by a worker that was killed is taken up now, not at the sweeper's next round."""
    engine = make_engine(settings)
    bell = queue.bell(settings.redis_url)
    try:
        if name == "events":
            for source_id in upkeep.waiting(engine):
                bell.ring(source_id)
        else:
            for sync_id in syncs.stalled(engine):
                bell.start(sync_id)
            for import_id in turns.stalled(engine):
                bell.take_in(import_id)
            for run_id in runs.stalled(engine):
                bell.automate(run_id)
            for file_id in uploads.stalled(engine):
                bell.read_file(file_id)
    finally:
        engine.dispose()
