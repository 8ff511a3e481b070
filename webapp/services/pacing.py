"""How large a batch of events is: large enough that what a transaction costs is shared by many, and small
enough that nobody waits long for it and it fits into memory."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

FIRST, MOST = 500, 5000
# Of the very first batch on SQLite, which is over before anybody knows how long it takes, and whether others
# want to write.
TRIED = 50
# Events of a batch while others want to write. While nobody does, none is smaller than the first: on a busy
# machine small ones would make it busier.
LEAST = 20
MOST_BYTES = 4 * 1024 * 1024  # of bodies; what is made of them in memory is some twenty times as large
# Of commas in bodies, which are at least as many as the values that they tell: in memory each value takes
# hundreds of bytes, however short it is.
MOST_VALUES = 125_000
# Bytes of what is stored of those whom a batch tells of: somebody who told a thousand attributes may tell one
# more. They are known when a batch is over, so they bound the next; the first one is small.
MOST_STORED = 10 * 1024 * 1024
SECONDS = {"sqlite": 0.4, "postgresql": 1.0}
# SQLite has one writer at a time. While others want to write, batches are short, and the lock is left alone
# for a moment after each: who waits has it then, and who comes later goes first all the same (`turns`).
CROWDED_SECONDS = 0.012
BREATH = 0.004
# Of work that can wait longer than events can.
GENTLE_BREATH = 0.001
GENTLE_LEAST = 10
MOST_PASSED = 31  # turns without a try
REMEMBERED = 3.0  # seconds after which the others count as gone


class Batch:
    """One batch, from before its transaction begins until after its commit."""

    def __init__(self, size: int) -> None:
        self.size = size
        """Events that it may take."""
        self.worked = 0
        """Events that it took."""
        self.stored = 0
        """Bytes that were stored of those whom its events tell of."""
        self.crowded = False
        """Whether others wanted to write."""
        self.begun_at = time.monotonic()

    def begun(self, crowded: bool) -> None:
        """Say that the transaction has begun, and whether others were waiting for theirs."""
        self.crowded = crowded
        self.begun_at = time.monotonic()


class Pace:
    """Finds the size of each batch by what the one before took."""

    def __init__(
        self, dialect: str, sleep: Callable[[float], None] = time.sleep, *, gentle: float = 0.0
    ) -> None:
        """Args:
        dialect: of the database.
        sleep: how to rest.
        gentle: seconds of a batch while others want to write, of work that can wait longer than they can.
        """
        self._gentle = gentle
        self._seconds = SECONDS[dialect]
        self._sleep = sleep
        self._first = min(FIRST, TRIED) if dialect == "sqlite" else FIRST
        self._size = self._first
        self._crowded_until = 0.0
        self._rest = 0.0

    @contextmanager
    def batch(self) -> Iterator[Batch]:
        """The next batch, timed for the length of the block."""
        batch = Batch(self._size)
        yield batch
        self._learn(batch, time.monotonic())

    def begin_anew(self) -> None:
        """What follows is of another kind, and each of it may take several times as long."""
        self._size = min(self._size, self._first)

    def rest(self) -> None:
        """Leave the lock to others for a while, where there are some."""
        if self._rest:
            self._sleep(self._rest)

    def _learn(self, batch: Batch, now: float) -> None:
        if batch.crowded:
            self._crowded_until = now + REMEMBERED
        crowded = now < self._crowded_until
        taken = max(now - batch.begun_at, 0.001)
        self._rest = min(taken, GENTLE_BREATH if self._gentle else BREATH) if crowded else 0.0
        wanted = (self._gentle or CROWDED_SECONDS) if crowded else self._seconds
        room = MOST_STORED / max(batch.stored, 1)
        times = min(4.0, wanted / taken, room)
        if batch.worked >= batch.size or times < 1:
            size = int(max(batch.worked, 1) * times)
            least = min(LEAST, GENTLE_LEAST) if self._gentle else LEAST
            self._size = max(least if crowded or room < 1 else FIRST, min(MOST, size))


class Chances:
    """Whether to try again what others have spoiled: each time they do, twice as many turns are let pass."""

    def __init__(self) -> None:
        self._passed = self._to_pass = 0

    def are_good(self) -> bool:
        """Whether to try it this time."""
        self._passed += 1
        return self._passed > self._to_pass

    def learn(self, spoiled: bool) -> None:
        """Say how a try ended."""
        self._passed, self._to_pass = 0, min(2 * self._to_pass + 1, MOST_PASSED) if spoiled else 0


def within(sizes: Iterable[tuple[int, int]], most: int) -> int:
    """The last id of those that fit into so much; the first one always does.

    Args:
        sizes: ids and how much each takes, in ascending order.
        most: of what `sizes` counts.

    Returns:
        The id; 0 without any.
    """
    last = total = 0
    for id, size in sizes:
        total += size
        if last and total > most:
            break
        last = id
    return last


@contextmanager
def collecting_later() -> Iterator[None]:
    """Look for circular garbage after the block only: a batch makes many objects, and no circles of them.

    Looking through all of them again and again took an eighth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
