"""One attribute of one record, to be set by hand: what it shows, what sources tell, what a text means."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from webapp.domain.attributes import LONGEST, never_timestamp, shown
from webapp.domain.clock import iso, read_time
from webapp.domain.countries import country
from webapp.domain.text import is_email
from webapp.services import attributes, facts
from webapp.services.facts import Fact
from webapp.services.tables import CONTACTS, CUSTOMERS
from webapp.services.tables.columns import CUSTOM, MICROS

LONGEST_TEXT = 1024
_LARGEST = 2**63
_TRUTHS = {"true": True, "yes": True, "false": False, "no": False}


class Unreadable(ValueError):
    """The text is no value of that attribute; it says what would be."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute that people can set.

    Attributes:
        key: its name; a custom one with its prefix.
        label: as people call it.
        type: "String", "Integer", "Decimal", "Timestamp" or "Boolean".
    """

    key: str
    label: str
    type: str

    @property
    def is_custom(self) -> bool:
        return self.key.startswith(CUSTOM)


def known(session: Session, entity: str, key: str) -> Attribute | None:
    """An attribute of customers or contacts that can be set by hand; None when there is none of that name."""
    table = CUSTOMERS if entity == "customer" else CONTACTS
    if key.startswith(CUSTOM):
        name = key.removeprefix(CUSTOM)
        type_ = attributes.types(session.connection(), entity).get(name)
        return None if type_ is None else Attribute(key, name, type_)
    label = facts.labels(table).get(key)
    if label is None or key == "external_id":  # which is how a source names it, and not a matter of opinion
        return None
    instants = {each.key for each in table.standard if each.kind == MICROS}
    return Attribute(key, label, "Timestamp" if key in instants else "String")


def told(found: Mapping[str, Any], attribute: Attribute) -> list[tuple[Any, str | None]]:
    """What each source tells of an attribute: (source, the value as shown or None), the primary's first.

    Args:
        found: a page of `provenance`.
    """
    return [
        (origin.source, _shown(attribute, origin.telling.tells(attribute.key))) for origin in found["origins"]
    ]


def fact_of(found: Mapping[str, Any], attribute: Attribute) -> Fact:
    """What a record shows of an attribute and where that comes from."""
    shown_facts = found["custom"] if attribute.is_custom else found["facts"]
    blank = Fact(attribute.key, attribute.label, None)
    return next((fact for fact in shown_facts if fact.key == attribute.key), blank)


def _shown(attribute: Attribute, value: Any) -> str | None:
    if value is None:
        return None
    if attribute.is_custom:
        return shown(value, attribute.type)
    return iso(value) if attribute.type == "Timestamp" else str(value)


def read(attribute: Attribute, text: str) -> Any:
    """What a typed text means for an attribute, as it is kept.

    Raises:
        Unreadable: it is empty, too long, or no value of the attribute's type.
    """
    text = " ".join(text.replace("\0", "").split())
    if not text:
        raise Unreadable("Type a value, or choose “Clear it” to show none.")
    if attribute.type == "Timestamp":
        instant = read_time(text)
        if instant is None:
            raise Unreadable("This holds a time. Write it as 2026-09-24 or 2026-09-24T13:30 (UTC).")
        return iso(instant) if attribute.is_custom else instant
    if attribute.type == "Boolean":
        if text.lower() not in _TRUTHS:
            raise Unreadable("This is either true or false.")
        return _TRUTHS[text.lower()]
    if attribute.type in ("Integer", "Decimal"):
        return _number(text, attribute.type)
    return _text(attribute, text)


def _number(text: str, type_: str) -> int | Decimal:
    if type_ == "Integer" and re.fullmatch(r"-?\d{1,19}", text, re.ASCII):
        number = int(text)
        if -_LARGEST <= number < _LARGEST:
            return number
    if type_ == "Decimal" and re.fullmatch(r"-?\d{1,60}(\.\d{1,60})?", text, re.ASCII):
        return Decimal(text)
    example = "1200" if type_ == "Integer" else "1200 or 2.5"
    raise Unreadable(f"This holds a number. Write it as {example}.")


def _text(attribute: Attribute, text: str) -> str:
    most = LONGEST if attribute.is_custom else LONGEST_TEXT
    if len(text) > most:
        raise Unreadable(f"A text has at most {most:,} characters here; this one has {len(text):,}.")
    if attribute.is_custom:
        return never_timestamp(text)
    if attribute.key == "email" and not is_email(text):
        raise Unreadable("This is no e-mail address. Write it as ada@example.com.")
    return country(text) if attribute.key == "country" else text
