"""Who is who inside one source: which identifiers are one person (four rules), and what the person is called.

An identifier's key is `u` or `a` and the id as received, in UTF-8; bytes compare as the ids' code points do.
"""

from __future__ import annotations

from typing import Protocol


def user_key(user_id: str) -> bytes:
    """The key of a user id."""
    return b"u" + user_id.encode("utf-8", "surrogatepass")


def anonymous_key(anonymous_id: str) -> bytes:
    """The key of an anonymous id."""
    return b"a" + anonymous_id.encode("utf-8", "surrogatepass")


def company_key(group_id: str) -> bytes:
    """The key of a group id."""
    return group_id.encode("utf-8", "surrogatepass")


def id_of(key: bytes) -> str:
    """The id in an identifier's key, as received."""
    return key[1:].decode("utf-8", "surrogatepass")


def text_of(key: bytes) -> str:
    """A key as text that JSON can hold whatever its bytes; it sorts as the key does."""
    return key.decode("latin-1")


def key_of_text(text: str) -> bytes:
    """The key that `text_of` made into text."""
    return text.encode("latin-1")


class HasIds(Protocol):
    """What names a person: an event's reading."""

    user_id: str | None
    anonymous_id: str | None


def keyed(reading: HasIds) -> bytes | None:
    """Of whom an event speaks: its user id when it has one, else its anonymous id."""
    if reading.user_id is not None:
        return user_key(reading.user_id)
    if reading.anonymous_id is not None:
        return anonymous_key(reading.anonymous_id)
    return None
