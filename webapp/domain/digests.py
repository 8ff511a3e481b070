"""The digest of an event, by which the very same one is known again."""

import json
from collections.abc import Iterator
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Raw

_EXACT: Final = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])


def _exact(text: str) -> Raw:
    """One spelling for 1.5, 1.50 and 15e-1, always with an E, so that it is never an integer's."""
    try:
        spelling = str(_EXACT.normalize(Decimal(text)))
    except InvalidOperation:
        spelling = text
    return Raw((spelling if "E" in spelling else spelling + "E0").encode())


def _exact_integer(text: str) -> int | Raw:
    try:
        return int(text)
    except ValueError:
        return Raw(text.encode())


_COMPARED: Final = msgspec.json.Decoder(float_hook=_exact)
_LENIENT_COMPARED: Final = json.JSONDecoder(
    parse_float=_exact, parse_int=_exact_integer, parse_constant=lambda name: Raw(name.encode())
)
_NO_TIME: Final = bytes(5)
_SECONDS: Final = 1 << 40
_CANONICAL: Final = msgspec.json.Encoder(order="deterministic")


def digest(event: bytes) -> bytes:
    """A fingerprint by which the very same event is known again.

    Args:
        event: the JSON text of one event, as `wire.split` returns it.

    Returns:
        32 bytes, equal for equal JSON apart from the event's own `sent_at` and `sentAt`. White space and
        the order of keys do not matter; 1, 1.0, true and "1" are four different values. The first five grow
        with the event's `timestamp`: those that come together stand together in the index of digests, so
        that storing them touches a page or two of it and not one for each, however many events there are.
    """
    try:
        value = _COMPARED.decode(event)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        value = _LENIENT_COMPARED.decode(event.decode())
    return _fingerprint(value)


def digest_of(event: bytes) -> bytes | None:
    """The digest of a stored event; None of one that is no JSON, which the webhook never lets in."""
    try:
        return digest(event)
    except ValueError:
        return None


def _fingerprint(value: Any) -> bytes:
    led = _NO_TIME
    if isinstance(value, dict):
        value.pop("sent_at", None)
        value.pop("sentAt", None)
        led = _second(value.get("timestamp"))
    try:
        canonical = _CANONICAL.encode(value)
    except UnicodeEncodeError:  # a lone surrogate, which no UTF-8 spells
        canonical = "".join(_spelt(value)).encode()
    return led + blake2b(canonical, digest_size=27).digest()


def _second(told: object) -> bytes:
    """The second of a timestamp, whatever its zone is, in five bytes that sort as time goes."""
    if not isinstance(told, str):
        return _NO_TIME
    try:
        number = int(told[2:4] + told[5:7] + told[8:10] + told[11:13] + told[14:16] + told[17:19])
    except ValueError:
        return _NO_TIME
    return (number % _SECONDS).to_bytes(5)


def _spelt(value: object) -> Iterator[str]:
    """The canonical JSON of what msgspec cannot encode; with a stack of its own, since events nest deep."""
    waiting: list[tuple[str, Any]] = [("", value)]
    while waiting:
        before, value = waiting.pop()
        yield before
        if isinstance(value, dict):
            waiting.append(("}", Raw()))
            waiting += [(json.dumps(key) + ":", value[key]) for key in sorted(value, reverse=True)]
            yield "{"
        elif isinstance(value, list):
            waiting.append(("]", Raw()))
            waiting += [(",", item) for item in reversed(value)]
            yield "["
        else:
            yield bytes(value).decode() if isinstance(value, Raw) else json.dumps(value)
