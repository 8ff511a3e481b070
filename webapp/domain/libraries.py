"""What Segment's libraries and its HTTP API send beside events: the write key, and the type as a path.

`POST /v1/identify` says in its path what the event in its body is, and `{"batch": [...], "writeKey": ...}`
says who sends it. What is stored is the event alone, in the form that a webhook would have brought.
"""

import json
from typing import Any, Final

import msgspec
from msgspec import UNSET, Raw, UnsetType

from webapp.domain import wire

_KEY: Final = "writeKey"
_KEY_TOLD: Final = b'"writeKey"'


class _Frame(msgspec.Struct):
    writeKey: Any = UNSET
    type: Raw | UnsetType = UNSET


_FRAME: Final = msgspec.json.Decoder(_Frame)


def write_key(body: bytes) -> str | None:
    """The write key that a body names, or None.

    Args:
        body: any bytes; those that are no JSON object name none.
    """
    try:
        told = _FRAME.decode(body).writeKey
    except (msgspec.MsgspecError, UnicodeDecodeError):
        told = _leniently(body).get(_KEY)
    return told if isinstance(told, str) else None


def event_of(event: bytes, type: str) -> bytes:
    """An event as it is stored: without the write key, and with a type.

    Args:
        event: the JSON text of one event, as `wire.split` returns it.
        type: what the path says it is; it counts where the event tells no type. Empty for a batch.

    Returns:
        The very same bytes, unless the event names a write key or lacks its type.
    """
    if event[:1] != b"{":
        return event
    if _KEY_TOLD in event:
        event = _without(event, _KEY)
    if not type or _tells_type(event):
        return event
    rest = _without(event, "type") if b'"type"' in event else event
    rest = rest[1:].lstrip()
    return b'{"type":"%s"%s%s' % (type.encode(), b"" if rest[:1] == b"}" else b",", rest)


def _tells_type(event: bytes) -> bool:
    try:
        told = _FRAME.decode(event).type
    except msgspec.MsgspecError:
        return _leniently(event).get("type") not in (None, "")
    return told is not UNSET and bytes(told) not in (b"null", b'""')


def _leniently(text: bytes) -> dict[str, Any]:
    """What the standard library reads in it; nothing when that is no object."""
    try:
        value = wire.decode(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _without(event: bytes, name: str) -> bytes:
    """An object without one of its own members; the values of the others stay as they were written."""
    text = event.decode()
    kept = [
        f"{json.dumps(key)}:{text[start:stop]}"
        for key, start, stop in wire.members_of(text, 0)[0]
        if key != name
    ]
    return f"{{{','.join(kept)}}}".encode()
