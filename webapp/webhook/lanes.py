"""Lanes: how many threads may wait for bodies, so that slow senders never take all of them.

The server hands a request over when its headers are there, and a thread that reads a body waits for as long
as the sender takes. Whoever sends slowly, by bad luck or on purpose, is kept to a share of the threads: the
webhook and the pages have one each, and what is left always answers.
"""

from __future__ import annotations

from queue import Empty, SimpleQueue
from types import TracebackType

PATIENCE = 1.0  # seconds; a body that is there already is read in far less


class Full(Exception):
    """Too many threads wait for bodies."""


class Lane:
    """A share of the threads: who takes one of its places has it for the length of a `with` block."""

    def __init__(self, threads: int) -> None:
        # The library's semaphore is made of Python, and costs ten times as much.
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(max(1, threads)):
            self._places.put(None)

    def __enter__(self) -> None:
        """Take a place.

        Raises:
            Full: none became free in a second.
        """
        try:
            self._places.get(timeout=PATIENCE)
        except Empty:
            raise Full from None

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._places.put(None)
