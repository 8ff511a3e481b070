"""Arguments of an address, read so that nothing that somebody types into one breaks a page."""

from __future__ import annotations

from flask import request

_GREATEST = 2**62


def row_id(name: str) -> int | None:
    """The id that an address bears under a name; None when it bears none that a row could have."""
    asked = request.args.get(name, type=int)
    return asked if asked is not None and 0 <= asked <= _GREATEST else None


def instant(name: str) -> int:
    """The instant in microseconds that an address bears under a name; 0 when there is none."""
    return row_id(name) or 0
