"""Arms places of `webapp/failpoints.py` in real processes, and in all that these start.

`armed("resync.mid_batch:3,drain.after_commit")` is the environment of a program that dies by SIGKILL the
third time it comes to the one place, or the first time to the other. `drain.mid_batch:1:freeze` stops it
there until SIGCONT, as a machine does that is moved elsewhere; `wait` holds it up until SIGUSR1; `group` ends
its whole process group, as a power cut does. Nothing in the program knows the variable: it is read here by a
Python that was told to look into `tests/faults/armed` at its start.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from webapp import failpoints

VARIABLE = "TRIBUTARY_FAILPOINTS"
CLOCK = "TRIBUTARY_CLOCK"
ROOT = Path(__file__).resolve().parents[2]
_PATH = f"{ROOT}/tests/faults/armed:{ROOT}"


def armed(places: str) -> dict[str, str]:
    """What the environment of a program needs besides its settings to die at some places."""
    return {VARIABLE: places, "PYTHONPATH": _PATH}


def is_meant() -> bool:
    """Whether a Python that starts with this environment arms places, and asks for its clock."""
    return os.environ.get("PYTHONPATH") == _PATH


def arm(places: str | None = None) -> None:
    """Arm places of this process.

    Args:
        places: as for `armed`; what the environment says unless given.
    """
    text = os.environ.get(VARIABLE, "") if places is None else places
    orders = [_order(one.strip()) for one in text.split(",") if one.strip()]
    acts = {place: _ACTS[act] for place, _, act in orders}
    failpoints.arm({place: times for place, times, _ in orders}, lambda place: acts[place]())


def clocked(file: Path) -> dict[str, str]:
    """What the environment of a program needs besides its settings to go by another clock.

    Args:
        file: holds how many seconds that clock is ahead; a test writes to it whenever the clock is to jump.
    """
    return {CLOCK: str(file), "PYTHONPATH": _PATH}


def set_clock() -> None:
    """Have this process go by another clock, if its environment says so; timers are left alone."""
    if file := os.environ.get(CLOCK):
        seconds, nanoseconds = time.time, time.time_ns
        time.time = lambda: seconds() + int(Path(file).read_text())
        time.time_ns = lambda: nanoseconds() + int(Path(file).read_text()) * 1_000_000_000


def _order(text: str) -> tuple[str, int, str]:
    words = text.split(":")
    place, times, act = words + ["", "1", "kill"][len(words) :]
    return place, int(times), act


def _wait() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    signal.sigwait({signal.SIGUSR1})


# Each as the kernel would do it: no handler, no rollback, no farewell.
_ACTS: dict[str, Callable[[], None]] = {
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "group": lambda: os.killpg(os.getpgrp(), signal.SIGKILL),
    "freeze": lambda: os.kill(os.getpid(), signal.SIGSTOP),
    "wait": _wait,
}
