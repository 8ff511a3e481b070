"""Segment's signatures: `X-Signature`, the HMAC-SHA1 of a body with a shared secret, as hexadecimal digits.

Which bytes are signed differs. For one event it is the body. For an array, Segment's Webhooks destination
signs its first event alone; others sign the array.
"""

import hashlib
import hmac
from collections.abc import Iterable


def is_signed(secret: str, signature: str, texts: Iterable[bytes]) -> bool:
    """Whether a signature is that of one of some texts. The time it takes tells nothing about the secret.

    Args:
        secret: what both sides know.
        signature: as it came, in either case.
        texts: what may have been signed; all are tried.
    """
    told = signature.strip().lower().encode("utf-8", "replace")
    key = secret.encode()
    found = [hmac.compare_digest(_digits(key, text), told) for text in texts]
    return any(found)


def _digits(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha1).hexdigest().encode()
