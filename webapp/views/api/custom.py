"""Custom attributes in bodies: typed lists and plain objects on the way in, typed values on the way out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from webapp.domain.attributes import LONGEST, TYPES, Value, never_timestamp, shown, type_of
from webapp.domain.clock import iso, read_time
from webapp.domain.text import decimal, written
from webapp.views.api.asked import Reader

Customs = dict[str, Value | None]
"""By key; None takes an attribute away."""

_KEY = re.compile(r"[A-Za-z0-9_]{1,255}", re.ASCII)
_TRUTHS = {"true": True, "false": False}
_LARGEST = 2**63


def read(asked: Reader, name: str = "custom") -> Customs:
    """The custom attributes that a body tells.

    Args:
        asked: complains of what cannot be read.
        name: the field: a list of `{"type", "key", "value"}`, or an object of values by key, each a plain
            value or such an object without its key. `source` is read over.
    """
    told = asked.told.get(name)
    if told is None:
        return {}
    if isinstance(told, dict):
        told = [
            {"key": key, **(each if isinstance(each, dict) else {"value": each})}
            for key, each in told.items()
        ]
    if not isinstance(told, list) or not all(isinstance(each, dict) for each in told):
        asked.complain(name, f"{name} must be a list of objects with key, value and type, or an object.")
        return {}
    found: Customs = {}
    for each in told:
        key = written(each.get("key")) or ""
        if _KEY.fullmatch(key) is None:
            asked.complain(name, f"“{key[:60]}” is no key: use up to 255 letters, digits and underscores.")
            continue
        try:
            found[key] = _value(each.get("value"), each.get("type"))
        except ValueError as error:
            asked.complain(name, f"{key}: {error}")
    return found


def keys(asked: Reader, name: str = "custom") -> list[str]:
    """The keys of a list of them, or of an object."""
    told = asked.told.get(name)
    if not isinstance(told, list | dict) or not told:
        asked.complain(name, f"{name} must be a list of keys.")
        return []
    return [text for each in told if _KEY.fullmatch(text := written(each) or "") is not None]


def given(custom: Mapping[str, Value], types: Mapping[str, str]) -> dict[str, Any]:
    """Values as they are answered: of JSON's own types, as far as it has them.

    Args:
        custom: as kept.
        types: of the account's attributes, by key.
    """
    return {key: _given(value, types.get(key) or type_of(value)) for key, value in custom.items()}


def _given(value: Value, type_: str) -> Value:
    if type_ in ("String", "Timestamp") or isinstance(value, str):
        return shown(value, type_)
    return value


def _value(value: object, type_: object) -> Value | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if type_ is None:
        return _inferred(value)
    read = _READERS.get(type_ if isinstance(type_, str) else "")
    if read is None:
        raise ValueError(f"the type must be one of {', '.join(TYPES)}.")
    found = read(value)
    if found is None:
        raise ValueError(f"the value is no {type_}.")
    return found


def _inferred(value: object) -> Value:
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if -_LARGEST <= value < _LARGEST else str(value)
    number = decimal(value)
    if number is not None and number.is_finite():
        return number
    return _short(value)


def _string(value: object) -> str:
    return never_timestamp(_short(value))


def _short(value: object) -> str:
    text = written(value)
    if text is None:
        raise ValueError("the value must be a text, a number, true or false.")
    if len(text) > LONGEST:
        raise ValueError(f"a text has at most {LONGEST} characters; this one has {len(text):,}.")
    return text


def _integer(value: object) -> int | None:
    text = written(value) or ""
    number = (
        int(text) if re.fullmatch(r"-?\d{1,19}", text, re.ASCII) and not isinstance(value, bool) else None
    )
    return number if number is not None and -_LARGEST <= number < _LARGEST else None


def _decimal(value: object) -> Decimal | int | None:
    text = written(value) or ""
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,300}(\.\d{1,300})?", text, re.ASCII):
        return None
    return Decimal(text)


def _timestamp(value: object) -> str | None:
    text = value.removesuffix(" UTC") if isinstance(value, str) else value
    instant = read_time(text)
    return None if instant is None else iso(instant)


def _boolean(value: object) -> bool | None:
    return _TRUTHS.get((written(value) or "").lower())


_READERS = {
    "String": _string,
    "Integer": _integer,
    "Decimal": _decimal,
    "Timestamp": _timestamp,
    "Boolean": _boolean,
}
