"""Group commit: the threads of a process hand their calls to one writer, which commits all that wait at once.

A call is answered after its own commit. One commit to disk costs the same for one event as for a hundred,
so the more calls there are, the cheaper each becomes; and threads never fight over SQLite's one write lock.
Whoever hands a call in need not wait: the writer tells them, from its own thread.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from queue import SimpleQueue
from typing import Any

from sqlalchemy import Engine, event

from webapp.services.event_rows import WRITERS
from webapp.services.hand import Hand
from webapp.services.inbox import Call, Notes, Verdict
from webapp.services.pile import Pile, Told, Waiting, give_up

PATIENCE = 9.0  # seconds that a call waits for its commit; Segment gives up after 10
STUCK = 3.0  # seconds after which a transaction is a sign that others need not queue behind it
MOST_WAITING_BYTES = 64 * 1024 * 1024
_LOOKS = 0.25  # seconds between two looks at who has waited too long


class Unavailable(Exception):
    """The call could not be stored now, and nothing of it was; sending it again later will do."""


def impatient(engine: Engine) -> Engine:
    """Let an engine wait for locks only as long as a sender waits for its answer."""
    event.listen(engine, "connect", _limit_waits)
    return engine


def _limit_waits(connection: Any, _record: Any) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA busy_timeout = 4000")
        return
    connection.execute("SET lock_timeout = '4s'")
    connection.execute("SET statement_timeout = '6s'")
    connection.commit()


class Writer:
    """The one writer of a process.

    One thread stores what waits. On PostgreSQL, whose server works by itself meanwhile, a second one helps
    when much does. They start with the first call, so they are there after a fork too.
    """

    def __init__(self, engine: Engine, ring: Callable[[Collection[int]], None]) -> None:
        """Args:
        engine: where the inbox is; see `impatient`.
        ring: told after each commit which sources have new events; must return at once.
        """
        self._engine = engine
        self._ring = ring
        self._pile = Pile()
        self._starting = threading.Lock()
        self._hands: list[Hand] = []
        self._pid = 0

    def submit(self, call: Call) -> Verdict:
        """Store a call, and return when that is committed.

        Args:
            call: stored whole or not at all.

        Raises:
            Unavailable: it was not taken, as by `hand_in`, or the database is away or locked. When that goes
                silent in the middle, the call may turn out to be stored, whole, after all.
        """
        told: SimpleQueue[Verdict | None] = SimpleQueue()
        self.hand_in(call, told.put)
        verdict = told.get()
        if verdict is None:
            raise Unavailable("the database does not answer")
        return verdict

    def hand_in(self, call: Call, told: Told) -> None:
        """Have a call stored, and go on.

        Args:
            call: stored whole or not at all.
            told: hears how it ended, after `PATIENCE` at the latest.

        Raises:
            Unavailable: it was not taken, since too much waits already.
        """
        self._start()
        waiting = Waiting(call, sum(map(len, call.events)), told, time.monotonic())
        if self._is_overloaded(waiting.size):
            raise Unavailable("too many calls wait already")
        self._pile.put(waiting)

    def note(self, notes: Notes) -> None:
        """Count something soon; nobody waits for it."""
        self._start()
        self._pile.note(notes)

    def close(self) -> None:
        """Write what waits, and end."""
        self._pile.set_closing(True)
        if self._pid == os.getpid():
            for hand in self._hands:
                hand.join(PATIENCE)

    def _is_overloaded(self, size: int) -> bool:
        now = time.monotonic()
        stuck = any(0 < hand.busy_since < now - STUCK for hand in self._hands)
        return stuck or (self._pile.size > 0 and self._pile.size + size > MOST_WAITING_BYTES)

    def _start(self) -> None:
        if self._is_running():
            return
        with self._starting:
            if self._is_running():
                return
            if self._pid not in (0, os.getpid()):
                self._pile = Pile()  # what waited before the fork is stored and answered over there
            self._pid = os.getpid()
            self._pile.set_closing(False)
            hands = 2 if self._engine.dialect.name == "postgresql" else 1
            first = secrets.randbelow(WRITERS)
            self._hands = [
                Hand(self._pile, self._engine, self._ring, (first + number) % WRITERS, helps=number > 0)
                for number in range(hands)
            ]
            for hand in self._hands:
                hand.start()
            threading.Thread(target=self._watch, args=[self._hands], name="inbox watch", daemon=True).start()

    def _is_running(self) -> bool:
        return self._pid == os.getpid() and all(hand.is_alive() for hand in self._hands)

    def _watch(self, hands: list[Hand]) -> None:
        """Answer whoever has waited too long: those who store may be waiting for the database themselves."""
        while any(hand.is_alive() for hand in hands):
            time.sleep(_LOOKS)
            since = time.monotonic() - PATIENCE
            late = self._pile.older_than(since)
            for hand in hands:
                late += [one for one in hand.taken if one.since < since]
            give_up(late)
