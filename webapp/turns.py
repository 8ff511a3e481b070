"""Turns at SQLite's one write lock, so that who waits for it goes before who has just had it.

SQLite itself knows no queue: who finds the lock taken sleeps, up to 100 ms at a time, and looks again. Who
writes one transaction after the other takes it back meanwhile, and the sleeper starves. Whoever is about to
begin therefore holds a second lock until it has begun; who comes after the present writer waits for that.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 5.0  # seconds; then SQLite decides as it would have without us
_PAUSE = 0.001


@contextmanager
def turn(database: str) -> Iterator[bool]:
    """Be the next who begins to write; the block begins the transaction.

    Args:
        database: path of the file; beside it lies an empty one that holds the lock.

    Yields:
        Whether somebody else was waiting to begin.
    """
    try:
        file = open(f"{database}-turn", "ab")  # noqa: SIM115
    except OSError:  # nothing can be written there; let SQLite say so
        yield False
        return
    with file:
        crowded = not _taken(file.fileno())
        deadline = time.monotonic() + PATIENCE
        while crowded and time.monotonic() < deadline and not _taken(file.fileno()):
            time.sleep(_PAUSE)
        yield crowded


def _taken(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
