"""CSV as people open it: RFC 4180 in UTF-8, and nothing in it that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
# A number or a phone number after its sign: a spreadsheet can make nothing else of it, and a quote in front
# would spoil it for every other program.
_HARMLESS = re.compile(r"[+-][\d ().\-]*\d[\d ().\-]*", re.ASCII)
_ROWS = 500


def defused(text: str) -> str:
    """A cell that no spreadsheet runs: one that begins like a formula gets an apostrophe in front.

    Plain numbers and phone numbers (`-3`, `+33 1 23 45 67 89`) stay as they are.
    """
    if text.startswith(_FORMULA) and not _HARMLESS.fullmatch(text):
        return "'" + text
    return text


def lines(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[bytes]:
    """A CSV file in pieces, so that it can be sent while it is made.

    Args:
        header: names of the columns.
        rows: cells as text; each is defused.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # the standard's own line ends: CRLF
    writer.writerow(header)
    for number, row in enumerate(rows, 1):
        writer.writerow([defused(cell) for cell in row])
        if number % _ROWS == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    data = buffer.getvalue().encode("utf-8", "replace")
    buffer.seek(0)
    buffer.truncate()
    return data
