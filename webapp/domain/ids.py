"""Ids of users, visitors and groups, and the texts that stand where an id is missing."""

from typing import Final

LONGEST: Final = 255

_JUNK: Final = frozenset(
    {
        "undefined",
        "null",
        "none",
        "nil",
        "nan",
        "true",
        "false",
        "0",
        "anonymous",
        "guest",
        "unknown",
        "[object object]",
        "not_authenticated",
    }
)
_LONGEST_JUNK: Final = max(map(len, _JUNK))


def read_id(value: object) -> tuple[str | None, str | None]:
    """The id that a value tells.

    Args:
        value: any JSON value. A text is trimmed and otherwise kept as received; an integer is its digits.

    Returns:
        (the id or None, a warning's code or None). Null and blank are silently absent. Absent with
        "junk_id" are the well-known stand-ins for a missing id in any case ("undefined", "null", "0", ...),
        booleans, decimals, lists, objects, and what is longer than 255 characters.
    """
    if isinstance(value, str):
        told = value.strip()
        if not told:
            return None, None
    elif value is None:
        return None, None
    elif isinstance(value, int) and not isinstance(value, bool) and value.bit_length() < 4 * LONGEST:
        told = str(value)
    else:
        return None, "junk_id"
    if len(told) > LONGEST or (len(told) <= _LONGEST_JUNK and told.lower() in _JUNK):
        return None, "junk_id"
    return told, None
