"""The body of a request: read whole or not at all, and inflated no further than the limit."""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_PIECE = 64 * 1024
_MOST_CODINGS = 4
# Each takes some ten microseconds, however little comes out of it.
_MOST_MEMBERS = 10_000
_PADDING = re.compile(rb"\0*")
# `zlib` tells the formats apart by the window size: gzip, zlib, and deflate without any header.
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_NAMES = {"gzip": "gzip", "x-gzip": "gzip", "deflate": "deflate"}

UNKNOWN_CODING = "this Content-Encoding is not known; send gzip, deflate or none"
CUT_SHORT = "the body ended before it was complete"
TOO_MANY_MEMBERS = f"the body is gzip in more than {_MOST_MEMBERS:,} members"
BROKEN = "the body cannot be inflated: it is broken or cut short"


class Refusal(Exception):
    """A call that cannot be taken, with the status and the reason to answer.

    Attributes:
        status: 400, 413 or 415.
        message: for the sender; nothing of the body is in it.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class _Input(Protocol):
    def read(self, size: int, /) -> bytes: ...


def body_of(environ: WSGIEnvironment, most: int) -> bytes:
    """The body of a request, without its content codings.

    Args:
        environ: of WSGI.
        most: bytes that it may have, inflated.

    Raises:
        Refusal: an unknown coding (415), too large (413), or broken or cut short (400).
    """
    codings = _codings(environ.get("HTTP_CONTENT_ENCODING", ""))
    # What does not compress grows a little when it is packed.
    limit = most + most // 100 + 1024 if codings else most
    body = _read(environ, limit, most)
    for coding in reversed(codings):
        body = inflate(body, coding, most)
    return body


def inflate(packed: bytes, coding: str, most: int) -> bytes:
    """Undo one content coding, step by step, so that a bomb is noticed at the limit and not in memory.

    Args:
        packed: as it came.
        coding: `gzip`, of which several may follow each other, or `deflate`, with zlib's header or without.
        most: bytes that may come out.

    Raises:
        Refusal: more than that comes out (413), or it is broken, cut short or of too many members (400).
    """
    window = _GZIP if coding == "gzip" else _ZLIB if _has_zlib_header(packed) else _RAW
    try:
        return _members(packed, window, most)
    except zlib.error:
        pass
    if window == _ZLIB:
        # Two bytes of a raw stream may look like a header.
        try:
            return _members(packed, _RAW, most)
        except zlib.error:
            pass
    raise Refusal(400, BROKEN)


def _codings(header: str) -> list[str]:
    if not header:
        return []
    names = [name.strip().lower() for name in header.split(",")]
    names = [name for name in names if name not in ("", "identity")]
    if len(names) > _MOST_CODINGS or not all(name in _NAMES for name in names):
        raise Refusal(415, UNKNOWN_CODING)
    return [_NAMES[name] for name in names]


def _read(environ: WSGIEnvironment, limit: int, most: int) -> bytes:
    announced = _announced(environ)
    if announced is not None and announced > limit:
        raise too_large(most)
    # Without a length (chunked) only a server that marks the end itself can be read to the end.
    wanted = announced
    if wanted is None:
        wanted = limit + 1 if environ.get("wsgi.input_terminated") else 0
    body = _read_up_to(environ["wsgi.input"], wanted)
    if announced is not None and len(body) < announced:
        raise Refusal(400, CUT_SHORT)
    if len(body) > limit:
        raise too_large(most)
    return body


def _announced(environ: WSGIEnvironment) -> int | None:
    if environ.get("HTTP_TRANSFER_ENCODING"):
        return None
    text = environ.get("CONTENT_LENGTH") or ""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise Refusal(400, "the Content-Length is not a number")
    return int(text)


def _read_up_to(source: _Input, size: int) -> bytes:
    pieces: list[bytes] = []
    missing = size
    while missing > 0:
        try:
            piece = source.read(min(missing, _PIECE))
        except (OSError, RuntimeError, ValueError):
            # The sender hung up; servers tell it in different ways.
            raise Refusal(400, CUT_SHORT) from None
        if not piece:
            break
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _has_zlib_header(packed: bytes) -> bool:
    return len(packed) >= 2 and packed[0] & 0x0F == 8 and int.from_bytes(packed[:2]) % 31 == 0


def _members(packed: bytes, window: int, most: int) -> bytes:
    # Piece by piece: at the end of each member zlib copies what it was given and did not need, which of a
    # whole body of tiny ones would be the body again and again.
    pieces: list[bytes] = []
    room, at = most, 0
    for _ in range(_MOST_MEMBERS):
        machine: Any = zlib.decompressobj(window)
        while not machine.eof:
            given = packed[at : at + _PIECE]
            if not given:
                raise zlib.error("cut short")
            piece = machine.decompress(given, room + 1)
            pieces.append(piece)
            room -= len(piece)
            if room < 0:
                raise too_large(most)
            at += len(given) - len(machine.unused_data)
        if window == _GZIP and (padding := _PADDING.match(packed, at)):  # common after the last member
            at = padding.end()
        if at == len(packed):
            return b"".join(pieces)
        if window != _GZIP:
            raise zlib.error("something follows")
    raise Refusal(400, TOO_MANY_MEMBERS)


def too_large(most: int) -> Refusal:
    """413 for a body."""
    return Refusal(413, f"the body has more than {most:,} bytes, inflated")
