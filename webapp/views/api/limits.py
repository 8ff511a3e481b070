"""How often one key may call: a bucket of tokens each, in each process that answers calls."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

A_SECOND = 40
"""Calls a second that each key may make over time, as with ChartMogul."""
AT_ONCE = 80
"""Calls that a key which was quiet may make at once."""
_MOST = 10_000


class Buckets:
    """Tokens by caller. Each call takes one; they come back with time."""

    def __init__(
        self, a_second: float, at_once: float, clock: Callable[[], float] = time.monotonic, most: int = _MOST
    ) -> None:
        self.a_second = a_second
        self.at_once = at_once
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, caller: str) -> float:
        """Take one token.

        Args:
            caller: who calls.

        Returns:
            0 when there was one; else the seconds until there is.
        """
        with self._lock:
            moment = self._clock()
            left, since = self._left.pop(caller, (self.at_once, moment))
            left = min(self.at_once, left + (moment - since) * self.a_second)
            wait = 0.0 if left >= 1 else (1 - left) / self.a_second
            self._left[caller] = (left - (1 if not wait else 0), moment)
            while len(self._left) > self._most:  # who has not called for longest has a full bucket anyway
                self._left.popitem(last=False)
            return wait
