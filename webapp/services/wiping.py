"""Wiping what SQLite leaves in the gaps of its pages, some pages at a time, while others go on writing.

A page of a table or an index begins with a header and the places of its rows, and fills up with rows from
its end. What lies between is the gap. A row that moved to another page leaves its bytes there, where
`secure_delete` does not look. VACUUM would write the whole file anew, but nobody can write meanwhile: some 16
seconds a gigabyte.

A gap means nothing to anybody, so its bytes can be set to zero in the file itself, provided that no other
version of the page is about and none can be made of the old one. So each round
1. takes its turn, so that no writer of ours begins, and empties the write-ahead log into the file;
2. begins to write on a connection that is new and has read nothing, and sees that the log is still empty;
3. wipes, while readers read the same rows as before, whichever bytes the gap has;
4. commits its progress, upon which every connection throws away the pages that it remembers.

A file that is told to shrink by itself (`auto_vacuum`) has pages that say where others belong, and begin as a
page of a table may. They cannot be told apart by their bytes, so such a file is left to VACUUM.

Source: "Database File Format", sections 1.3.12, 1.6, 1.8 and 4, https://www.sqlite.org/fileformat2.html
"""

from __future__ import annotations

import os
import sqlite3
import struct
import time
from collections.abc import Callable
from contextlib import closing
from functools import cache

from webapp.turns import turn

SECONDS = 0.005  # for which one round holds the write lock
READ = 64  # pages read at once
_TABLE_OR_INDEX = {0x02: 12, 0x05: 12, 0x0A: 8, 0x0D: 8}
"""First byte of a page that has a gap, and the length of its header. Any other begins with the number of a
page, whose first byte is 0 or 1 in a file of less than 2**25 pages."""
_MOST_PAGES = 2**25
_HEADER = struct.Struct(">xHHH")  # (first free block), number of cells, where they begin
_LARGEST_ROOT = slice(52, 56)  # of the file's header: zero unless it has pages that say where others belong


class NotInPlace(Exception):
    """The pages of this file cannot be told apart by their bytes: only VACUUM rids it of what it left."""


def wipe(path: str, first: int, note: Callable[[sqlite3.Connection, int], None]) -> int | None:
    """One round: wipe the gaps of some pages.

    Args:
        path: of the database.
        first: number of the page to begin with, from 0.
        note: writes down how far it is, in the transaction of the round; gets the next page's number.

    Returns:
        The number of the next page, -1 at the end of the file; None when the log could not be emptied now.

    Raises:
        NotInPlace: nothing was wiped.
    """
    with turn(path):
        connection = sqlite3.connect(path, isolation_level=None, timeout=0.25)
        with closing(connection):
            connection.execute("PRAGMA synchronous = FULL")
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if busy:
                return None
            connection.execute("BEGIN IMMEDIATE")
            if _size(f"{path}-wal"):  # somebody who takes no turns has written
                connection.execute("ROLLBACK")
                return None
            follow = _wiped(_file(path), first)
            note(connection, max(follow, 0))
            connection.execute("COMMIT")
    return follow


def _wiped(file: int, first: int) -> int:
    """Wipe from a page on until the time is over; the next page, or -1."""
    header = os.pread(file, 100, 0)
    size, reserved = _page_size(header)
    count = os.fstat(file).st_size // size
    if count >= _MOST_PAGES or any(header[_LARGEST_ROOT]):
        raise NotInPlace
    until = time.monotonic() + SECONDS
    number = first
    while number < count and time.monotonic() < until:
        some = os.pread(file, READ * size, number * size)
        for at in range(0, len(some) - size + 1, size):
            place = number * size + at
            start, end = gap(some[at : at + size], reserved, 100 if place == 0 else 0)
            if some.count(0, at + start, at + end) != end - start:
                os.pwrite(file, bytes(end - start), place + start)
        number += READ
    os.fsync(file)
    return number if number < count else -1


def gap(page: bytes, reserved: int, header: int) -> tuple[int, int]:
    """Where the gap of a page begins and ends; both 0 where it has none, or is not what it seems to be.

    Args:
        page: its bytes.
        reserved: bytes at the end of each page that belong to nobody.
        header: where its header begins: 100 on the first page, where the file's own comes before, else 0.
    """
    length = _TABLE_OR_INDEX.get(page[header])
    if length is None:
        return 0, 0
    _, cells, begin = _HEADER.unpack_from(page, header)
    begin = begin or 65_536
    start = header + length + 2 * cells
    if not start <= begin <= len(page) - reserved:
        return 0, 0
    places = struct.unpack_from(f">{cells}H", page, header + length)
    return (start, begin) if min(places, default=begin) >= begin else (0, 0)


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except FileNotFoundError:
        return 0


def _page_size(header: bytes) -> tuple[int, int]:
    size, reserved = struct.unpack_from(">H2xB", header, 16)
    return (65_536 if size == 1 else size), reserved


def _file(path: str) -> int:
    return _open(path, os.stat(path).st_ino)


@cache
def _open(path: str, _inode: int) -> int:
    """The file, open for good: to close it would take away SQLite's locks on it in this process."""
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)
