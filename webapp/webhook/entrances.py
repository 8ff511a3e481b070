"""Where calls come in: at a webhook URL, or at the paths that Segment's libraries know, with a write key."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING

import msgspec

from webapp.domain import libraries
from webapp.services import tokens
from webapp.webhook import answers
from webapp.webhook.answers import Manner

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# What an event is that tells no type of its own. Any other path, `/v1/customers` among them, is not ours.
_TYPES = {
    "/v1/batch": "",
    "/v1/import": "",
    **{f"/v1/{type}": type for type in ("track", "identify", "group", "page", "screen", "alias")},
}
_NOBODYS = tokens.key_digest("")


class Entrance(msgspec.Struct, frozen=True):
    """How one call names its source, and how it is answered.

    Attributes:
        manner: in which it is answered.
        token: digest of the secret it came with; None: the body has to name it.
        by_library: whether events need what `libraries.event_of` gives them.
        type: what an event is that tells no type.
    """

    manner: Manner
    token: bytes | None
    by_library: bool = False
    type: str = ""

    def token_in(self, body: bytes) -> bytes:
        """Digest of the secret that the call came with, or its body names."""
        if self.token is not None:
            return self.token
        key = libraries.write_key(body)
        return tokens.key_digest(key) if key else _NOBODYS

    def stored(self, events: list[bytes]) -> list[bytes]:
        """Events as they are stored."""
        return [libraries.event_of(event, self.type) for event in events] if self.by_library else events


def entrance(environ: WSGIEnvironment) -> Entrance | None:
    """Where a call comes in; None: it is none of ours."""
    path = environ.get("PATH_INFO", "")
    if path.startswith(tokens.PATH):
        return Entrance(answers.DESTINATION, tokens.digest(path.removeprefix(tokens.PATH).removesuffix("/")))
    type = _TYPES.get(path.removesuffix("/"))
    if type is None:
        return None
    key = _user_name(environ.get("HTTP_AUTHORIZATION", ""))
    return Entrance(answers.LIBRARY, None if key is None else tokens.key_digest(key), True, type)


def _user_name(header: str) -> str | None:
    """The user name of HTTP Basic; the password is not looked at. None when the header has none."""
    scheme, _, told = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, _, _ = base64.b64decode(told.strip(), validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return None
    return user or None
