"""SQLite's checkpoints, taken beside the transactions that somebody waits for.

What is committed goes into a log, and from there into the file. Left to itself SQLite has whoever makes the
log longer than a thousand pages do the latter before their commit returns, which takes the disk as long as
several commits do. Here a thread does it, with a connection of its own, while the next transactions are
written.

A thread never comes to the end of a log that grows meanwhile, and only a log that is all in the file begins
at its start again. So of one that has become very long the rest is left to who commits (`MOST_PAGES`).

How long the log is stands in itself: its pages bear the two numbers of its head, and what is left of an
earlier log behind them bears others. The index beside it would say so at once, but must not be opened here:
closing it would give up the locks that this process has on it.

Source: "WAL-mode File Format", section 1, https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import os
import sqlite3
import struct
import threading
from contextlib import closing, suppress
from dataclasses import dataclass

import structlog

PAGES = 1000
"""Of the log that are not in the file yet, from which on a thread brings them there."""
MOST_PAGES = 16 * PAGES
"""Of the log, from which on who commits does."""
CHECKPOINT = "checkpoint"
"""The name of a thread that takes one."""
_HEAD = struct.Struct(">8xI4x8s8x")  # length of a page; the log's two numbers
_PAGE = struct.Struct(">8x8s8x")  # the same two numbers, before each page

log = structlog.get_logger()
_changed = threading.Lock()


@dataclass
class _Known:
    """What this process knows of a database's log.

    Attributes:
        numbers: of the log of which a checkpoint of ours brought something into the file.
        done: pages of it that are in the file since.
        worker: the process that takes one just now, 0 if none does; after a fork it is another one.
    """

    numbers: bytes = b""
    done: int = 0
    worker: int = 0


_known: dict[str, _Known] = {}


def leave_to_a_thread(connection: sqlite3.Connection) -> None:
    """Have a connection's commits return without a checkpoint; who uses it has to `look` after them."""
    connection.execute(f"PRAGMA wal_autocheckpoint = {MOST_PAGES}")


def look(database: str) -> None:
    """Have a thread bring the log into the file where it is long; returns at once, and never fails.

    Args:
        database: path of the file.
    """
    known = _known.setdefault(database, _Known())
    try:
        if is_idle(database) and (numbers := _numbers(database, known)) and _is_ours(known):
            _begin(database, known, numbers)
    except (OSError, RuntimeError) as error:  # what was committed is; the next look tries again
        log.warning("checkpoint.not_begun", error=type(error).__name__)


def _is_ours(known: _Known) -> bool:
    """Whether it is the caller who takes the next checkpoint, of several that come to it at once."""
    with _changed:
        is_first = known.worker != os.getpid()
        known.worker = os.getpid()
    return is_first


def _begin(database: str, known: _Known, numbers: bytes) -> None:
    thread = threading.Thread(target=_take, args=(database, known, numbers), name=CHECKPOINT, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        known.worker = 0
        raise


def is_idle(database: str) -> bool:
    """Whether no thread of this process takes a checkpoint of a database now."""
    known = _known.get(database)
    return known is None or known.worker != os.getpid()


def _take(database: str, known: _Known, numbers: bytes) -> None:
    _run_anywhere()
    try:
        with closing(sqlite3.connect(database, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            _, _, done = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        known.numbers, known.done = numbers, max(done, 0)
    except sqlite3.Error as error:  # nothing is lost: it stays in the log, and the next look tries again
        log.warning("checkpoint.failed", error=type(error).__name__)
    finally:
        known.worker = 0


def _run_anywhere() -> None:
    """A thread runs where the one runs that started it, and who stores calls is kept to one processor."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(0, os.sched_getaffinity(os.getpid()))


def _numbers(database: str, known: _Known) -> bytes | None:
    """The numbers of the log, if it is long enough for a checkpoint and not too long."""
    try:
        file = os.open(f"{database}-wal", os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        head = os.pread(file, _HEAD.size, 0)
        if len(head) < _HEAD.size:
            return None
        size, numbers = _HEAD.unpack(head)
        done = known.done if known.numbers == numbers else 0
        is_due = _has(file, size, numbers, done + PAGES) and not _has(file, size, numbers, MOST_PAGES)
        return numbers if is_due else None
    finally:
        os.close(file)


def _has(file: int, size: int, numbers: bytes, page: int) -> bool:
    """Whether the log has come to a page of this number."""
    found = os.pread(file, _PAGE.size, _HEAD.size + (page - 1) * (_PAGE.size + size))
    return len(found) == _PAGE.size and _PAGE.unpack(found) == (numbers,)
