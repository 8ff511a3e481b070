"""What a JSON value says as text: whether it says anything, how JSON writes it, and what cannot be shown."""

import re
import unicodedata
from decimal import Decimal
from typing import Any, Final

import msgspec

LONGEST_INDEXED: Final = 2400
"""UTF-8 bytes of a text that every database's index holds; PostgreSQL refuses an entry past 2,704."""

_UNSHOWABLE: Final = re.compile("[\x00\ud800-\udfff]")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+")
_COMPACT: Final = msgspec.json.Encoder(decimal_format="number")


def clean(text: str) -> str:
    """The text with NUL and lone surrogates as U+FFFD: no page and no database can hold those."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def indexed(text: str) -> str:
    """The text as far as an index holds it, which is whole for any text that people write."""
    if len(text) * 4 <= LONGEST_INDEXED:
        return text
    return text.encode()[:LONGEST_INDEXED].decode(errors="ignore")


def folded(text: str) -> str:
    """Text as search, sort and matching compare it: no case, no accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def is_email(text: str) -> bool:
    """Whether a text has the form of an e-mail address, `x@y`."""
    return _EMAIL.fullmatch(text) is not None


def says(value: object, levels: int = 2) -> bool:
    """Whether a value says anything: null, blank text, and lists and objects of nothing else do not.

    Args:
        value: any JSON value.
        levels: how deep to look; an object below that says something unless it is empty.
    """
    if isinstance(value, str):
        return not (value == "" or value.isspace())
    if isinstance(value, dict):
        if not levels:
            return bool(value)
        for each in value.values():  # noqa: SIM110  # no generator: mostly the first one says something
            if says(each, levels - 1):
                return True
        return False
    if isinstance(value, list):
        return any(isinstance(each, dict | list) or says(each) for each in value)
    return value is not None


def plain(number: Decimal) -> str:
    """A finite decimal without exponent or trailing zeros: "2.5", "100", "0"."""
    digits = format(number, "f")
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return "0" if digits == "-0" else digits


def written(value: object) -> str | None:
    """A scalar as text: trimmed, cleaned, and numbers and booleans as JSON writes them.

    Args:
        value: any JSON value, as `wire.decode` gives it.

    Returns:
        "true", "7", "2.5", the text itself; None for null, lists, objects, NaN and infinities.
    """
    if isinstance(value, str):
        return clean(value.strip())
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    number = decimal(value)
    return plain(number) if number is not None and number.is_finite() else None


def decimal(value: object) -> Decimal | None:
    """A decimal number, also when it came as a float; None for anything else."""
    if isinstance(value, float):
        return Decimal(repr(value))
    return value if isinstance(value, Decimal) else None


def compact(value: object) -> str:
    """A list or object as compact JSON: no blanks, the document's order, numbers as told."""
    try:
        return _COMPACT.encode(value).decode()
    except UnicodeEncodeError:
        return _COMPACT.encode(_without_surrogates(value)).decode()


def _without_surrogates(value: object) -> object:
    """A copy that UTF-8 can spell; without recursion, since events nest deep."""
    root = [value]
    holders: list[Any] = [root]
    for holder in holders:  # it grows meanwhile
        for place, each in holder.items() if isinstance(holder, dict) else enumerate(holder):
            if isinstance(each, str):
                holder[place] = _showable(each)
                continue
            if isinstance(each, list):
                holder[place] = [*each]
            elif isinstance(each, dict):
                holder[place] = {_showable(key): inner for key, inner in each.items()}
            else:
                continue
            holders.append(holder[place])
    return root[0]


def _showable(text: str) -> str:
    return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
