"""Turns at SQLite's one write lock, so that who waits for it goes before who has just had it.

SQLite itself knows no queue: who finds the lock taken sleeps, up to 100 ms at a time, and looks again. Who
writes one transaction after the other takes it back meanwhile, and the sleeper starves. Whoever is about to
begin therefore holds a second lock until it has begun; who comes after the present writer waits for that.
"""

from __future__ import annotations

import fcntl
import os
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 5.0  # seconds; then SQLite decides as it would have without us
_PAUSE = 0.001


class Place:
    """A connection's place in the queue: a file kept open, since the lock is that of who opened it."""

    def __init__(self, database: str) -> None:
        """Args:
        database: path of the file; beside it lies an empty one that holds the lock.
        """
        self._name = f"{database}-turn"
        self._number: int | None = None
        self._shut: Callable[[], object] = lambda: None

    @contextmanager
    def turn(self) -> Iterator[bool]:
        """Be the next who begins to write; the block begins the transaction.

        Yields:
            Whether somebody else was waiting to begin.
        """
        try:
            number = self._opened()
        except OSError:  # nothing can be written there; let SQLite say so
            yield False
            return
        crowded = not _taken(number)
        deadline = time.monotonic() + PATIENCE
        while crowded and time.monotonic() < deadline and not _taken(number):
            time.sleep(_PAUSE)
        try:
            yield crowded
        finally:
            fcntl.flock(number, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the place up."""
        self._number = None
        self._shut()

    def _opened(self) -> int:
        if self._number is None:
            self._number = os.open(self._name, os.O_WRONLY | os.O_CREAT, 0o644)
            # A connection that is merely forgotten takes its place along.
            self._shut = weakref.finalize(self, os.close, self._number)
        return self._number


@contextmanager
def turn(database: str) -> Iterator[bool]:
    """One turn of somebody who keeps no place; `database` and what it yields are those of `Place`."""
    place = Place(database)
    try:
        with place.turn() as crowded:
            yield crowded
    finally:
        place.close()


def _taken(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
