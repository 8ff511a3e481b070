"""Archives of events, one JSON text a line, cut into the bodies of requests."""

from __future__ import annotations

import gzip
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from webapp.domain import wire

LARGEST_BATCH = 4 * 1024 * 1024  # bytes; receivers set a limit, Tributary's own is 5 MiB
_BOM = b"\xef\xbb\xbf"
_NONE_YET = -1


@dataclass(frozen=True, slots=True)
class Shape:
    """How events are put into requests.

    Attributes:
        batch: the most events in one request; 1 sends each alone and as it is, as Segment does.
        array: a batch is a bare array instead of `{"batch": [...]}`.
        gzip: bodies are compressed.
        shuffle: the seed of another order than the file's; None keeps the file's.
        repeat: how often every event is sent.
    """

    batch: int = 1
    array: bool = False
    gzip: bool = False
    shuffle: int | None = None
    repeat: int = 1


@dataclass(frozen=True, slots=True)
class Parcel:
    """The body of one request.

    Attributes:
        body: the bytes to send.
        events: how many events it carries.
        line: the line of the first of them, from 1.
    """

    body: bytes
    events: int
    line: int


class Archive:
    """A file of events, open to be sent. It is read piece by piece, so it may be larger than memory."""

    def __init__(self, path: Path, shape: Shape) -> None:
        """Args:
        path: the file; blank lines in it are skipped.
        shape: how its events are put into requests.

        Raises:
            OSError: it cannot be read.
        """
        self._file = open(path, "rb")  # noqa: SIM115  closed by __exit__
        self._shape = shape
        self._starts, self._lines = self._look_through()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        """How many events there are to send, repeats included."""
        return len(self._starts) * self._shape.repeat

    def parcels(self) -> Iterator[Parcel]:
        """The bodies to send, in their order. One thread at a time may ask for the next."""
        together: list[bytes] = []
        size, first = 0, _NONE_YET
        for line, event in self._events():
            if self._shape.batch == 1 or not _fits_a_batch(event):
                yield Parcel(self._packed(event), 1, line)
                continue
            if together and (len(together) == self._shape.batch or size + len(event) > LARGEST_BATCH):
                yield self._batch(together, first)
                together, size = [], 0
            first = first if together else line
            together.append(event)
            size += len(event)
        if together:
            yield self._batch(together, first)

    def _batch(self, events: list[bytes], line: int) -> Parcel:
        joined = b"[" + b",".join(events) + b"]"
        body = joined if self._shape.array else b'{"batch":' + joined + b"}"
        return Parcel(self._packed(body), len(events), line)

    def _packed(self, body: bytes) -> bytes:
        return gzip.compress(body, 6, mtime=0) if self._shape.gzip else body

    def _events(self) -> Iterator[tuple[int, bytes]]:
        order = array("q", range(len(self._starts))) * self._shape.repeat
        if self._shape.shuffle is not None:
            random.Random(self._shape.shuffle).shuffle(order)  # noqa: S311  an order, not a secret
        for place in order:
            self._file.seek(self._starts[place])
            yield self._lines[place], self._file.readline().strip()

    def _look_through(self) -> tuple[array[int], array[int]]:
        """Where the lines that are not blank begin, and their numbers."""
        starts, lines = array("q"), array("q")
        begin = len(_BOM) if self._file.read(len(_BOM)) == _BOM else 0
        self._file.seek(begin)
        for number, line in enumerate(self._file, 1):
            if line.strip():
                starts.append(begin)
                lines.append(number)
            begin += len(line)
        return starts, lines


def _fits_a_batch(event: bytes) -> bool:
    """Whether a line is one JSON object; anything else would spoil its neighbours, or mean something else."""
    try:
        return wire.split(event).events == [event]
    except wire.Refused:
        return False
