"""One thread that stores what waits: a transaction for all of it, and its answers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from webapp.database import Line, is_away
from webapp.failpoints import reach
from webapp.services import at_once, inbox
from webapp.services.inbox import Notes, Written
from webapp.services.pile import Pile, Waiting

SHOWN_EVERY = 0.3  # seconds between two transactions that say when a source last heard something
_LATER = 1.0  # seconds until notes that could not be written are tried again
_CONFLICTS = {"40001", "40P01"}  # PostgreSQL: could not serialise, deadlock; both are worth another try
_TRIES = 3

log = structlog.get_logger()


class _GivenUp(Exception):
    """A lock was waited for so long that a call was refused meanwhile: it must not be stored all the same."""


class Hand(threading.Thread):
    """A thread that stores, with connections of its own.

    Attributes:
        taken: the calls it is about to store.
        busy_since: when it began to, of the monotonic clock; 0: it waits.
    """

    def __init__(
        self,
        pile: Pile,
        engine: Engine,
        ring: Callable[[Collection[int]], None],
        number: int,
        *,
        helps: bool = False,
    ) -> None:
        """Args:
        pile: what waits.
        engine: where the inbox is.
        ring: told after each commit which sources have new events.
        number: under which it keeps its tallies.
        helps: it takes only what is too much for another, and no notes.
        """
        super().__init__(name="inbox helper" if helps else "inbox writer", daemon=True)
        self._pile, self._ring, self._helps = pile, ring, helps
        self._whole = Line(engine)
        by_itself = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._at_once = Line(by_itself) if engine.dialect.name == "postgresql" else None
        self._number = number
        self._shown_at = -SHOWN_EVERY
        self.taken: list[Waiting] = []
        self.busy_since = 0.0

    def run(self) -> None:
        """Store until nothing is left and the pile is closing."""
        while True:
            self.taken, notes = (self._pile.take_much(), Notes()) if self._helps else self._pile.take()
            if self.taken or notes:
                self._try(self.taken, notes)
            elif self._pile.is_closing:
                break
        for line in (self._whole, self._at_once):
            if line is not None:
                line.hang_up()

    def _try(self, waiting: Sequence[Waiting], notes: Notes) -> None:
        self.busy_since = time.monotonic()
        try:
            self._write(waiting, notes)
        except Exception as error:
            log.exception("inbox.writer_failed", error=type(error).__name__)
            _refuse(waiting)
        finally:
            self.taken, self.busy_since = [], 0.0

    def _write(self, waiting: Sequence[Waiting], notes: Notes) -> None:
        try:
            self._commit(waiting, notes)
        except Exception as error:
            away = is_away(error)
            if away:
                log.warning("inbox.database_unavailable", error=type(error).__name__, calls=len(waiting))
            else:
                log.error("inbox.transaction_failed", error=type(error).__name__, calls=len(waiting))
            if away or waiting:
                self._pile.note(notes, _LATER)
            if away or len(waiting) < 2:
                _refuse(waiting)
            else:
                # One of them cannot be stored; its neighbours must not suffer for it.
                for one in waiting:
                    self._write([one], Notes())

    def _commit(self, waiting: Sequence[Waiting], notes: Notes) -> None:
        hurried = self._helps or (bool(waiting) and time.monotonic() < self._shown_at + SHOWN_EVERY)
        conflicts = 0
        while True:
            counted = Notes()
            counted.add(notes)
            try:
                written = self._written(waiting, counted, hurried)
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
            self._pile.note(written.owed, SHOWN_EVERY)
        if written.stored:
            self._wake(written.stored)

    def _wake(self, sources: Collection[int]) -> None:
        try:
            self._ring(sources)
        except Exception as error:  # what was committed must not be stored again; the sweeper wakes them too
            log.exception("inbox.ring_failed", error=type(error).__name__)

    def _written(self, waiting: Sequence[Waiting], notes: Notes, hurried: bool) -> Written:
        calls = [one.call for one in waiting]
        if self._at_once and hurried and notes.can_wait and at_once.fits(calls):
            _before_commit(waiting)
            with self._at_once.begin() as connection:
                written = at_once.write(connection, calls, notes, self._number)
            if written is not None:
                return written
        with self._whole.begin() as connection:
            written = inbox.write(connection, calls, notes, self._number, hurried=hurried)
            _before_commit(waiting)
        return written


def _before_commit(waiting: Sequence[Waiting]) -> None:
    reach("ingest.before_commit")
    if any(one.given_up for one in waiting):
        raise _GivenUp


def _refuse(waiting: Sequence[Waiting]) -> None:
    for one in waiting:
        one.answer(None)
