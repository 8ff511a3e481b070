"""Files as people have them, opened: gzip, zip and tar, one in the other, as streams of plain bytes.

Nothing is ever unpacked to the disk or held in memory whole, so a file may be larger than either.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from webapp.domain.text import clean

PIECE = 1 << 20
RATIO, SLACK = 300, 64 << 20
"""A file may inflate to so many times its size, and so many bytes more. Calls pack to a tenth or a fiftieth;
what packs tighter than this is a bomb, or holds no calls."""
_PACKED = 1 << 16
DEEPEST = 4
LARGEST_HEADER = 32 << 20
"""Bytes that the list of a zip's or the header of a tar's members may take."""

IGNORED = frozenset({"dummy-object.txt"})
"""Files that Segment and others put beside the calls."""


class Unreadable(Exception):
    """A file, or the rest of it, cannot be read; the text says why."""


class Stream:
    """Bytes, one after the other, with a look ahead."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        """Args:
        read: gives at most so many of the next bytes, and none at the end.
        """
        self._read = read
        self._ahead = b""
        self._error: Unreadable | None = None
        self.room: int | None = None
        """How many bytes may be read before somebody raises this again; None: any number."""

    def peek(self, size: int) -> bytes:
        """The next bytes, without taking them; fewer at the end."""
        while len(self._ahead) < size and self._error is None:
            try:
                piece = self._guarded(PIECE)
            except Unreadable as error:  # told when what stands before it has been read
                self._error = error
                break
            if not piece:
                break
            self._ahead += piece
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """Take at most so many of the next bytes; none at the end.

        Raises:
            Unreadable: it is broken, cut short or a bomb.
        """
        if self.room is not None:
            self.room -= size
            if self.room < 0:
                raise Unreadable("its list of files is too long to be honest")
        if self._ahead:
            taken, self._ahead = self._ahead[:size], self._ahead[size:]
            return taken
        if self._error is not None:
            raise self._error
        return self._guarded(size)

    def skip(self, size: int) -> None:
        """Go past so many bytes."""
        while size > 0 and (piece := self.read(min(size, PIECE))):
            size -= len(piece)

    def _guarded(self, size: int) -> bytes:
        try:
            return self._read(size)
        except EOFError:
            raise Unreadable("it is cut short") from None
        except (zlib.error, zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError):
            raise Unreadable("it is damaged") from None
        except (RuntimeError, NotImplementedError):
            raise Unreadable("it is encrypted, or packed in a way that is not known here") from None
        except OSError as error:
            raise Unreadable(f"it cannot be read ({error.strerror or 'damaged'})") from None


class Member:
    """A file without any packing around it.

    Attributes:
        name: of the file that was given and, after ` › `, of the file inside it.
        stream: its bytes; to be read before the next member is asked for.
        error: why there are no bytes, or "".
    """

    __slots__ = ("error", "name", "stream")

    def __init__(self, name: str, stream: Stream, error: str = "") -> None:
        self.name = name
        self.stream = stream
        self.error = error


class Opened:
    """A file that was given, open. Its members come one by one, always in the same order."""

    def __init__(self, path: Path, name: str) -> None:
        """Args:
        path: where it lies.
        name: what it is called.

        Raises:
            OSError: it cannot be opened.
        """
        self._file: BinaryIO = open(path, "rb")  # noqa: SIM115  closed by `close`
        self._name = name
        self._allowance = path.stat().st_size * RATIO + SLACK

    @property
    def position(self) -> int:
        """Bytes of the file that have been read."""
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def members(self) -> Iterator[Member]:
        """The files inside, or the file itself; folders and what is no file of calls are left out."""
        yield from self._inside(Stream(self._file.read), self._name, 0)

    def _inside(self, stream: Stream, name: str, depth: int) -> Iterator[Member]:
        try:
            head = stream.peek(512)
            if head.startswith(b"\x1f\x8b"):
                if depth == DEEPEST:
                    raise Unreadable("it is an archive in an archive in an archive; unpack it first")
                yield from self._inside(self._inflated(stream), name, depth + 1)
            elif head[257:262] == b"ustar" and depth < DEEPEST:
                yield from self._tar(stream, name, depth)
            elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
                yield from self._zip(name, depth)
            else:
                yield Member(name, stream)
        except Unreadable as error:
            yield Member(name, Stream(lambda _: b""), str(error))

    def _inflated(self, stream: Stream) -> Stream:
        return self._counted(_Gzip(stream).read)

    def _counted(self, read: Callable[[int], bytes]) -> Stream:
        """A stream of unpacked bytes that ends where it is no longer believable."""

        def counted(size: int) -> bytes:
            piece = read(size)
            self._allowance -= len(piece)
            if self._allowance < 0:
                raise Unreadable(f"it unpacks to more than {RATIO} times its size, which calls never do")
            return piece

        return Stream(counted)

    def _tar(self, stream: Stream, name: str, depth: int) -> Iterator[Member]:
        stream.room = LARGEST_HEADER
        try:
            with tarfile.open(fileobj=stream, mode="r|", bufsize=PIECE // 4) as archive:  # type: ignore[call-overload]
                while (info := _next(archive)) is not None:
                    stream.room = None
                    # A sparse file could say that it has any number of zeros.
                    file = archive.extractfile(info) if info.isreg() and not info.issparse() else None
                    if file is not None:
                        inner = Stream(file.read)
                        if wanted(info.name):
                            yield from self._inside(inner, f"{name} › {clean(info.name)}", depth + 1)
                        inner.skip(info.size)
                    stream.room = LARGEST_HEADER
        except tarfile.TarError:
            raise Unreadable("it is damaged") from None

    def _zip(self, name: str, depth: int) -> Iterator[Member]:
        if depth:
            raise Unreadable("it is a zip inside another archive; unpack it first")
        try:
            archive = zipfile.ZipFile(_Measured(self._file))
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            raise Unreadable("it is damaged, or cut short") from None
        with archive:
            for info in archive.infolist():
                if info.is_dir() or not wanted(info.filename):
                    continue
                inner = f"{name} › {clean(info.filename)}"
                try:
                    stream = self._counted(archive.open(info).read)
                except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
                    error = "it is damaged, encrypted, or packed in a way that is not known here"
                    yield Member(inner, Stream(lambda _: b""), error)
                    continue
                yield from self._inside(stream, inner, depth + 1)


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    found = archive.next()
    archive.members = []  # type: ignore[attr-defined]  # it would keep each for ever
    return found


def wanted(name: str) -> bool:
    """Whether a file could hold calls, by its name alone."""
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return (
        bool(parts) and parts[-1] not in IGNORED and not any(p.startswith((".", "__MACOSX")) for p in parts)
    )


class _Gzip:
    """Inflates gzip, of which several may follow each other; what is whole is given before an error is."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._packed = b""
        self._machine: Any = None

    def read(self, size: int) -> bytes:
        """At most so many of the next bytes; none at the end."""
        while True:
            if not self._packed:
                self._packed = self._stream.read(_PACKED)
            if self._machine is None:
                self._packed = self._packed.lstrip(b"\0")  # padding after the last is common
                if not self._packed:
                    if not self._stream.peek(1):
                        return b""
                    continue
                self._machine = zlib.decompressobj(16 + zlib.MAX_WBITS)
            elif not self._packed:
                raise EOFError
            piece: bytes = self._machine.decompress(self._packed, size)
            self._packed = self._machine.unconsumed_tail
            if self._machine.eof:
                self._packed, self._machine = self._machine.unused_data, None
            if piece:
                return piece


class _Measured:
    """A zip's file; its list of members, which is read at once, may not fill the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read at most so many bytes."""
        if size > LARGEST_HEADER:
            raise zipfile.BadZipFile("too many members")
        return self._file.read(size)

    def close(self) -> None:
        """The file is closed by whoever opened it."""
