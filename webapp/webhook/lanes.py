"""Lanes: how many threads may wait for bodies, so that slow senders never take all of them.

The server hands a request over when its headers are there, and a thread that reads a body waits for as long
as the sender takes. Whoever sends slowly, by bad luck or on purpose, is kept to a share of the threads: the
webhook and the pages have one each, and what is left always answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE = 1.0  # seconds; a body that is there already is read in far less


class Full(Exception):
    """Too many threads wait for bodies."""


class Lane:
    """A share of the threads."""

    def __init__(self, threads: int) -> None:
        self._places = threading.BoundedSemaphore(max(1, threads))

    @contextmanager
    def place(self) -> Iterator[None]:
        """Take a place for the length of the block.

        Raises:
            Full: none became free in a second.
        """
        if not self._places.acquire(timeout=PATIENCE):
            raise Full
        try:
            yield
        finally:
            self._places.release()
