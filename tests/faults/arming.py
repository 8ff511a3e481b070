"""Arms places of `webapp/failpoints.py` in real processes, and in all that these start.

`armed("resync.mid_batch:3,drain.after_commit")` is the environment of a program that dies by SIGKILL the
third time it comes to the one place, or the first time to the other. Nothing in the program knows the
variable: it is read here alone, by a Python that was told to look into `tests/faults/armed` at its start.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from webapp import failpoints

VARIABLE = "TRIBUTARY_FAILPOINTS"
ROOT = Path(__file__).resolve().parents[2]


def armed(places: str) -> dict[str, str]:
    """What the environment of a program needs besides its settings to die at some places."""
    return {VARIABLE: places, "PYTHONPATH": f"{ROOT}/tests/faults/armed:{ROOT}"}


def arm(places: str | None = None) -> None:
    """Arm places of this process.

    Args:
        places: as for `armed`; what the environment says unless given.
    """
    failpoints.arm(_places(os.environ.get(VARIABLE, "") if places is None else places), _die)


def _places(text: str) -> dict[str, int]:
    pairs = (each.strip().partition(":") for each in text.split(",") if each.strip())
    return {name: int(times or 1) for name, _, times in pairs}


def _die(_place: str) -> None:
    """End this process as the kernel would: no handler, no rollback, no farewell."""
    os.kill(os.getpid(), signal.SIGKILL)
