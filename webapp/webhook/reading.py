"""From the bytes of a call to its events: what is wrong with its form, or with its signature."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from webapp.domain import signatures, wire
from webapp.domain.wire import Parcel
from webapp.models import now
from webapp.services import tokens
from webapp.services.inbox import Call
from webapp.webhook.entrances import Entrance
from webapp.webhook.inflate import Refusal

UNSIGNED = "this source takes signed calls only; the X-Signature header is missing"
WRONGLY_SIGNED = "the X-Signature header does not match this source's shared secret"
UNVERIFIABLE = "the signature cannot be checked now: the shared secret was sealed with another secret key"

# Where in the body something is wrong helps the sender; counted are reasons, not places.
_PLACE = re.compile(r" \([^()]*\)$")


def letter_of(came_in: Entrance, body: bytes, most: int) -> tuple[Call, Sequence[bytes]]:
    """The call that a body makes, and what its signature may be of.

    Args:
        came_in: how it names its source.
        body: inflated.
        most: bytes that one event may have.

    Raises:
        Refusal: it carries no events that can be taken (400), or one is too large (413).
    """
    received_at = now()
    parcel = parcel_of(body, most)
    events = came_in.stored(parcel.events)
    return Call(came_in.token_in(body), received_at, events, parcel.is_test), (body, *events[:1])


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


def checker(secret_key: str) -> Callable[[bytes, str, Sequence[bytes]], None]:
    """A check of signatures, which unseals each secret once.

    Args:
        secret_key: of this installation.

    Returns:
        A function of (sealed secret, `X-Signature`, what may have been signed) that raises `Refusal` when the
        signature is missing or wrong (401) or cannot be checked (503).
    """
    unseal = lru_cache(256)(lambda sealed: tokens.unseal(secret_key, sealed))

    def check(sealed: bytes, signature: str, texts: Sequence[bytes]) -> None:
        secret = unseal(sealed)
        if secret is None:
            raise Refusal(503, UNVERIFIABLE)
        if not signature:
            raise Refusal(401, UNSIGNED)
        if not signatures.is_signed(secret, signature, texts):
            raise Refusal(401, WRONGLY_SIGNED)

    return check
