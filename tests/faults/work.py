"""Does tasks as a worker does, each in a process of its own: `python -m tests.faults.work`.

What a task needs is imported once; each line of input is an order, carried out in a forked process. It is
JSON: `{"environment": {...}, "task": "sync", "id": 5, "places": "resync.mid_batch:2"}`. The answer is a line
with how the process ended: 0, or the negative number of the signal that killed it.
"""

from __future__ import annotations

import json
import os
import sys

from jobs import tasks
from tests.faults.arming import arm


def main() -> None:
    """Carry out orders until the input ends."""
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_carried_out(order))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _carried_out(order: dict[str, object]) -> int:
    os.environ |= order["environment"]  # type: ignore[arg-type]
    arm(str(order["places"]))
    try:
        getattr(tasks, str(order["task"]))(order["id"])
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    main()
