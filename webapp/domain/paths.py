"""Paths: where in a call a value stands, and which paths a call tells.

A path is made of keys (`domain/traits.py`), so every spelling of a name is one: `traits.company.size`. In the
flat calls of Segment's ChartMogul destination it begins at the top: `company.size`.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
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
    fields = spelled(event)
    kind = fields.get("type")
    if not isinstance(kind, str) or (kind := clean(kind.strip())) not in CALLS:
        return None
    told: dict[str, object] = {}
    for place in CALLS[kind]:
        if not place:
            frame = FRAME | {"group_id"} if kind in OF_COMPANIES else FRAME
            _walk(
                told, "", {name: value for name, value in fields.items() if name not in frame}, kind, LEVELS
            )
            continue
        held: object = fields
        for key in place.split("."):
            held = spelled(held).get(key) if isinstance(held, dict) else None
        if isinstance(held, dict):
            _walk(told, f"{place}.", held, kind, LEVELS)
    return Call(kind, track_name(fields.get("event")) if kind == "track" else "", told)


def _walk(told: dict[str, object], prefix: str, traits: Traits, call: str, levels: int) -> None:
    for name, value in traits.items():
        key = key_of(name)
        if not key or not says(value):
            continue
        path = f"{prefix}{key}"
        told[path] = value
        deeper = levels if (call, path) in _CONTAINERS else levels - 1
        if isinstance(value, dict) and deeper > 0:
            _walk(told, f"{path}.", value, call, deeper)


def _containers() -> frozenset[tuple[str, str]]:
    """Call and path of each object that is no level of keys (`containers`)."""
    found = set()
    for call, places in CALLS.items():
        for place in places:
            for keys in (["company"], ["address"], ["company", "address"]):
                if containers(call, keys) == len(keys):
                    found.add((call, ".".join([place, *keys] if place else keys)))
    return frozenset(found)


_CONTAINERS: Final = _containers()


# Shapes -----------------------------------------------------------------------------------------------------

_DEPTH: Final = LEVELS + 2
"""Objects in objects that a path leads through: the levels of keys, and the containers."""


def shape_of(event: object) -> Hashable:
    """What events have in common that tell the same paths: senders send few shapes, again and again.

    Returns:
        Equal shapes for events of which `call_of` gives the same type, name and paths; None where it gives
        None.
    """
    if not isinstance(event, dict):
        return None
    names = tuple(event)
    parts = _parts(names)
    if parts is None:
        return object()  # names in two spellings: alone in its shape
    kind = event.get(parts.type)
    if not isinstance(kind, str) or (kind not in CALLS and clean(kind.strip()) not in CALLS):
        return None
    if parts.flat or kind not in _NESTED:
        return names, kind, _form(event, _DEPTH)
    name = event.get(parts.name) if kind == "track" else None
    context = event.get(parts.context)
    inner: Hashable = None
    if isinstance(context, dict):
        inside = _parts(tuple(context))
        if inside is None:
            return object()
        inner = _form(context.get(inside.traits), _DEPTH)
    own = parts.properties if kind == "track" else parts.traits
    return kind, track_name(name) if name is not None else "", _form(event.get(own), _DEPTH), inner


class _Parts(NamedTuple):
    """How one object spells the names that paths begin with; None where it has no such name."""

    type: str | None
    name: str | None
    traits: str | None
    properties: str | None
    context: str | None

    @property
    def flat(self) -> bool:
        return self.traits is None and self.properties is None and self.context is None


def _new_parts(names: tuple[str, ...]) -> _Parts | None:
    """The parts; None when two names have one key."""
    keys = {key_of(name): name for name in names}
    if len(keys) < len(names):
        return None
    return _Parts(*(keys.get(key) for key in ("type", "event", "traits", "properties", "context")))


_parts: Final = lru_cache(maxsize=1024)(_new_parts)
_NESTED: Final = frozenset(call for call, places in CALLS.items() if "" not in places)


def _form(value: object, levels: int) -> Hashable:
    """The names of an object and of the objects in it, and which of them say something."""
    if not isinstance(value, dict):
        return None
    marks = [
        each.strip() != "" if each.__class__ is str else each.__class__ in _NUMBERS or _mark(each, levels)
        for each in value.values()
    ]
    return tuple(value), tuple(marks)


_NUMBERS: Final = frozenset((bool, int, Decimal))


def _mark(value: object, levels: int) -> Hashable:
    if isinstance(value, dict) and levels > 1:
        return says(value), _form(value, levels - 1)
    return says(value)
