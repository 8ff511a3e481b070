"""What a JSON value says as text: whether it says anything, how JSON writes it, and what cannot be shown."""

import json
import re
from decimal import Decimal
from typing import Final

import msgspec

_UNSHOWABLE: Final = re.compile("[\x00\ud800-\udfff]")
_COMPACT: Final = msgspec.json.Encoder(decimal_format="number")


def clean(text: str) -> str:
    """The text with NUL and lone surrogates as U+FFFD: no page and no database can hold those."""
    if text.isascii() and "\x00" not in text:
        return text
    return _UNSHOWABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def says(value: object, levels: int = 2) -> bool:
    """Whether a value says anything: null, blank text, and lists and objects of nothing else do not.

    Args:
        value: any JSON value.
        levels: how deep to look; an object below that says something unless it is empty.
    """
    if isinstance(value, str):
        return not (value == "" or value.isspace())
    if isinstance(value, dict):
        return any(says(each, levels - 1) for each in value.values()) if levels else bool(value)
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
    except UnicodeEncodeError:  # lone surrogates
        return clean(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=float))
