"""Folding events into what is known of one identifier or one company: per attribute, the latest word wins.

Everything here is a join of last-writer-wins registers (Shapiro et al., INRIA RR-7506, 2011): `combine` is
commutative, associative and idempotent, so the order, the repeats and the batching of events cannot matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from webapp.domain.attributes import Value
from webapp.domain.identity import company_key, keyed, text_of, user_key
from webapp.domain.segment import Reading

# (event time in UTC microseconds, message id, event id, value). The first three order any two events:
# the time, then the message id by code point, then the receipt. The id is kept in the form of `text_of`.
Register = tuple[int, str, int, Any]
Registers = dict[str, Register]


class Told(msgspec.Struct, array_like=True):
    """All that events have told of one identifier, or of one company."""

    strong: Registers = {}
    """Standard attributes; a None was cleared (the last name, by a name of one word)."""
    weak: Registers = {}
    """Standard attributes that only the properties of track calls told."""
    custom: Registers = {}
    company: Register | None = None
    """The latest attachment: its value is the company's key, in the form of `text_of`."""
    tie: Register | None = None
    """Of an anonymous id: the earliest event that carried a user id too; its value is that one's key."""
    first_seen: int | None = None
    last_seen: int | None = None


_encoder = msgspec.json.Encoder(decimal_format="number")
_decoder = msgspec.json.Decoder(Told, float_hook=Decimal)


def pack(told: Told) -> bytes:
    """The bytes that a row keeps."""
    return _encoder.encode(told)


def unpack(packed: bytes) -> Told:
    """What `pack` made into bytes."""
    return _decoder.decode(packed)


def fold(readings: Iterable[tuple[int, Reading]]) -> tuple[dict[bytes, Told], dict[bytes, Told]]:
    """Fold many events at once.

    Args:
        readings: pairs of event id and what the event says; ignored ones say nothing.

    Returns:
        Two maps by key: what was told of identifiers, and of companies.
    """
    people: dict[bytes, Told] = {}
    companies: dict[bytes, Told] = {}
    for event_id, reading in readings:
        if reading.reason is None:
            _fold_one(people, companies, event_id, reading)
    return people, companies


def _fold_one(
    people: dict[bytes, Told], companies: dict[bytes, Told], event_id: int, reading: Reading
) -> None:
    time = reading.time
    message_id = reading.message_id
    if not message_id.isascii():
        message_id = text_of(message_id.encode("utf-8", "surrogatepass"))
    subject = keyed(reading)
    company = company_key(reading.group_id) if reading.group_id is not None else None
    if company is not None:
        told = _known(companies, company)
        _seen(told, time)
        _tell(told.strong, reading.company, time, message_id, event_id)
        if reading.company_custom:
            _tell(told.custom, reading.company_custom, time, message_id, event_id)
    if subject is None:
        return
    told = _known(people, subject)
    _seen(told, time)
    _tell(told.strong, reading.contact, time, message_id, event_id)
    if reading.weak:
        _tell(told.weak, reading.weak, time, message_id, event_id)
    _tell(told.custom, reading.contact_custom, time, message_id, event_id)
    if company is not None:
        told.company = later(told.company, (time, message_id, event_id, text_of(company)))
    if reading.user_id is not None and reading.anonymous_id is not None:
        anonymous = _known(people, b"a" + reading.anonymous_id.encode("utf-8", "surrogatepass"))
        word = (time, message_id, event_id, text_of(user_key(reading.user_id)))
        anonymous.tie = earlier(anonymous.tie, word)


def _known(known: dict[bytes, Told], key: bytes) -> Told:
    told = known.get(key)
    if told is None:
        told = known[key] = Told({}, {}, {})
    return told


def _seen(told: Told, time: int) -> None:
    if told.first_seen is None or time < told.first_seen:
        told.first_seen = time
    if told.last_seen is None or time > told.last_seen:
        told.last_seen = time


def _tell(
    registers: Registers, said: Mapping[str, Value | None], time: int, message_id: str, event_id: int
) -> None:
    for attribute, value in said.items():
        known = registers.get(attribute)
        if known is None or known[0] < time or known[:3] < (time, message_id, event_id):
            registers[attribute] = (time, message_id, event_id, value)


def later(one: Register | None, other: Register | None) -> Register | None:
    """The word that stands when the latest wins."""
    if one is None or other is None:
        return one or other
    return other if one[:3] < other[:3] else one


def earlier(one: Register | None, other: Register | None) -> Register | None:
    """The word that stands when the earliest wins."""
    if one is None or other is None:
        return one or other
    return other if other[:3] < one[:3] else one


def combine(one: Told, other: Told) -> Told:
    """Join what two batches told of one thing, or what is known of two identifiers of one person."""
    return Told(
        _joined(one.strong, other.strong),
        _joined(one.weak, other.weak),
        _joined(one.custom, other.custom),
        later(one.company, other.company),
        earlier(one.tie, other.tie),
        _least(one.first_seen, other.first_seen),
        _greatest(one.last_seen, other.last_seen),
    )


def _joined(one: Registers, other: Registers) -> Registers:
    if not one or not other:
        return dict(one or other)
    joined = dict(one)
    for attribute, word in other.items():
        known = joined.get(attribute)
        if known is None or known[:3] < word[:3]:
            joined[attribute] = word
    return joined


def _least(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else min(one, other)


def _greatest(one: int | None, other: int | None) -> int | None:
    return other if one is None else one if other is None else max(one, other)


def standing(told: Told) -> dict[str, str]:
    """The standard attributes as they stand: a trait's word, else what only properties told.

    Returns:
        `{"email": "ada@example.com", ...}` without those that were never told or were cleared.
    """
    words = {**told.weak, **told.strong}
    return {attribute: word[3] for attribute, word in words.items() if word[3] is not None}


def customs(told: Told) -> dict[str, Value]:
    """The custom attributes as they stand."""
    return {key: word[3] for key, word in told.custom.items()}
