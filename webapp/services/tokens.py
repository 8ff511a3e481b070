"""Secrets: those by which a source is called, in its webhook URL and as its write key, and keys of the API.

Made here, kept as digests. Those of a source are kept under seal too, and shown to administrators.
"""

from __future__ import annotations

import base64
import hashlib
import secrets

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

PATH = "/webhooks/segment/"


def make_token() -> str:
    """A new token: 256 random bits in 43 characters that need no escaping in a URL."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What a token is looked up by, 32 bytes.

    Nothing is compared with the secret itself, so the time that a look-up takes tells nothing about it.
    """
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def key_digest(key: str) -> bytes:
    """What a write key is looked up by, 32 bytes.

    They are never those of a webhook URL, so neither secret opens the other's door.
    """
    return digest(f"write key {key}")


def api_key_digest(key: str) -> bytes:
    """What an API key is looked up by, 32 bytes; never that of a URL or a write key."""
    return digest(f"api key {key}")


def seal(secret_key: str, token: str) -> bytes:
    """A token under seal, so that a stolen database alone lets nobody post.

    Args:
        secret_key: of this installation (`Settings.secret_key`).
        token: as `make_token` made it.
    """
    return _box(secret_key).encrypt(token.encode())


def unseal(secret_key: str, sealed: bytes) -> str | None:
    """The token that was sealed; None when it was sealed with another secret key."""
    try:
        return _box(secret_key).decrypt(sealed).decode()
    except InvalidToken:
        return None


def webhook_url(token: str, base: str) -> str:
    """The URL that Segment posts to.

    Args:
        token: as `make_token` made it.
        base: `PUBLIC_URL`, or where none is configured the address by which the page was asked for.
    """
    return base.rstrip("/") + PATH + token


def _box(secret_key: str) -> Fernet:
    # A key of its own: the secret key signs sessions too, and one key should serve one purpose.
    key = HKDF(SHA256(), length=32, salt=None, info=b"tributary webhook token").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(key))
