"""What drains have once they go, kept from one slice of work to the next.

A worker gives each source a few seconds at a time, and a backlog takes many such slices. Without this each
would begin with small batches again, and start the process anew that reads ahead.
"""

from __future__ import annotations

import time

from webapp.services.ahead import Ahead
from webapp.services.pacing import Pace

KEPT = 5.0
"""Seconds after a slice in which the next one goes on. The reader waits longer (`ahead.IDLE`)."""


class Momentum:
    """The paces of sources whose drain was stopped in the middle, and the process that reads ahead for all.

    It belongs to one process and one database.
    """

    def __init__(self) -> None:
        self.ahead = Ahead()
        self._paces: dict[int, tuple[Pace, float]] = {}

    def __enter__(self) -> Momentum:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def take(self, source_id: int, dialect: str) -> Pace:
        """Begin a slice of a source: with the pace that it had, or a new one."""
        soon = time.monotonic() - KEPT
        self._paces = {id: kept for id, kept in self._paces.items() if kept[1] >= soon}
        if not self._paces:
            self.ahead.end()
        pace, _ = self._paces.pop(source_id, (None, 0.0))
        return pace or Pace(dialect)

    def leave(self, source_id: int, pace: Pace, *, more: bool) -> None:
        """End a slice.

        Args:
            pace: as it is now.
            more: whether it was stopped, and another slice may go on; else the next one begins anew, and the
                reader ends unless other sources need it.
        """
        if more:
            self._paces[source_id] = pace, time.monotonic()
        elif not self._paces:
            self.ahead.end()

    def end(self) -> None:
        """Keep nothing any more."""
        self._paces.clear()
        self.ahead.end()
