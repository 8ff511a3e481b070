"""Tables of events and what is read from them: bodies as data, in the files of `data/`."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from webapp.domain import segment, wire

RECEIVED_AT = 1_796_083_200_000_000
"""2026-12-01T00:00:00Z."""
BODIES = Path(__file__).parent.parent / "data"

_TOLD_ONLY = ("type", "message_id", "time")


def rows(name: str) -> list[dict[str, Any]]:
    """The rows of one table: {"promise", "event", "says": {field of a Reading: value}}."""
    return wire.decode((Path(__file__).parent / "data" / name).read_bytes())


def said(row: dict[str, Any]) -> dict[str, Any]:
    """What is read from a row's event: every field that is not empty, type, id and time only if told."""
    reading = msgspec.structs.asdict(segment.read(row["event"], RECEIVED_AT))
    reading["warnings"] = [list(warning) for warning in reading["warnings"]]
    return {
        field: typed(value)
        for field, value in reading.items()
        if (field in row["says"] if field in _TOLD_ONLY else value not in (None, {}, []))
    }


def expected(row: dict[str, Any]) -> dict[str, Any]:
    """What the row says is read from its event."""
    return {field: typed(value) for field, value in row["says"].items()}


def typed(value: object) -> object:
    """A value that equals another only if the types are equal too: 1, 1.0 and true are three."""
    if isinstance(value, dict):
        return {key: typed(each) for key, each in value.items()}
    return (type(value).__name__, value) if isinstance(value, bool | int | Decimal) else value
