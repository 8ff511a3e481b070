"""Passwords: how they are kept, and how they are compared."""

from __future__ import annotations

import secrets
from functools import cache
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST_LENGTH = 12
GREATEST_LENGTH = 1024

_hasher = PasswordHasher()  # argon2id with the library's current defaults
# One hashing takes a core and 64 MiB. More of them at once would only take both from the webhook.
_turns = BoundedSemaphore(2)


def hashed(password: str) -> str:
    """The text to keep of a password. Takes some 50 ms: never call it inside a write transaction."""
    with _turns:
        return _hasher.hash(password)


def verified(password: str, kept: str | None) -> bool:
    """Whether the password is the kept one.

    Args:
        password: as typed.
        kept: what `hashed` made; None, when there is no such account, takes the same time.
    """
    decoy = _decoy()
    try:
        with _turns:
            return _hasher.verify(kept or decoy, password) and kept is not None
    except (VerificationError, InvalidHashError):
        return False


def outdated(kept: str) -> bool:
    """Whether the hash was made with weaker parameters than those of today."""
    return _hasher.check_needs_rehash(kept)


@cache
def _decoy() -> str:
    return hashed(secrets.token_urlsafe())
