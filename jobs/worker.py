"""The worker: `python -m jobs.worker` drains events and does long work, each in a process of its own.

`python -m jobs.worker events` and `python -m jobs.worker syncs` do one of the two (`jobs/workers.py`).
"""

from __future__ import annotations

import os
import sys

from jobs.supervisor import Child, Supervisor
from webapp import garbage

NAMES = ("events", "syncs")
_PATIENCE = 25  # seconds in which a worker may finish its batch


def main(arguments: list[str]) -> int:
    """Run one worker, or both under a supervisor.

    Args:
        arguments: `events`, `syncs`, or nothing for both.
    """
    if arguments:
        # What supervises two workers needs none of what they do.
        garbage.wait()
        from jobs.workers import serve

        garbage.settle()
        return serve(arguments[0])
    children = [
        Child(f"worker for {name}", (sys.executable, "-m", "jobs.worker", name), patience=_PATIENCE)
        for name in NAMES
    ]
    return Supervisor(children, os.environ).run()


if __name__ == "__main__":
    if len(sys.argv) > 2 or (sys.argv[1:] and sys.argv[1] not in NAMES):
        sys.exit(f"usage: python -m jobs.worker [{'|'.join(NAMES)}]")
    sys.exit(main(sys.argv[1:]))
