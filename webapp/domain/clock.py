"""Times as senders write them, read leniently and kept as microseconds since the epoch, UTC."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import ROUND_FLOOR, Context, Decimal
from email.utils import parsedate_tz
from typing import Final

from webapp.domain.text import decimal, says

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST: Final = (datetime(1, 1, 1, tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND

_ISO: Final = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:[.,]\d+)?)?(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?",
    re.ASCII,
)
_RFC_2822: Final = re.compile(
    r"(?:[a-z]{3}\s*,\s*)?\d{1,2}\s+[a-z]{3}\s+(?:\d{4}|\d\d)\s+\d\d:\d\d(?::\d\d)?"
    r"(?:\s+(?:[+-]\d{4}|[a-z]{1,4}))?(?:\s*\([^()]*\))?",
    re.ASCII | re.IGNORECASE,
)
_EPOCH_TEXT: Final = re.compile(r"-?\d{1,20}(?:\.\d+)?", re.ASCII)

_MILLISECONDS_FROM: Final = 100_000_000_000
"""Numbers from here on count milliseconds: as seconds they would lie beyond the year 5138."""
_CUT: Final = Context(prec=40, rounding=ROUND_FLOOR)

_EVENT_TIMES: Final = (
    ("timestamp",),
    ("originalTimestamp", "original_timestamp"),
    ("sentAt", "sent_at"),
    ("receivedAt", "received_at"),
)


def read_time(value: object) -> int | None:
    """The instant that a value tells, whichever way the sender writes times.

    Args:
        value: ISO 8601 with `T` or a space, with or without zone (none is UTC); a date alone; RFC 2822;
            seconds since the epoch as number or text, milliseconds from 1e11 on. Anything else, booleans
            too, is no time.

    Returns:
        Microseconds since the epoch, UTC, cut and not rounded; None when unreadable or outside the years 1 to
        9999.
    """
    if isinstance(value, str):
        instant = _from_text(value.strip())
    elif isinstance(value, bool):
        return None
    elif isinstance(value, int):
        instant = value * (1_000 if abs(value) >= _MILLISECONDS_FROM else 1_000_000)
    else:
        number = decimal(value)
        instant = None if number is None else _from_decimal(number)
    return instant if instant is not None and _FIRST <= instant <= _LAST else None


def _from_text(text: str) -> int | None:
    if _ISO.fullmatch(text):
        return _from_iso(text)
    if _EPOCH_TEXT.fullmatch(text):
        return _from_decimal(Decimal(text))
    return _from_rfc_2822(text) if _RFC_2822.fullmatch(text) else None


def _from_iso(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:  # no such day
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def _from_rfc_2822(text: str) -> int | None:
    parts = parsedate_tz(text)
    if parts is None:  # no such month
        return None
    try:
        moment = datetime(*parts[:6], tzinfo=UTC)
    except ValueError:
        return None
    return (moment - _EPOCH) // _MICROSECOND - (parts[9] or 0) * 1_000_000


def _from_decimal(number: Decimal) -> int | None:
    if not number.is_finite() or abs(number) >= 10**18:
        return None
    shift = 3 if abs(number) >= _MILLISECONDS_FROM else 6
    cut = number.quantize(Decimal((0, (1,), -shift)), context=_CUT)
    return int(cut.scaleb(shift, context=_CUT))


def event_time(event: Mapping[str, object], received_at: int) -> tuple[int, list[tuple[str, str]]]:
    """When an event happened, as it tells itself, but never later than it was received.

    Args:
        event: the event's own top level; camelCase or snake_case.
        received_at: microseconds since the epoch, UTC.

    Returns:
        The first of timestamp, originalTimestamp, sentAt and receivedAt that says anything, capped at the
        receipt; when that one is unreadable the receipt, with the warning ("unreadable_time", its name).
    """
    for spellings in _EVENT_TIMES:
        for name in spellings:
            told = event.get(name)
            if not says(told):
                continue
            instant = read_time(told)
            if instant is None:
                return received_at, [("unreadable_time", name)]
            return min(instant, received_at), []
    return received_at, []


def iso(instant: int) -> str:
    """An instant as people and exports see it: `2026-09-01T10:15:14Z`, a fraction only where there is one."""
    moment = _EPOCH + instant * _MICROSECOND
    return moment.replace(tzinfo=None).isoformat() + "Z"


def timestamp_form(text: str) -> bool:
    """Whether a text is a Timestamp: a full ISO 8601 date, or date and time with `T`, of a real day."""
    if len(text) < 10 or text[4] != "-" or " " in text:
        return False
    if _ISO.fullmatch(text) is None:
        return False
    instant = _from_iso(text)
    return instant is not None and _FIRST <= instant <= _LAST
