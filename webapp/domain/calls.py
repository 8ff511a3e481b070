"""What an import looks at in a call, in a glance, to tell whether it was chosen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, Final, NamedTuple

import msgspec

from webapp.domain import wire
from webapp.domain.clock import event_time, read_time
from webapp.domain.text import compact, says, written

TYPES: Final = ("identify", "group", "track", "Send Contact", "Send Customer")
"""Types of calls that say something; all others are only ever ignored, so no import stores them."""

LONGEST_NAME: Final = 255
LONGEST_TYPE: Final = 64
MICROS_PER_DAY: Final = 86_400 * 1_000_000
_EPOCH: Final = date(1970, 1, 1).toordinal()
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


class Glance(NamedTuple):
    """What one call is, without what it says."""

    type: str
    name: str
    """The event's name, for a track call; "" for others, and for one without."""
    time: int
    """Microseconds since the epoch, UTC; when it tells no time that can be read, the time of receipt."""


class _Head(msgspec.Struct):
    type: Any = None
    event: Any = None
    timestamp: Any = None
    originalTimestamp: Any = None
    original_timestamp: Any = None
    sentAt: Any = None
    sent_at: Any = None
    receivedAt: Any = None
    received_at: Any = None


_HEAD: Final = msgspec.json.Decoder(_Head, float_hook=Decimal)


def glance(event: bytes, received_at: int) -> Glance:
    """Tell what a call is, several times as fast as reading it.

    Args:
        event: the JSON text of an object, as `wire.split` returns it.
        received_at: microseconds since the epoch, UTC; no call is later than its receipt.

    Returns:
        The same type and time that `segment.read` finds.
    """
    try:
        head = _HEAD.decode(event)
    except (msgspec.MsgspecError, ArithmeticError, UnicodeDecodeError):
        value = wire.decode(event)
        fields: Mapping[str, Any] = value if isinstance(value, dict) else {}
        return _glance(fields.get("type"), fields.get("event"), event_time(fields, received_at)[0])
    told = head.timestamp
    if type(told) is str and (time := read_time(told)) is not None:
        return _glance(head.type, head.event, min(time, received_at))
    return _glance(head.type, head.event, event_time(msgspec.structs.asdict(head), received_at)[0])


def _glance(type_: Any, name: Any, time: int) -> Glance:
    if not (isinstance(type_, str) and type_ in _KNOWN):
        type_ = (written(type_) or compact(type_))[:LONGEST_TYPE] if says(type_) else ""
    return Glance(type_, _name(name) if type_ == "track" else "", time)


_KNOWN: Final = frozenset(TYPES)


def _name(told: Any) -> str:
    return (written(told) or "")[:LONGEST_NAME]


class Choice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which calls of an archive are imported."""

    first: int | None = None
    """Not before this instant, microseconds since the epoch; None: from the beginning."""
    end: int | None = None
    """Before this instant; None: to the end."""
    types: tuple[str, ...] | None = None
    """Types out of `TYPES`; None: all of them."""
    events: tuple[str, ...] | None = None
    """Names of track calls; None: all, and those without a name too."""

    def takes(self, call: Glance) -> bool:
        """Whether a call was chosen."""
        if call.type not in (_KNOWN if self.types is None else self.types):
            return False
        if self.events is not None and call.type == "track" and call.name not in self.events:
            return False
        return (self.first is None or call.time >= self.first) and (self.end is None or call.time < self.end)


class Unfit(ValueError):
    """A choice that cannot be made; the text is for the person who made it.

    Attributes:
        field: `from`, `to`, `types` or `events`.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def choose(first: str, last: str, types: list[str] | None, events: list[str] | None) -> Choice:
    """Make a choice of what a person has typed or ticked.

    Args:
        first: the first day, `2026-01-31`; blank: from the beginning.
        last: the last day, which is taken whole; blank: to the end.
        types: out of `TYPES`, however capitalised; None: all.
        events: names of track calls; None: all.

    Raises:
        Unfit: a day that is none, the last before the first, or a type that is never imported.
    """
    begin, end = _day("from", first), _day("to", last)
    if begin is not None and end is not None and end < begin:
        raise Unfit("to", "The last day is before the first.")
    known = {each.lower(): each for each in TYPES}
    for each in types or ():
        if each.lower() not in known:
            raise Unfit(
                "types", f"Calls of the type “{each}” are not imported. Types are: {', '.join(TYPES)}."
            )
    if types is not None and not types:
        raise Unfit("types", "Choose at least one type of call.")
    return Choice(
        None if begin is None else begin * MICROS_PER_DAY,
        None if end is None else (end + 1) * MICROS_PER_DAY,
        None if types is None else tuple(known[each.lower()] for each in types),
        None if events is None else tuple(each.strip()[:LONGEST_NAME] for each in events),
    )


def _day(field: str, text: str) -> int | None:
    """The number of a day since the epoch."""
    text = text.strip()
    if not text:
        return None
    try:
        if not _DATE.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text).toordinal() - _EPOCH
    except ValueError:
        raise Unfit(field, f"“{text}” is no day. Write it as 2026-01-31.") from None


def day_of(number: int) -> str:
    """A day as people write it: 0 is `1970-01-01`."""
    return date.fromordinal(number + _EPOCH).isoformat()
