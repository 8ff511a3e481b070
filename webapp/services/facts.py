"""The attributes of one record as its page shows them: per value who told it, or who set it by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain.attributes import shown
from webapp.domain.clock import iso
from webapp.domain.composing import Fields
from webapp.domain.fold import Register, Told
from webapp.models import Event, Source
from webapp.services import attributes
from webapp.services.tables import CUSTOMERS, Table
from webapp.services.tables.columns import CUSTOM, MICROS

_LINKS = ("website_url", "linked_in", "twitter")
_NAMES = ("name", "first_name", "last_name")  # stand first on a page
_NOT_TOLD = frozenset(
    (
        *("name", "contacts", "lead_status", "owner", "tags", "mrr", "currency", "source", "customer"),
        *("first_seen", "last_seen", "updated_at"),
    )
)


@dataclass(slots=True)
class Fact:
    """One attribute's value and where it came from.

    Attributes:
        key: the attribute's name; custom ones with their prefix.
        label: the attribute as people call it.
        value: as shown; None where there is nothing.
        link: whether an http(s) address may be linked.
        source: (public id, name) of the source that told it.
        event_id: of the event that told it; None when there is none, or when it is no longer kept.
        at: that event's time, or when it was set by hand, in microseconds.
        note: where the value comes from when no source told it.
        by_hand: whether a person set or cleared it.
    """

    key: str
    label: str
    value: str | None
    link: bool = False
    source: tuple[str, str] | None = None
    event_id: int | None = None
    at: int | None = None
    note: str = ""
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Telling:
    """One record as one source tells it.

    Attributes:
        source: which.
        values: by name, custom ones under `custom`.
        words: by name (custom ones with their prefix) the word that stands, for a source with events.
        hand: what people set on it.
    """

    source: Source
    values: Mapping[str, Any]
    words: Mapping[str, Register]
    hand: Fields

    def tells(self, key: str) -> Any | None:
        """What it tells of an attribute; None for nothing."""
        if key.startswith(CUSTOM):
            return self.values.get("custom", {}).get(key.removeprefix(CUSTOM))
        return self.values.get(key)


def labels(table: Table) -> dict[str, str]:
    """The standard attributes that sources tell and people set, by key, names first."""
    found = {each.key: each.label for each in table.standard if each.key not in _NOT_TOLD}
    if table is CUSTOMERS:
        found = {"name": "Name", **found}
    return dict(sorted(found.items(), key=lambda pair: pair[0] not in _NAMES))


def of(
    session: Session, table: Table, row: Any, tellings: Sequence[Telling], people: Mapping[int, str]
) -> tuple[list[Fact], list[Fact]]:
    """The standard and the custom attributes of a record, each with its origin.

    Args:
        session: to read with.
        table: CUSTOMERS or CONTACTS.
        row: the record's.
        tellings: who stands behind it, the primary first.
        people: names of users by id.
    """
    kept = kept_events(session, [word[2] for each in tellings for word in each.words.values()])
    types = attributes.types(session.connection(), table.one)
    instants = {each.key for each in table.standard if each.kind == MICROS}

    def fact(key: str, label: str, value: Any) -> Fact:
        if value is not None and key in instants:
            value = iso(value)
        found = Fact(key, label, value, link=key in _LINKS or (key.startswith(CUSTOM) and is_link(value)))
        return _with_origin(found, tellings, people, kept)

    standard = [fact(key, label, getattr(row, key)) for key, label in labels(table).items()]
    cleared = {key for each in tellings for key in each.hand if key.startswith(CUSTOM)}
    custom = {f"{CUSTOM}{key}": shown(value, types.get(key, "String")) for key, value in row.custom.items()}
    keys = sorted(custom.keys() | cleared)
    return standard, [fact(key, key.removeprefix(CUSTOM), custom.get(key)) for key in keys]


def _with_origin(fact: Fact, tellings: Sequence[Telling], people: Mapping[int, str], kept: set[int]) -> Fact:
    hand = next((each.hand[fact.key] for each in tellings if fact.key in each.hand), None)
    if hand is not None:
        verb = "cleared" if hand["value"] is None else "set"
        fact.note, fact.at, fact.by_hand = (
            f"{verb} by hand by {name_of(hand['by'], people)}",
            hand["at"],
            True,
        )
        return fact
    teller = next((each for each in tellings if each.tells(fact.key) is not None), None)
    if fact.value is None or teller is None:
        return fact
    word = teller.words.get(fact.key)
    if word is not None:
        fact.at, fact.event_id = word[0], word[2] if word[2] in kept else None
    elif teller.source.kind != "billing":
        return fact
    fact.source = (teller.source.public_id, teller.source.name)
    return fact


def name_of(user_id: int | None, people: Mapping[int, str]) -> str:
    """Who set or wrote something."""
    return "the API" if user_id is None else people.get(user_id, "somebody who left")


def words_of(told: Told, kind: str) -> dict[str, Register]:
    """Per attribute (custom ones with their prefix) the word of a person or company that stands.

    Args:
        told: what a source told.
        kind: `person` for a customer of their own, who takes over little from the person.
    """
    standard = {**told.weak, **told.strong}
    custom = told.custom
    if kind == "person":
        standard, custom = _own(standard), {}
    named = (*standard.items(), *((f"{CUSTOM}{key}", word) for key, word in custom.items()))
    return {key: word for key, word in named if word[3] is not None}


def _own(told: Mapping[str, Register]) -> dict[str, Register]:
    """What a customer of their own takes over from the person: e-mail, and the name they are called by."""
    own = {"email": told["email"]} if "email" in told else {}
    names = [told[name] for name in ("first_name", "last_name") if name in told and told[name][3] is not None]
    if named := names or list(own.values()):
        own["name"] = max(named, key=lambda word: word[:3])
    return own


def is_link(value: object) -> bool:
    """Whether a custom attribute's value is an address."""
    return isinstance(value, str) and value.startswith(("http://", "https://"))


def kept_events(session: Session, ids: Iterable[int]) -> set[int]:
    """Those of some events that retention has not dropped."""
    return set(session.scalars(select(Event.id).where(Event.id.in_(set(ids)))))
