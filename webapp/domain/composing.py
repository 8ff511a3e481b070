"""One record out of several: who leads, whose value stands, and who belongs together by what was decided."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webapp.domain.policy import CONTACT_DETAILS, CUSTOMER_DETAILS

CUSTOMER_VALUES = (*CUSTOMER_DETAILS, "company", "lead_created_at", "free_trial_started_at")
CONTACT_VALUES = ("user_id", *CONTACT_DETAILS)
TAG_SEPARATOR = ", "

Fields = Mapping[str, Mapping[str, Any]]
"""What people set on a record: `{field: {"value": ..., "at": ..., "by": ...}}`."""


@dataclass(frozen=True, slots=True)
class Teller:
    """One record as one source tells of it: a data source customer, or a contact.

    Attributes:
        uuid: its origin.
        told: values by name, custom ones under `custom`.
        first_seen, last_seen: microseconds.
        billing: whether its source is a billing source.
        follows: whether a decision put it behind another record.
        rank: what comes before all of these; the smaller leads.
        name: what its source calls it.
    """

    uuid: str
    told: Mapping[str, Any]
    first_seen: int
    last_seen: int
    billing: bool = False
    follows: bool = False
    rank: int = 0
    name: str = ""


def in_order(tellers: Iterable[Teller]) -> list[Teller]:
    """The primary first, then the others.

    The order follows from what the records are, never from when they were merged: who follows nobody before
    who does, a billing source before the others, who was seen first, by name, and the uuid at last.
    """
    return sorted(tellers, key=lambda t: (t.rank, t.follows, not t.billing, t.first_seen, t.name, t.uuid))


def alike(one: Any, other: Any) -> bool:
    """Whether two values are the same as JSON. To Python `true` and 1 are."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(alike(value, other[key]) for key, value in one.items())
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def composed(tellers: Sequence[Teller], hands: Sequence[Fields], names: Sequence[str]) -> dict[str, Any]:
    """The values of one record: what people set, else the primary's, else the next one's.

    Args:
        tellers: in order.
        hands: what people set on each, in the same order.
        names: the standard attributes.

    Returns:
        A value or None for each name; `custom`, `first_seen`, `last_seen`.
    """
    set_by_hand = _set(hands)
    values = {name: _first(name, tellers) for name in names}
    values |= {name: set_by_hand[name] for name in names if name in set_by_hand}
    custom: dict[str, Any] = {}
    for teller in reversed(tellers):
        custom |= teller.told.get("custom", {})
    custom |= {name[7:]: value for name, value in set_by_hand.items() if name.startswith("custom.")}
    return values | {
        "custom": {key: custom[key] for key in sorted(custom) if custom[key] is not None},
        "first_seen": min(teller.first_seen for teller in tellers),
        "last_seen": max(teller.last_seen for teller in tellers),
    }


def set_by_people(hands: Sequence[Fields], name: str) -> Any | None:
    """What people set a field to: on the primary, else on the next one; None when nobody did."""
    return next((fields[name]["value"] for fields in hands if name in fields), None)


def tags(hands: Sequence[Fields]) -> list[str]:
    """The tags of a record: all that were given to any of those it is made of, in alphabetical order."""
    given = {tag for fields in hands for tag in fields.get("tags", {}).get("value", ())}
    return sorted(given, key=lambda tag: (tag.casefold(), tag))


def joined(hands: Sequence[Fields]) -> Fields:
    """What people set on records that are one now: of each field what was set last, and all the tags."""
    found: dict[str, Mapping[str, Any]] = {}
    for fields in sorted(hands, key=lambda fields: sorted((str(f["value"]), n) for n, f in fields.items())):
        for name, field in fields.items():
            if name not in found or found[name]["at"] <= field["at"]:
                found[name] = field
    if given := tags(hands):
        found["tags"] = {**found["tags"], "value": given}
    return found


def groups(nodes: Iterable[str], pairs: Iterable[tuple[str, str]]) -> list[set[str]]:
    """Who belongs together: the connected parts of a graph.

    Args:
        nodes: all of them.
        pairs: decided to be the same; other nodes may stand in between.
    """
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        parent.setdefault(node, node)
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one, other in pairs:
        parent[root(one)] = root(other)
    together: dict[str, set[str]] = {}
    for node in nodes:
        together.setdefault(root(node), set()).add(node)
    return list(together.values())


def followers(pairs: Collection[tuple[str, str]]) -> set[str]:
    """Those that a decision put behind another; each pair is (primary, other)."""
    return {other for primary, other in pairs if other != primary}


def _set(hands: Sequence[Fields]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for fields in reversed(hands):
        found |= {name: field["value"] for name, field in fields.items()}
    return found


def _first(name: str, tellers: Sequence[Teller]) -> Any | None:
    return next((value for teller in tellers if (value := teller.told.get(name)) is not None), None)
