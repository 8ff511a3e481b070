"""JSON as it comes over the wire: what a body carries, and the value of one event.

msgspec does the work. It keeps to the letter of JSON, so what it refuses goes once more through the standard
library's decoder, which lets through what senders really send: NaN, Infinity, half a surrogate pair. Where
both can read a text, they give the same value.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

DEEPEST: Final = 512
"""Levels of arrays and objects that a body may nest; the outermost is level 1."""

BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = " \t\n\r"
BLANKS: Final = _SPACE.encode()
_NOT_JSON: Final = "the body is not JSON"
_TOO_DEEP: Final = f"the body nests more than {DEEPEST} levels deep"


class Refused(Exception):
    """A body that carries no events at all; its text tells the sender why."""


class Parcel(msgspec.Struct, frozen=True):
    """What one request's body carries."""

    events: list[bytes]
    """The JSON text of each event, byte for byte as received."""
    is_test: bool = False
    """True for `{}` alone, by which Segment tests a connection; it carries no event."""


# Values -----------------------------------------------------------------------------------------------------


def _decimal(text: str) -> Decimal:
    """A number with its digits as told; past what a double holds, infinity or zero: no number is a bomb."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return Decimal(repr(float(text)))
    return number if -324 <= number.adjusted() <= 308 else Decimal(repr(float(text)))


def _integer(text: str) -> int | str:
    """An integer; one of more digits than Python converts stays text."""
    try:
        return int(text)
    except ValueError:
        return text


_VALUE: Final = msgspec.json.Decoder(float_hook=_decimal)
_LENIENT_VALUE: Final = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=Decimal)


def decode(raw: bytes) -> object:
    """The value of one JSON text.

    Args:
        raw: UTF-8; a byte order mark is skipped.

    Returns:
        Objects, arrays, texts, booleans, None, `int`, and `Decimal` for every number with a point or an
        exponent (so 1 and 1.0 stay apart). NaN and Infinity are Decimals too; an integer of thousands of
        digits is its text; lone surrogates stay in the text.

    Raises:
        ValueError: it is not JSON. What `split` returned never raises.
    """
    raw = raw.removeprefix(BOM)
    try:
        return _VALUE.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return _LENIENT_VALUE.decode(raw.decode())


# Bodies -----------------------------------------------------------------------------------------------------


class _Envelope(msgspec.Struct):
    # All that JSON can hold, so that it is gone through once; only a list is a batch.
    batch: list[Raw] | dict[str, Raw] | str | float | bool | UnsetType | None = UNSET


_ENVELOPE: Final = msgspec.json.Decoder(_Envelope)
_PIECES: Final = msgspec.json.Decoder(list[Raw])
_SKIPPER: Final = json.JSONDecoder(parse_float=str, parse_int=str)
_PADDING: Final = re.compile(f"[{_SPACE}]*")


def split(body: bytes) -> Parcel:
    """What a request's body carries: one event, an array of them, or `{"batch": [...]}`.

    Args:
        body: the whole body, inflated. Elements of an array may be anything; each is an event, readable or
        not.

    Returns:
        The events in their order; for `{}` alone none, marked as a connection test.

    Raises:
        Refused: it is not UTF-8, not JSON, neither object nor array, or nested past 512 levels.
    """
    body = body.removeprefix(BOM).strip(BLANKS)
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Refused(f"the body is not UTF-8 (byte {error.start})") from None
    try:
        events = _pieces(body, text)
    except RecursionError:
        raise Refused(_TOO_DEEP) from None
    if _too_deep(body, events):
        raise Refused(_TOO_DEEP)
    if body[:1] == b"{" and b'"' not in body:  # an object without a single key
        return Parcel([], is_test=True)
    return Parcel(events)


def _pieces(body: bytes, text: str) -> list[bytes]:
    try:
        return _strict_pieces(body)
    except msgspec.MsgspecError:
        pass
    try:
        return _lenient_pieces(text)
    except ValueError as error:
        place = f" (character {error.pos})" if isinstance(error, json.JSONDecodeError) else ""
        raise Refused(_NOT_JSON + place) from None


def _strict_pieces(body: bytes) -> list[bytes]:
    if body[:1] == b"[":
        return [*map(bytes, _PIECES.decode(body))]
    batch = _ENVELOPE.decode(body).batch
    return [*map(bytes, batch)] if isinstance(batch, list) else [body]


def _lenient_pieces(text: str) -> list[bytes]:
    if text[:1] not in ("{", "["):
        _SKIPPER.decode(text)
        raise Refused("the body is neither a JSON object nor an array")
    members, end = members_of(text, 0)
    if end != len(text):
        raise json.JSONDecodeError("more than one value", text, end)
    pieces = [(start, stop) for _, start, stop in members]
    if text[0] == "{":
        batches = [start for key, start, _ in members if key == "batch"]
        if not batches or text[batches[-1]] != "[":
            return [text.encode()]
        pieces = [(start, stop) for _, start, stop in members_of(text, batches[-1])[0]]
    return [text[start:stop].encode() for start, stop in pieces]


def members_of(text: str, at: int) -> tuple[list[tuple[object, int, int]], int]:
    """Where the members of an object or array stand.

    Args:
        text: JSON that `split` has let through.
        at: where in it the object or array begins.

    Returns:
        The (key or None, start, end) of every member's value, and where the object or array ends.
    """
    is_object, closing = (True, "}") if text[at] == "{" else (False, "]")
    members: list[tuple[object, int, int]] = []
    at = _past(text, at + 1)
    if text[at : at + 1] == closing:
        return members, at + 1
    while True:
        key = None
        if is_object:
            if text[at : at + 1] != '"':
                raise json.JSONDecodeError("a key is missing", text, at)
            key, at = _SKIPPER.raw_decode(text, at)
            at = _past(text, at, ":")
        start = at
        _, stop = _SKIPPER.raw_decode(text, start)
        members.append((key, start, stop))
        at = _past(text, stop)
        if text[at : at + 1] == closing:
            return members, at + 1
        at = _past(text, at, ",")


def _past(text: str, at: int, mark: str = "") -> int:
    """The next place after white space, and after `mark` and the white space behind it."""
    at = _PADDING.match(text, at).end()  # type: ignore[union-attr]  # it matches nothing at all, too
    if not mark:
        return at
    if text[at : at + 1] != mark:
        raise json.JSONDecodeError(f"{mark} is missing", text, at)
    return _past(text, at + 1)


# Depth ------------------------------------------------------------------------------------------------------

_STRING: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_STEPS: Final = bytes.maketrans(b"[]{}", b"\x02\x00\x02\x00")
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def _too_deep(body: bytes, events: list[bytes]) -> bool:
    """Whether a body nests too deep; counting brackets settles it for most, and the odd one is measured."""
    # What is opened is closed, so most are not even long enough.
    if len(body) <= 2 * DEEPEST:
        return False
    long = [event for event in events if len(event) > 2 * (DEEPEST - 2)]
    if max(map(openings, long), default=0) <= DEEPEST - 2:
        outside = len(body) - sum(map(len, events))
        if outside <= 2 * DEEPEST or openings(body) - sum(map(openings, events)) <= DEEPEST:
            return False
    brackets = _STRING.sub(b"", body).translate(_STEPS, _NOT_BRACKETS)
    return max(accumulate(step - 1 for step in brackets), default=0) > DEEPEST


def openings(text: bytes) -> int:
    """How many objects and arrays a text opens, those in its strings among them."""
    return text.count(b"{") + text.count(b"[")
