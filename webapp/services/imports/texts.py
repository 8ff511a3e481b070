"""A stream of bytes cut into JSON texts, each with its place: one a line, or the elements of arrays.

No more than one text is held at a time, and one that is too long is gone past without being held at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from webapp.services.imports.containers import PIECE, Stream, Unreadable

_BOM = b"\xef\xbb\xbf"
_SPACE = b" \t\r\n"
_QUOTE, _BACKSLASH, _NEWLINE = ord('"'), ord("\\"), ord("\n")

# Both match to the end of what is there, possessively: no input makes them look at a byte twice.
_OUTSIDE = re.compile(rb'[^"\[\]{}]*+(?:"[^"\\]*+(?:\\.[^"\\]*+)*+"[^"\[\]{}]*+)*+', re.DOTALL)
_INSIDE = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)
_SCALAR = re.compile(rb"[^,\[\]{}\n]*+")
_BETWEEN = re.compile(rb"[ \t\r\n,]*+")


class Position(NamedTuple):
    """Where in a file's plain bytes a reader stands, between two texts."""

    offset: int = 0
    line: int = 1
    """The number of the line on which the next text begins, or before which blank lines stand."""
    inside: bool = False
    """Whether an array is open."""


class Text(NamedTuple):
    """One JSON text, or the place of one that is too long."""

    text: bytes | None
    line: int
    after: Position


def texts(stream: Stream, begin: Position, longest: int) -> Iterator[Text]:
    """The JSON texts of a file.

    A file whose first text is an array holds arrays; one whose first line is a single brace holds objects
    that go over several lines; any other holds one text a line.

    Args:
        stream: at its very beginning.
        begin: where to go on.
        longest: bytes of a text.

    Raises:
        Unreadable: it is no text, or ends badly; what came before that was given.
    """
    head = stream.peek(PIECE // 16)
    if b"\0" in head:
        raise Unreadable("it is not JSON in UTF-8, and no archive that is known here")
    start = head.removeprefix(_BOM).lstrip(_SPACE)
    spread = start.startswith(b"[") or start.split(b"\n", 1)[0].rstrip(_SPACE) == b"{"
    if not begin.offset and head.startswith(_BOM):
        begin = Position(len(_BOM))
    stream.skip(begin.offset)
    yield from _values(stream, begin, longest) if spread else _lines(stream, begin, longest)


def _lines(stream: Stream, begin: Position, longest: int) -> Iterator[Text]:
    offset, line, _ = begin
    rest = b""
    skipped = 0
    while piece := stream.read(PIECE):
        found = (rest + piece).split(b"\n")
        rest = found.pop()
        for text in found:
            offset += len(text) + 1 + skipped
            if skipped or len(text) > longest:
                yield Text(None, line, Position(offset, line + 1))
                skipped = 0
            elif text and not text.isspace():
                yield Text(text, line, Position(offset, line + 1))
            line += 1
        if len(rest) > longest:
            skipped, rest = skipped + len(rest), b""
    offset += len(rest) + skipped
    if skipped:
        yield Text(None, line, Position(offset, line))
    elif rest and not rest.isspace():
        yield Text(rest, line, Position(offset, line))


def _values(stream: Stream, begin: Position, longest: int) -> Iterator[Text]:
    window = _Window(stream, begin)
    while (first := window.next()) is not None:
        line = window.line
        if not window.inside and first == ord("["):
            window.inside = True
            window.take(1)
            continue
        if window.inside and first == ord("]"):
            window.inside = False
            window.take(1)
            continue
        text = window.value(longest) if first in b"[{" else window.scalar(longest)
        yield Text(text, line, Position(window.offset, window.line, window.inside))


class _Window:
    """The part of a stream that is being looked at."""

    def __init__(self, stream: Stream, begin: Position) -> None:
        self._stream = stream
        self._data = b""
        self._at = 0
        self.offset, self.line, self.inside = begin

    def next(self) -> int | None:
        """The first byte of what comes next, after blanks and commas; None at the end."""
        while True:
            match = _BETWEEN.match(self._data, self._at)
            self.take((match.end() if match else self._at) - self._at)
            if self._at < len(self._data):
                return self._data[self._at]
            if not self._more():
                return None

    def take(self, size: int) -> None:
        """Go on by so many bytes of the window."""
        end = self._at + size
        self.line += self._data.count(_NEWLINE, self._at, end)
        self.offset += size
        self._at = end

    def value(self, longest: int) -> bytes | None:
        """Take an object or array; None for one that is too long."""
        scan, kept = _Scan(), b""
        while True:
            end = scan.end_of(self._data, self._at)
            size = (len(self._data) if end is None else end) - self._at
            kept = kept + self._data[self._at : self._at + size] if len(kept) <= longest else kept
            self.take(size)
            if end is not None or not self._more():
                return kept if len(kept) <= longest else None

    def scalar(self, longest: int) -> bytes | None:
        """Take anything else, which is no call, up to the next comma, bracket or line."""
        kept = b""
        while True:
            match = _SCALAR.match(self._data, self._at)
            end = match.end() if match else self._at
            if end == self._at and not kept:
                end += 1  # a bracket that closes nothing
            kept = (kept + self._data[self._at : end])[: longest + 1]
            self.take(end - self._at)
            if self._at < len(self._data) or not self._more():
                return kept if len(kept) <= longest else None

    def _more(self) -> bool:
        piece = self._stream.read(PIECE)
        self._data, self._at = self._data[self._at :] + piece, 0
        return bool(piece)


class _Scan:
    """Finds the end of an object or array that may go over any number of pieces."""

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def end_of(self, data: bytes, at: int) -> int | None:
        """Where it ends in this piece, if it does; the piece counts as seen."""
        size = len(data)
        while at < size:
            if self._escaped:
                self._escaped = False
                at += 1
            elif self._in_string:
                at = _end(_INSIDE, data, at)
                if at < size:
                    self._escaped = data[at] == _BACKSLASH
                    self._in_string = self._escaped
                    at += 1
            else:
                at = _end(_OUTSIDE, data, at)
                if at < size:
                    byte = data[at]
                    at += 1
                    if byte == _QUOTE:  # of a string that does not end in this piece
                        self._in_string = True
                    else:
                        self._depth += 1 if byte in b"{[" else -1
                        if self._depth == 0:
                            return at
        return None


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    match = pattern.match(data, at)
    return match.end() if match else at
