"""The calls that wait to be stored, and what is counted beside them: handed in by many, taken by few."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import structlog

from webapp.services.inbox import Call, Notes, Verdict

MOST_CALLS = 500  # in one transaction
MOST_BYTES = 8 * 1024 * 1024  # in one transaction
MUCH = 128 * 1024  # bytes that are worth a second transaction beside the one that runs

Told = Callable[[Verdict | None], None]
"""Hears how a call ended, once; None: it was not stored. The writer calls it, and must not be kept."""

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Waiting:
    """A call that waits for its commit.

    Attributes:
        size: bytes of its events.
        told: hears how it ended.
        since: of the monotonic clock.
        given_up: whether somebody was told that it was not stored.
    """

    call: Call
    size: int
    told: Told
    since: float
    given_up: bool = False
    # Taken by whoever answers: who stored it, or the watch that loses patience.
    _once: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, verdict: Verdict | None) -> None:
        """Tell how the call ended, unless that was told before."""
        if not self._once.acquire(blocking=False):
            return
        try:
            self.told(verdict)
        except Exception as error:
            log.exception("inbox.answer_failed", error=type(error).__name__)


def give_up(late: Iterable[Waiting]) -> None:
    """Say of calls that they were not stored; who holds them stores them no more."""
    for one in late:
        one.given_up = True
        one.answer(None)


class Pile:
    """What waits. All of it may be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._some = threading.Condition(self._lock)
        self._much = threading.Condition(self._lock)
        self._waiting: deque[Waiting] = deque()
        self._notes = Notes()
        self._notes_from = 0.0
        self._closing = False
        self.size = 0
        """Bytes of all that waits."""

    def put(self, waiting: Waiting) -> None:
        """Add a call."""
        with self._lock:
            self._waiting.append(waiting)
            self.size += waiting.size
            self._some.notify()
            if self.size >= MUCH:
                self._much.notify()

    def note(self, notes: Notes, pause: float | None = None) -> None:
        """Add what is to be counted.

        Args:
            pause: seconds after which it is due, unless calls come before; None: as before, or now.
        """
        with self._lock:
            self._notes.add(notes)
            if pause is None:
                self._some.notify()
            else:
                self._notes_from = time.monotonic() + pause

    def take(self) -> tuple[list[Waiting], Notes]:
        """Wait for calls, or notes that are due, and take them.

        Returns:
            Nothing of both at the end, or when all who waited have given up.
        """
        with self._lock:
            while not self._waiting and not self._closing:
                pause = self._notes_from - time.monotonic() if self._notes else None
                if pause is not None and pause <= 0:
                    break
                self._some.wait(pause)
            notes, self._notes = self._notes, Notes()
            return self._taken(), notes

    def take_much(self) -> list[Waiting]:
        """Wait for more calls than one who takes them should have to store alone, and take them.

        Returns:
            Nothing at the end, or when all who waited have given up.
        """
        with self._lock:
            while self.size < MUCH and not self._closing:
                self._much.wait()
            return self._taken() if self.size >= MUCH else []

    def older_than(self, instant: float) -> list[Waiting]:
        """Those who wait since before an instant of the monotonic clock."""
        with self._lock:
            return [one for one in self._waiting if one.since < instant]

    @property
    def is_closing(self) -> bool:
        """Whether whoever finds nothing is to end."""
        return self._closing

    def set_closing(self, closing: bool) -> None:
        """Let whoever takes from it end when nothing is left, or not."""
        with self._lock:
            self._closing = closing
            self._some.notify_all()
            self._much.notify_all()

    def _taken(self) -> list[Waiting]:
        taken: list[Waiting] = []
        size = 0
        while self._waiting and len(taken) < MOST_CALLS and (not taken or size < MOST_BYTES):
            waiting = self._waiting.popleft()
            self.size -= waiting.size
            if not waiting.given_up:
                taken.append(waiting)
                size += waiting.size
        return taken
