"""A worker's process, by itself: `python -m bench.draining SOURCE` drains a source and says what it took."""

from __future__ import annotations

import json
import sys
import time

from jobs import tasks
from webapp.config import Settings
from webapp.services import projection
from webapp.services.momentum import Momentum


def main(source_id: int) -> None:
    """Do what a worker does when the bell rings, slice after slice, until nothing waits; print it as JSON."""
    settings = Settings.from_env()
    engine = tasks.working_engine(settings)
    events, passed, momentum = 0, True, Momentum()
    started, worked = time.perf_counter(), time.process_time()
    while passed:
        stop = tasks.Deadline(tasks.SLICE)
        done = projection.drain(engine, source_id, settings=settings, stop=stop, momentum=momentum)
        events += done.total
        passed = stop.passed
    report = {
        "events": events,
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - worked,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(int(sys.argv[1]))
