"""The events that a reader met lately, by which it takes others for repeats.

It cannot ask the database, so this is a guess. Who uses what was read looks whether it is right
(`services/repeats.py`).
"""

from __future__ import annotations

from typing import Final

MOST: Final = 50_000
"""Events remembered: some ten large batches, in as many megabytes."""


class Lately:
    """Digests of the events met last, with the id of the first that bore each."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._first: dict[tuple[int, bytes], int] = {}

    def meet(self, source_id: int, event_id: int, digest: bytes) -> bool:
        """Remember an event.

        Args:
            source_id: of the source within which it is told apart.
            event_id: of the event; one that is met again is no repeat of itself.
            digest: as `digests.digest` works it out.

        Returns:
            Whether another event that bore the same digest was met before.
        """
        first = self._first.setdefault((source_id, digest), event_id)
        if len(self._first) > self._most:
            del self._first[next(iter(self._first))]
        return first != event_id
