"""Values of custom attributes: the type of one, the narrowest type of many, and how each is shown."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from webapp.domain.clock import iso, read_time, timestamp_form
from webapp.domain.text import plain as plain

STANDARD_CONTACT: Final = ("email", "first_name", "last_name", "title", "phone", "linked_in", "twitter")
STANDARD_CUSTOMER: Final = ("name", "email", "website_url", "country", "state", "city", "zip")

TYPES: Final = ("String", "Integer", "Decimal", "Timestamp", "Boolean")
LONGEST: Final = 255
"""Characters that a String keeps."""

Value = bool | int | Decimal | str
"""A custom attribute's value; a Timestamp is a text that has the form of one."""


_NO_TIMESTAMP: Final = " "


def never_timestamp(text: str) -> str:
    """A text that is no Timestamp even where it looks like one, as a list of a single date does.

    Returns:
        The text; one that looks like a Timestamp with a blank behind it, by which `type_of` knows it and
        which `shown` takes off. No other text ends in a blank, since all are trimmed.
    """
    return text + _NO_TIMESTAMP if timestamp_form(text) else text


def type_of(value: Value) -> str:
    """The type of one value: "Boolean", "Integer", "Decimal", "Timestamp" or "String"."""
    if isinstance(value, str):
        return "Timestamp" if value[4:5] == "-" and timestamp_form(value) else "String"
    if isinstance(value, bool):
        return "Boolean"
    return "Integer" if isinstance(value, int) else "Decimal"


def widen(types: Iterable[str]) -> str:
    """The narrowest type that holds every value told, whatever the order.

    Args:
        types: the types of all values, with any repeats.

    Returns:
        The one type there is; "Decimal" for Integer and Decimal; "String" for any other mixture and for none.
    """
    told = set(types)
    if len(told) == 1:
        return told.pop()
    return "Decimal" if told == {"Integer", "Decimal"} else "String"


def shown(value: Value, type_: str) -> str:
    """A value as a page and an export show it under the attribute's type.

    Args:
        value: as told.
        type_: the type of the whole attribute, which is the value's own or wider.

    Returns:
        A Timestamp in UTC (`2026-09-01T10:15:14Z`), a Decimal plainly ("2.5"), a Boolean "true" or "false";
        under String the value as it was told, cut at 255 characters.
    """
    if isinstance(value, str):
        return _shown_text(value, type_)
    if isinstance(value, bool):
        text = "true" if value else "false"
    else:
        text = plain(value) if isinstance(value, Decimal) else str(value)
    return text[:LONGEST] if type_ == "String" else text


def _shown_text(text: str, type_: str) -> str:
    instant = read_time(text) if type_ == "Timestamp" else None
    if instant is not None:
        return iso(instant)
    if text.endswith(_NO_TIMESTAMP) and timestamp_form(text[:-1]):
        return text[:-1]
    return text[:LONGEST]
