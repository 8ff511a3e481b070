"""From the bytes of a call to its events: what is wrong with its form, or with its signature."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from webapp.domain import signatures, wire
from webapp.domain.wire import Parcel
from webapp.models import now
from webapp.services import tokens
from webapp.services.inbox import Call
from webapp.webhook.entrances import Entrance
from webapp.webhook.inflate import Refusal

# Bytes of a body that others may wait for. Segment's destination sends one event of a kilobyte or less.
_SHORT = 16 * 1024

UNSIGNED = "this source takes signed calls only; the X-Signature header is missing"
WRONGLY_SIGNED = "the X-Signature header does not match this source's shared secret"
UNVERIFIABLE = "the signature cannot be checked now: the shared secret was sealed with another secret key"

# Where in the body something is wrong helps the sender; counted are reasons, not places.
_PLACE = re.compile(r" \([^()]*\)$")


class Letter:
    """A body that came, and the call that it makes once it is read.

    Attributes:
        call: has no events, and not always a token, before it is read.
        size: of the body, in bytes.
        is_short: whether reading takes so little that the calls of others can wait for it.
    """

    def __init__(self, came_in: Entrance, body: bytes, most: int) -> None:
        """Args:
        came_in: how it names its source.
        body: inflated.
        most: bytes that one event may have.
        """
        self.call = Call(came_in.token or b"", now())
        self.size = len(body)
        self.is_short = came_in.token is not None and self.size <= min(_SHORT, most)
        self._came_in, self._body, self._most = came_in, body, most
        self._is_read = False

    @property
    def signed(self) -> list[bytes]:
        """What its signature may be of."""
        return [self._body, *self.call.events[:1]]

    def read(self) -> None:
        """Fill the call, once.

        Raises:
            Refusal: it carries no events that can be taken (400), or one is too large (413).
        """
        if self._is_read:
            return
        came_in, call = self._came_in, self.call
        parcel = parcel_of(self._body, self._most)
        call.token = came_in.token_in(self._body)
        call.events = came_in.stored(parcel.events)
        call.is_test = parcel.is_test
        self._is_read = True


def parcel_of(body: bytes, most: int) -> Parcel:
    """The events of a body.

    Args:
        body: inflated.
        most: bytes that one event may have.

    Raises:
        Refusal: it carries no events that can be taken (400), or one is too large (413).
    """
    try:
        parcel = wire.split(body)
    except wire.Refused as refused:
        raise Refusal(400, str(refused)) from None
    if max(map(len, parcel.events), default=0) > most:
        raise Refusal(413, f"an event has more than {most:,} bytes")
    return parcel


def reason(refusal: Refusal) -> str:
    """What the source page counts a refusal under."""
    return _PLACE.sub("", refusal.message)


def checker(secret_key: str) -> Callable[[bytes, str, list[bytes]], None]:
    """A check of signatures, which unseals each secret once.

    Args:
        secret_key: of this installation.

    Returns:
        A function of (sealed secret, `X-Signature`, what may have been signed) that raises `Refusal` when the
        signature is missing or wrong (401) or cannot be checked (503).
    """
    unseal = lru_cache(256)(lambda sealed: tokens.unseal(secret_key, sealed))

    def check(sealed: bytes, signature: str, texts: list[bytes]) -> None:
        secret = unseal(sealed)
        if secret is None:
            raise Refusal(503, UNVERIFIABLE)
        if not signature:
            raise Refusal(401, UNSIGNED)
        if not signatures.is_signed(secret, signature, texts):
            raise Refusal(401, WRONGLY_SIGNED)

    return check
