"""Reading the next batch of a backlog on another processor, while this process writes the one before.

What an event says follows from its bytes and its source's mapping alone (`domain/batch.py`), so it can be
read before it is its turn. Whether the events read are those whose turn it is, is decided under the source's
lock.
Without an answer, for whatever reason, a batch is read as if nobody had been asked.
"""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from webapp.domain.batch import Heard, Said

WORTH = 500
"""Events from which on a batch is read ahead: where fewer wait, there is nothing to gain."""
PATIENCE = 3.0  # seconds for which the other process may keep this one waiting
IDLE = 30.0  # seconds after which the other process ends when it is asked nothing
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(slots=True)
class Asked:
    """A batch that is read ahead.

    Attributes:
        events: rows of `id, received_at, body, digest`, in this order, by id.
        mapping: of their source's row.
        answer: what was heard, without the readings, and what it comes to; None as long as that is not known.
            Repeats are left out of both as far as the reader knows them.
    """

    events: Sequence[Any]
    mapping: Any
    answer: tuple[Heard, Said] | None = None


class Ahead:
    """The reader of drains: a process that is started with the first batch worth it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._asked: Asked | None = None
        self._failed = False

    def ask(self, source_id: int, events: Sequence[Any], mapping: Any) -> None:
        """Have a batch of a source read, if that is worth it; `Asked` tells what the others are.

        The first time the reader is only started: whoever asks holds locks, and it takes a moment to listen.
        """
        if self._failed or len(events) < WORTH:
            return
        if self._line is None:
            self._line = self._start()
            return
        told = (source_id, [*map(tuple, events)], mapping)
        try:
            self._line.sendall(pickle.dumps(told, pickle.HIGHEST_PROTOCOL))
        except OSError:
            self._give_up()
        else:
            self._asked = Asked(events, mapping)

    def answer(self) -> Asked | None:
        """The batch that was asked for, read, once; None: there is none, or its reader failed."""
        asked, self._asked = self._asked, None
        if asked is None or self._line is None:
            return None
        try:
            with self._line.makefile("rb") as line:
                asked.answer = pickle.load(line)  # noqa: S301  # of our own child
        except Exception:  # it is gone or silent, or was started from the files of another release
            self._give_up()
            return None
        return asked

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
        self._asked = None
        if line is not None:
            line.close()
        if process is not None:
            process.kill()
            process.wait()
