"""How often some events told each path: counted in memory, before it is added to what is stored."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from webapp.domain.paths import call_of, shape_of

# (path, call, name), as the row has them.
Key = tuple[str, str, str]


class Counted(NamedTuple):
    """How often, and by which events."""

    calls: int
    first_id: int
    last_id: int
    last_at: int
    """When the last of them was received, in microseconds."""

    def plus(self, other: Counted) -> Counted:
        """Both together."""
        last_id, last_at = max((self.last_id, self.last_at), (other.last_id, other.last_at))
        return Counted(self.calls + other.calls, min(self.first_id, other.first_id), last_id, last_at)


class Tally:
    """What some events told, counted in memory: shape by shape, since few shapes make many events."""

    __slots__ = ("shapes",)

    def __init__(self) -> None:
        self.shapes: dict[Hashable, list[Any]] = {}
        """Events, the first one's id, the last one's, when that was received, and one of them."""

    def add(self, event_id: int, event: object, received_at: int) -> None:
        """Count one event, as it was decoded. Ids come in ascending order."""
        shape = shape_of(event)
        if shape is None:
            return
        known = self.shapes.get(shape)
        if known is None:
            self.shapes[shape] = [1, event_id, event_id, received_at, event]
        else:
            known[0] += 1
            known[2], known[3] = event_id, received_at

    def seen(self) -> dict[Key, Counted]:
        """What the events told, path by path, and the calls themselves."""
        seen: dict[Key, Counted] = {}
        for count, first, last, at, event in self.shapes.values():
            call = call_of(event)
            if call is None:
                continue
            counted = Counted(count, first, last, at)
            keys = [(path, call.type, "") for path in call.told]
            keys += {("", call.type, ""), ("", call.type, call.name)}
            for key in keys:
                seen[key] = seen[key].plus(counted) if key in seen else counted
        return seen
