"""Where the values at a path end up: found by reading a call that tells nothing else."""

from __future__ import annotations

from typing import Final, NamedTuple

from webapp.domain import segment
from webapp.domain.mapping import CONTACT, CUSTOMER, DEFAULT, Mapping
from webapp.domain.paths import OF_COMPANIES, split

_PROBE: Final = "x@y.example"
"""A text that every standard attribute takes."""
_DATE: Final = "2020-01-01T00:00:00Z"


class Spot(NamedTuple):
    """One place at which a value ends up."""

    entity: str
    """`contact` or `customer`."""
    name: str
    """The standard attribute, or the key of the custom one."""
    custom: bool = False
    weak: bool = False
    """Told by a track's property: it stands where no trait ever told the attribute."""


def trace(call: str, path: str, mapping: Mapping = DEFAULT, company: bool = True) -> list[Spot]:
    """Where the text at a path goes.

    Args:
        call: a type of `paths.CALLS`.
        path: as in a rule.
        mapping: of the source, with all track calls imported.
        company: whether the call names a company, where it speaks of a person.

    Returns:
        One spot; more where a full name is split; none where the value goes nowhere.
    """
    where = split(call, path)
    if where is None:
        return []
    place, keys = where
    value: object = _DATE if keys[-1] == "created_at" else _PROBE
    for key in reversed(keys):
        value = {key: value}
    for outer in reversed(place.split(".") if place else []):
        value = {outer: value}
    reading = segment.read(_call(call, value, company), 0, mapping)
    spots = [Spot(CONTACT, name) for name in reading.contact]
    spots += [Spot(CONTACT, name, weak=True) for name in reading.weak]
    spots += [Spot(CONTACT, key, custom=True) for key in reading.contact_custom]
    spots += [Spot(CUSTOMER, name) for name in reading.company]
    return spots + [Spot(CUSTOMER, key, custom=True) for key in reading.company_custom]


def _call(call: str, told: object, company: bool) -> dict[str, object]:
    """A call of a person and, if wanted, of a company, that tells something."""
    event: dict[str, object] = {"type": call, "userId": "u"}
    if call in OF_COMPANIES:
        event["groupId"] = "g"
    elif company:
        event["context"] = {"groupId": "g"}
    if isinstance(told, dict):
        inside = told.get("context")
        event |= told
        if isinstance(inside, dict) and company:
            event["context"] = {"groupId": "g", **inside}
    return event
