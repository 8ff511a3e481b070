"""Threads that store calls are gathered on one processor, since only one of them runs Python at a time.

Spread over processors, each turn at Python's lock wakes another processor up, which takes longer than what
the turn is for: gathered, the same machine acknowledges about half as many calls again. Who makes a page
keeps all processors: its queries and hashes let go of that lock, and run side by side.
"""

from __future__ import annotations

import os
import threading


class Threads:
    """Where the threads of this process may run; each says by itself what it is about to do."""

    def __init__(self) -> None:
        # Not every system has this; a thread's number is 0 for itself.
        self._all: set[int] = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else set()
        ordered = sorted(self._all)
        self._one = {ordered[os.getpid() % len(ordered)]} if len(ordered) > 1 else set()
        self._own = threading.local()

    def gather(self) -> None:
        """Run where the others run that store calls. A thread that is started meanwhile does so too."""
        self._move(self._one)

    def spread(self) -> None:
        """Run anywhere."""
        self._move(self._all)

    def _move(self, processors: set[int]) -> None:
        if not self._one or getattr(self._own, "processors", self._all) is processors:
            return
        self._own.processors = processors
        try:
            os.sched_setaffinity(0, processors)
        except OSError:  # forbidden here, or these processors were taken away meanwhile
            self._one = set()
