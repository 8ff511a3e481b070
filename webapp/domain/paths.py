"""Paths: where in a call a value stands, and which paths a call tells.

A path is made of keys (`domain/traits.py`), so every spelling of a name is one: `traits.company.size`. In the
flat calls of Segment's ChartMogul destination it begins at the top: `company.size`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from webapp.domain.text import clean, says, written
from webapp.domain.traits import LEVELS, NEVER_IMPORTED, Traits, key_of, spelled

CALLS: Final = {
    "identify": ("traits", "context.traits"),
    "track": ("properties", "context.traits"),
    "group": ("traits",),
    "Send Contact": ("",),
    "Send Customer": ("",),
}
"""The calls that are imported, and the objects in each that hold what they tell; "" is the top."""

OF_COMPANIES: Final = ("group", "Send Customer")
"""Calls that speak of a company. All others speak of a person."""

FRAME: Final = frozenset(
    {
        *("type", "message_id", "timestamp", "original_timestamp", "sent_at", "received_at"),
        *("user_id", "anonymous_id", "context", "integrations", "channel", "version"),
    }
)
"""Keys of a flat event that are about the event itself; a customer's `group_id` comes on top."""

LONGEST_NAME: Final = 255
"""Characters of a track's event name by which it is told from others."""


class Call(NamedTuple):
    """What there is to count of one event."""

    type: str
    """A key of `CALLS`."""
    name: str
    """The name of a track call's event; "" for all others."""
    told: dict[str, object]
    """By path what stands there, if it says something: values, and the objects that hold them."""


# One path ---------------------------------------------------------------------------------------------------


def split(call: str, path: str) -> tuple[str, list[str]] | None:
    """A path as the place it begins at (`CALLS`) and the keys from there; None when there is no such path."""
    for place in CALLS.get(call, ()):
        prefix = f"{place}." if place else ""
        keys = path.removeprefix(prefix).split(".") if path.startswith(prefix) else [""]
        deep = len(keys) - containers(call, keys[:-1])
        if deep <= LEVELS and all(key and key == key_of(key) for key in keys):
            return place, keys
    return None


def containers(call: str, keys: list[str]) -> int:
    """How many of the first keys only hold others: a person's `company`, and the `address` of a company.

    What is inside these is told as if it stood beside them, so they are no level of keys.
    """
    count = 0 if call in OF_COMPANIES else int(keys[:1] == ["company"])
    of_company = call in OF_COMPANIES or count == 1
    return count + int(of_company and keys[count : count + 1] == ["address"])


def fixed(call: str, path: str) -> str | None:
    """Why no rule can be about a path, in words for a person; None when one can."""
    where = split(call, path)
    if where is None:
        return f"“{path[:200]}” is no path of a call of the type “{call[:60]}”."
    place, keys = where
    if not place and (keys[0] in FRAME or (keys[0] == "group_id" and call in OF_COMPANIES)):
        return "It is about the event itself."
    if keys[-1] in NEVER_IMPORTED and len(keys) - containers(call, keys[:-1]) == 1:
        return "Lead dates and free trial dates are never imported."
    if keys == ["company", "id"] and call not in OF_COMPANIES:
        return "It says which company the person is with."
    return None


def track_name(told: object) -> str:
    """The name of a track call as it is told from others; "" when it has none."""
    return (written(told) or "")[:LONGEST_NAME]


# A whole call -----------------------------------------------------------------------------------------------


def call_of(event: object) -> Call | None:
    """What there is to count of an event; None for one whose type is not imported."""
    if not isinstance(event, dict):
        return None
    fields = _spelled(event)
    kind = fields.get("type")
    if not isinstance(kind, str) or (kind := clean(kind.strip())) not in CALLS:
        return None
    told: dict[str, object] = {}
    for place in CALLS[kind]:
        if not place:
            frame = FRAME | {"group_id"} if kind in OF_COMPANIES else FRAME
            held: object = {name: value for name, value in fields.items() if name not in frame}
        else:
            outer, _, inner = place.partition(".")
            held = fields.get(outer)
            if inner:
                held = _spelled(held).get(inner) if isinstance(held, dict) else None
        if isinstance(held, dict):
            _walk(told, f"{place}." if place else "", held, kind, LEVELS)
    return Call(kind, track_name(fields.get("event")) if kind == "track" else "", told)


def _walk(told: dict[str, object], prefix: str, traits: Traits, call: str, levels: int) -> None:
    # Senders send the same names again and again, so what these come to is worked out once.
    for path, value in zip(_paths(prefix, tuple(traits)), traits.values(), strict=True):
        if value.__class__ is str:
            if path and value and not value.isspace():
                told[path] = value
        elif path and says(value):
            told[path] = value
            if isinstance(value, dict):
                deeper = levels - 1 + _holds(call, path)
                if deeper > 0:
                    _walk(told, f"{path}.", value, call, deeper)


def _paths(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """The paths of names behind a prefix; "" for a name of which no key is left."""
    return _known_paths(prefix, names) if len(names) <= _MANY else _new_paths(prefix, names)


def _new_paths(prefix: str, names: tuple[str, ...]) -> tuple[str, ...]:
    keys = map(key_of, names)
    return tuple(f"{prefix}{key}" if key else "" for key in keys)


def _spelled(fields: Traits) -> dict[str, object]:
    keys = _paths("", tuple(fields))
    return dict(zip(keys, fields.values(), strict=True)) if len(set(keys)) == len(keys) else spelled(fields)


_MANY: Final = 60
_known_paths: Final = lru_cache(maxsize=2048)(_new_paths)


@lru_cache(maxsize=256)
def _containers() -> frozenset[tuple[str, str]]:
    """Call and path of each object that is no level of keys (`containers`)."""
    held = ("company", "address", "company.address")
    paths = [
        (call, f"{place}.{each}" if place else each)
        for call in CALLS
        for place in CALLS[call]
        for each in held
    ]
    return frozenset(
        (call, path)
        for call, path in paths
        if (where := split(call, f"{path}.x")) and containers(call, where[1][:-1]) == len(where[1]) - 1
    )


def _holds(call: str, path: str) -> bool:
    return (call, path) in _HOLDING


_HOLDING: Final = _containers()
