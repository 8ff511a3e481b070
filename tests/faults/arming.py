"""Arms places of `webapp/failpoints.py` in a process: `python -m tests.faults.arming jobs.worker syncs`.

The program named runs as it always does, and dies by SIGKILL at the places that TRIBUTARY_FAILPOINTS names:
`resync.mid_batch:3,drain.after_commit` is the third time of the one and the first time of the other. The variable
is read here alone; a program that is started without this module does not know it.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys

from webapp import failpoints

VARIABLE = "TRIBUTARY_FAILPOINTS"


def places(text: str) -> dict[str, int]:
    """What the variable names: `{"resync.mid_batch": 3, "drain.after_commit": 1}`."""
    pairs = (each.strip().partition(":") for each in text.split(",") if each.strip())
    return {name: int(times or 1) for name, _, times in pairs}


def die(_place: str) -> None:
    """End this process as the kernel would: no handler, no rollback, no farewell."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Arm, then become the program of the first argument."""
    failpoints.arm(places(os.environ.get(VARIABLE, "")), die)
    _, program, *arguments = sys.argv
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
