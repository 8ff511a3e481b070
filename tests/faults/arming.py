"""Arms places of `webapp/failpoints.py` in real processes, and in all that these start.

`armed("resync.mid_batch:3,drain.after_commit")` is the environment of a program that dies by SIGKILL the
third time it comes to the one place, or the first time to the other. `drain.mid_batch:1:pause` stops it there
until it is told to go on, as a machine does that is moved elsewhere; `ingest.before_commit:1:group` ends its
whole process group, as a power cut does. Nothing in the program knows the variable: it is read here alone, by
a Python that was told to look into `tests/faults/armed` at its start.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
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
    text = os.environ.get(VARIABLE, "") if places is None else places
    orders = [_order(one.strip()) for one in text.split(",") if one.strip()]
    acts = {place: _ACTS[act] for place, _, act in orders}
    failpoints.arm({place: times for place, times, _ in orders}, lambda place: acts[place]())


def _order(text: str) -> tuple[str, int, str]:
    words = text.split(":")
    place, times, act = words + ["", "1", "kill"][len(words) :]
    return place, int(times), act


# Each as the kernel would do it: no handler, no rollback, no farewell.
_ACTS: dict[str, Callable[[], None]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "group": lambda: os.killpg(os.getpgrp(), signal.SIGKILL),
    "pause": lambda: os.kill(os.getpid(), signal.SIGSTOP),
}
