"""What people choose about a source's mapping, as its forms send it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from webapp.domain.mapping import CONTACT, CUSTOMER, IGNORE, STANDARD, Mapping, Rule
from webapp.domain.traits import key_of
from webapp.services.mapping_page import Line
from webapp.services.tables import CONTACTS, CUSTOMERS

CUSTOM = "custom"
MOST = 1000
"""Characters of a key, and names of track calls, that a form may send."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Where somebody wants the values of a path to go.

    Attributes:
        to: a destination (`Rule.to`), `contact.custom` or `customer.custom`; None when nothing is chosen yet.
        key: of the custom attribute, as typed.
        also: the same trait elsewhere, each as `call|path`.
    """

    to: str | None
    key: str = ""
    also: tuple[str, ...] = ()

    @classmethod
    def of(cls, sent: Any) -> Choice:
        """The choice in an address or a form."""
        return cls(sent.get("to"), sent.get("key", "").strip()[:MOST], tuple(sent.getlist("also")))

    @classmethod
    def made(cls, line: Line) -> Choice:
        """The choice that is in force for a path."""
        to = line.rule.to if line.rule is not None else ""
        outer, _, key = to.partition(f".{CUSTOM}.")
        return cls(f"{outer}.{CUSTOM}", key) if key else cls(to, line.path.rpartition(".")[2])

    def destination(self, path: str) -> str:
        """The destination that is meant; a key may be typed in any spelling."""
        to = self.to or ""
        if not to.endswith(f".{CUSTOM}"):
            return to
        return f"{to}.{key_of(self.key or path.rpartition('.')[2])}"

    def paths(self, line: Line, siblings: Iterable[tuple[str, str, int]]) -> list[tuple[str, str]]:
        """Call and path of all that it is about."""
        ticked = [(call, path) for call, path, _ in siblings if f"{call}|{path}" in self.also]
        return [(line.call, line.path), *ticked]

    def on(self, mapping: Mapping, line: Line, siblings: Iterable[tuple[str, str, int]]) -> Mapping:
        """The mapping as it would be.

        Raises:
            MappingError: there can be no such rule.
        """
        to = self.destination(line.path)
        for call, path in self.paths(line, siblings):
            mapping = mapping.with_rule(Rule(call, path, to)) if to else mapping.without(call, path)
        return mapping


@dataclass(frozen=True, slots=True)
class Tracks:
    """Which track calls somebody wants: `mode` is `all`, `none` or `some`, and these are the names."""

    mode: str
    names: tuple[str, ...] = ()

    @classmethod
    def of(cls, sent: Any) -> Tracks:
        """The choice in a form: names that were ticked, and names typed one a line."""
        typed = sent.get("more", "").splitlines()
        names = [name.strip() for name in (*sent.getlist("name"), *typed)]
        return cls(sent.get("mode", ""), tuple(name for name in names if name))

    @classmethod
    def made(cls, mapping: Mapping) -> Tracks:
        """The choice that is in force."""
        if mapping.tracks is None:
            return cls("all")
        return cls("some" if mapping.tracks else "none", mapping.tracks)

    @property
    def error(self) -> str:
        """What is wrong with it; empty when it can be saved."""
        if self.mode not in ("all", "none", "some"):
            return "Choose whether to import all track calls, some of them, or none."
        return "Choose at least one name, or import none." if self.mode == "some" and not self.names else ""

    @property
    def limit(self) -> tuple[str, ...] | None:
        """As a mapping has it."""
        return {"all": None, "none": ()}.get(self.mode, self.names)


def label(entity: str, name: str) -> str:
    """A standard attribute as the tables call it."""
    if name == "name":
        return "Full name, split into first and last" if entity == CONTACT else "Name"
    table = CONTACTS if entity == CONTACT else CUSTOMERS
    return next((column.label for column in table.standard if column.key == name), name)


def _of(entity: str) -> list[tuple[str, str]]:
    standard = [(f"{entity}.{name}", label(entity, name)) for name in STANDARD[entity]]
    return [*standard, (f"{entity}.{CUSTOM}", f"A custom attribute of the {entity}")]


DESTINATIONS = [
    ("", [("", "Where it goes by default"), (IGNORE, "Nowhere: ignore it")]),
    ("Of the contact", _of(CONTACT)),
    ("Of the customer", _of(CUSTOMER)),
]
"""The choices by group, as a select shows them."""

TRACK_CHOICES = [
    ("all", "All of them", None),
    ("some", "Only those chosen below", "All others are stored and ignored, whole: ids and context too."),
    ("none", "None", "Track calls are stored and ignored."),
]
