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
from collections import deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import structlog
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from webapp.database import Line, is_away
from webapp.failpoints import reach
from webapp.services import at_once, inbox
from webapp.services.event_rows import WRITERS
from webapp.services.inbox import Call, Notes, Verdict, Written

PATIENCE = 9.0  # seconds that a call waits for its commit; Segment gives up after 10
STUCK = 3.0  # seconds after which a transaction is a sign that others need not queue behind it
_LOOKS = 0.25  # seconds between two looks at who has waited too long
MOST_CALLS = 500  # in one transaction
MOST_BYTES = 8 * 1024 * 1024  # in one transaction
MOST_WAITING_BYTES = 64 * 1024 * 1024
SHOWN_EVERY = 0.3  # seconds between two transactions that say when a source last heard something
_CONFLICTS = {"40001", "40P01"}  # PostgreSQL: could not serialise, deadlock; both are worth another try
_TRIES = 3

log = structlog.get_logger()


class _GivenUp(Exception):
    """A lock was waited for so long that a call was refused meanwhile: it must not be stored all the same."""


class Unavailable(Exception):
    """The call could not be stored now, and nothing of it was; sending it again later will do."""


Told = Callable[[Verdict | None], None]
"""Hears how a call ended, once; None: it was not stored. The writer calls it, and must not be kept."""


@dataclass(slots=True, eq=False)
class _Waiting:
    call: Call
    size: int
    told: Told
    since: float
    given_up: bool = False
    # Taken by whoever answers: the writer, or the watch that loses patience.
    _once: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, verdict: Verdict | None) -> None:
        """Tell how the call ended, unless that was told before."""
        if not self._once.acquire(blocking=False):
            return
        try:
            self.told(verdict)
        except Exception as error:
            log.exception("inbox.answer_failed", error=type(error).__name__)


class _Lines:
    """A writer's connections: for whole transactions, and for those of one statement (PostgreSQL alone)."""

    def __init__(self, engine: Engine) -> None:
        self.whole = Line(engine)
        by_itself = engine.execution_options(isolation_level="AUTOCOMMIT")
        self.at_once = Line(by_itself) if engine.dialect.name == "postgresql" else None

    def hang_up(self) -> None:
        for line in (self.whole, self.at_once):
            if line is not None:
                line.hang_up()


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
    """The one writer of a process. Its thread starts with the first call, so it is there after a fork too."""

    def __init__(self, engine: Engine, ring: Callable[[Collection[int]], None]) -> None:
        """Args:
        engine: where the inbox is; see `impatient`.
        ring: told after each commit which sources have new events; must return at once.
        """
        self._engine = engine
        self._ring = ring
        self._number = secrets.randbelow(WRITERS)
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._taken: list[_Waiting] = []
        self._notes = Notes()
        self._notes_from = 0.0
        self._busy_since = 0.0
        self._shown_at = -SHOWN_EVERY
        self._closing = False
        self._thread: threading.Thread | None = None
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
        waiting = _Waiting(call, sum(map(len, call.events)), told, time.monotonic())
        with self._changed:
            if self._is_overloaded(waiting.size):
                raise Unavailable("too many calls wait already")
            self._waiting.append(waiting)
            self._waiting_bytes += waiting.size
            self._wake()

    def note(self, notes: Notes) -> None:
        """Count something soon; nobody waits for it."""
        with self._changed:
            self._notes.add(notes)
            self._wake()

    def close(self) -> None:
        """Write what waits, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
            thread = self._thread if self._pid == os.getpid() else None
        if thread is not None:
            thread.join(PATIENCE)

    def _is_overloaded(self, size: int) -> bool:
        since = self._busy_since
        stuck = since > 0 and time.monotonic() - since > STUCK
        return stuck or (self._waiting_bytes > 0 and self._waiting_bytes + size > MOST_WAITING_BYTES)

    def _wake(self) -> None:
        if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
            self._pid = os.getpid()
            self._closing = False
            self._thread = threading.Thread(target=self._run, name="inbox writer", daemon=True)
            self._thread.start()
            threading.Thread(target=self._watch, args=[self._thread], name="inbox watch", daemon=True).start()
        self._changed.notify()

    def _watch(self, writer: threading.Thread) -> None:
        """Answer whoever has waited too long: the writer itself may be waiting for the database."""
        while writer.is_alive():
            writer.join(_LOOKS)
            since = time.monotonic() - PATIENCE
            with self._changed:
                late = [one for one in (*self._waiting, *self._taken) if one.since < since]
            for one in late:
                one.given_up = True
                one.answer(None)

    def _run(self) -> None:
        lines = _Lines(self._engine)  # its own: who is forked must not touch those of the process before
        while True:
            waiting, notes = self._take()
            if waiting or notes:
                self._try(lines, waiting, notes)
            elif self._closing:
                lines.hang_up()
                return

    def _try(self, lines: _Lines, waiting: Sequence[_Waiting], notes: Notes) -> None:
        self._busy_since = time.monotonic()
        try:
            self._write(lines, waiting, notes)
        except Exception as error:
            log.exception("inbox.writer_failed", error=type(error).__name__)
            _refuse(waiting)
        finally:
            self._taken, self._busy_since = [], 0.0

    def _take(self) -> tuple[list[_Waiting], Notes]:
        """Wait for work and take it; nothing when the writer is to end, or all who waited have given up."""
        with self._changed:
            while not self._waiting and not self._closing:
                pause = self._notes_from - time.monotonic() if self._notes else None
                if pause is not None and pause <= 0:
                    break
                self._changed.wait(pause)
            taken: list[_Waiting] = []
            size = 0
            while self._waiting and len(taken) < MOST_CALLS and (not taken or size < MOST_BYTES):
                waiting = self._waiting.popleft()
                self._waiting_bytes -= waiting.size
                if not waiting.given_up:
                    taken.append(waiting)
                    size += waiting.size
            notes, self._notes = self._notes, Notes()
            self._taken = taken
            return taken, notes

    def _write(self, lines: _Lines, waiting: Sequence[_Waiting], notes: Notes) -> None:
        try:
            self._commit(lines, waiting, notes)
        except Exception as error:
            away = is_away(error)
            if away:
                log.warning("inbox.database_unavailable", error=type(error).__name__, calls=len(waiting))
            else:
                log.error("inbox.transaction_failed", error=type(error).__name__, calls=len(waiting))
            if away or waiting:
                self._keep(notes, 1.0)
            if away or len(waiting) < 2:
                _refuse(waiting)
            else:
                # One of them cannot be stored; its neighbours must not suffer for it.
                for one in waiting:
                    self._write(lines, [one], Notes())

    def _commit(self, lines: _Lines, waiting: Sequence[_Waiting], notes: Notes) -> None:
        hurried = bool(waiting) and time.monotonic() < self._shown_at + SHOWN_EVERY
        conflicts = 0
        while True:
            counted = Notes()
            counted.add(notes)
            try:
                written = self._written(lines, waiting, counted, hurried)
                break
            except _GivenUp:
                waiting = [one for one in waiting if not one.given_up]
            except OperationalError as error:
                conflicts += 1
                if conflicts == _TRIES or getattr(error.orig, "sqlstate", None) not in _CONFLICTS:
                    raise
        reach("ingest.after_commit")
        for one, verdict in zip(waiting, written.verdicts, strict=True):
            one.answer(verdict)
        if not hurried:
            self._shown_at = time.monotonic()
        if written.owed:
            self._keep(written.owed, SHOWN_EVERY)
        if written.stored:
            self._ring(written.stored)

    def _written(self, lines: _Lines, waiting: Sequence[_Waiting], notes: Notes, hurried: bool) -> Written:
        calls = [one.call for one in waiting]
        if lines.at_once and hurried and notes.can_wait and at_once.fits(calls):
            _before_commit(waiting)
            with lines.at_once.begin() as connection:
                written = at_once.write(connection, calls, notes, self._number)
            if written is not None:
                return written
        with lines.whole.begin() as connection:
            written = inbox.write(connection, calls, notes, self._number, hurried=hurried)
            _before_commit(waiting)
        return written

    def _keep(self, notes: Notes, pause: float) -> None:
        """Keep notes for a later transaction, in so many seconds unless one comes along before."""
        with self._changed:
            notes.add(self._notes)
            self._notes = notes
            self._notes_from = time.monotonic() + pause


def _before_commit(waiting: Sequence[_Waiting]) -> None:
    reach("ingest.before_commit")
    if any(one.given_up for one in waiting):
        raise _GivenUp


def _refuse(waiting: Sequence[_Waiting]) -> None:
    for one in waiting:
        one.answer(None)
