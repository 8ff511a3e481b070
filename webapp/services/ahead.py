"""Reading the next batches of a backlog on another processor, while this process writes the one before.

What an event says follows from its bytes and its source's mapping alone (`domain/batch.py`), so it can be
read before it is its turn. Whether the events read are those whose turn it is, is decided under the source's
lock.
Without an answer, for whatever reason, a batch is read as if nobody had been asked.
"""

from __future__ import annotations

import socket
import subprocess
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row

from webapp.domain.batch import Heard, Said
from webapp.services import pending
from webapp.services.handing import hand, take

WORTH = 500
"""Events from which on a batch is read ahead: where fewer wait, there is nothing to gain."""
DEEP = 2
"""Batches that are asked for at a time: while one is read another lies ready, so the reader never waits."""
TOO_MANY = 2  # times the events that a batch may take by now
PATIENCE = 5.0  # seconds for which the other process may keep this one waiting
IDLE = 60.0  # seconds after which the other process ends when it is asked nothing
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Asked:
    """A batch that is read ahead.

    Attributes:
        source_id: of its source.
        events: rows of `id, received_at, body, digest`, in this order, by id.
        mapping: of their source's row.
        answer: what was heard, without the readings, and what it comes to; None as long as that is not known.
            Repeats are left out of both as far as the reader knows them.
    """

    source_id: int
    events: Sequence[Any]
    mapping: Any
    answer: tuple[Heard, Said] | None = None


class Ahead:
    """The reader of drains: a process that is started with the first batch worth it.

    It reads for one source at a time, in the order in which it is asked.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._asked: deque[Asked] = deque()
        self._unwanted = 0
        self._failed = False

    def ask_behind(self, connection: Connection, source: Row[Any], last: int, size: int) -> None:
        """Have batches of a source read that wait behind an event, and behind what is asked for already.

        The first time the reader is only started: whoever asks holds locks, and it takes a moment to listen.

        Args:
            source: its row, locked.
            last: the event's id.
            size: events of a batch, at most.
        """
        while not self._failed and (not self._is_of(source.id) or len(self._asked) < DEEP):
            after = self._asked[-1].events[-1].id if self._is_of(source.id) else last
            events = pending.first(connection, source.id, size, after=after)
            if len(events) < WORTH or not self._ask(Asked(source.id, events, source.applied_mapping)):
                break

    def _ask(self, asked: Asked) -> bool:
        if self._line is None:
            self._line = self._start()
            return False
        if not self._is_of(asked.source_id):
            self.forget()
        try:
            hand(self._line, (asked.source_id, [*map(tuple, asked.events)], asked.mapping))
        except OSError:
            self._give_up()
            return False
        self._asked.append(asked)
        return True

    def answer(self, source_id: int) -> Asked | None:
        """The batch of a source that was asked for first, read; None: there is none, or its reader failed."""
        if not self._is_of(source_id) or self._line is None:
            return None
        asked = self._asked.popleft()
        try:
            while self._unwanted:
                take(self._line)
                self._unwanted -= 1
            asked.answer = take(self._line)
        except Exception:  # it is gone or silent, or was started from the files of another release
            self._give_up()
            return None
        return asked

    def forget(self) -> None:
        """What was asked for is not wanted any more."""
        self._unwanted += len(self._asked)
        self._asked.clear()

    def _is_of(self, source_id: int) -> bool:
        return bool(self._asked) and self._asked[0].source_id == source_id

    def _start(self) -> socket.socket:
        line, other = socket.socketpair()
        line.settimeout(PATIENCE)
        with other:
            command = [sys.executable, "-m", "webapp.services.reader", str(other.fileno()), str(IDLE)]
            self._process = subprocess.Popen(  # noqa: S603
                command, cwd=_ROOT, pass_fds=[other.fileno()], stdin=subprocess.DEVNULL
            )
        return line

    def _give_up(self) -> None:
        self.end()
        self._failed = True

    def end(self) -> None:
        """End the reader, whatever it is doing; another one is started when it is worth it."""
        self._failed = False
        line, self._line = self._line, None
        process, self._process = self._process, None
        self._asked.clear()
        self._unwanted = 0
        if line is not None:
            line.close()
        if process is not None:
            process.kill()
            process.wait()


def is_next(connection: Connection, source: Row[Any], asked: Asked, size: int) -> bool:
    """Whether the events that were read ahead are those that wait first, and by whose mapping they go.

    Those that were asked for while nobody else wrote may be too many by now.

    Args:
        source: its row, locked.
        size: events that the batch may take.
    """
    same = asked.mapping == source.applied_mapping and len(asked.events) <= TOO_MANY * max(size, WORTH)
    return same and pending.are_first(connection, source.id, asked.events)
