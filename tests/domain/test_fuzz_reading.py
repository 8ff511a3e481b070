"""Any JSON whatever is read without an exception, and what is read can be stored and shown."""

import json
from decimal import Decimal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.domain.tables import BODIES, RECEIVED_AT
from webapp.domain import digests, segment, wire
from webapp.domain.attributes import shown, type_of, widen
from webapp.domain.clock import iso
from webapp.domain.traits import key_of

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure."""
REAL = [
    json.loads(line)
    for name in ("segment-spec-events.ndjson", "segment-destination-bodies.ndjson")
    for line in (BODIES / name).read_text().splitlines()[::9]
]
FIELDS = (
    *(
        "type",
        "messageId",
        "message_id",
        "timestamp",
        "sentAt",
        "userId",
        "user_id",
        "anonymousId",
        "groupId",
    ),
    *(
        "context",
        "traits",
        "properties",
        "company",
        "address",
        "group_id",
        "email",
        "name",
        "firstName",
        "linkedin",
    ),
    *(
        "id",
        "created_at",
        "createdAt",
        "country",
        "lead_created_at",
        "",
        "plan",
        "Plan",
        "a_b",
        "zip",
        "postalCode",
    ),
)
TEXTS = st.one_of(
    st.text(alphabet=st.characters(codec=None, exclude_categories=()), max_size=8),
    st.sampled_from(
        ["2026-09-01", "u1", "null", "a@x.example", "Ada Lovelace", "1e400", "\x00", "\ud800", "x" * 1100]
    ),
)
TYPES = st.sampled_from(["track", "identify", "group", "page", "Send Contact", "Send Customer"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**18, max_value=10**300),
    st.floats(),
    TEXTS,
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(FIELDS), TEXTS), inner, max_size=5),
    ),
    max_leaves=20,
)
EVENTS = st.builds(
    lambda fields, type_: {
        **fields,
        "type": type_,
        "userId": "u1",
        "groupId": "g1",
        "user_id": "",
        "group_id": "",
    },
    st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6),
    TYPES,
)


@st.composite
def mutated(draw):
    """A real event with some fields, anywhere in it, replaced or added."""
    event = json.loads(json.dumps(draw(st.sampled_from(REAL))))
    for _ in range(draw(st.integers(1, 3))):
        place = event
        while nested := [key for key, value in place.items() if isinstance(value, dict) and value]:
            if draw(st.booleans()):
                break
            place = place[draw(st.sampled_from(nested))]
        place[draw(st.sampled_from([*FIELDS, *place]))] = draw(VALUES)
    return event


def check(event):
    """Send an event over the wire, read it, and hold the reading to what the product relies on."""
    raw = json.dumps(event).encode()
    (piece,) = wire.split(b"[" + raw + b"]").events
    assert piece == raw
    assert len(digests.digest(piece)) == 32
    reading = segment.read(wire.decode(piece), RECEIVED_AT)
    assert reading.time <= RECEIVED_AT
    assert iso(reading.time)
    assert len(reading.type) <= 64
    assert showable(reading.type)
    assert {code for code, _ in reading.warnings} <= set(segment.WARNINGS)
    check_ids(reading)
    for standard in (reading.contact, reading.weak, reading.company):
        check_standard(standard)
    for custom in (reading.contact_custom, reading.company_custom):
        check_custom(custom)


def check_ids(reading):
    """An ignored event says nothing at all, for a known reason; ids are of a bearable length."""
    ids = [reading.user_id, reading.anonymous_id, reading.group_id]
    if reading.reason is not None:
        assert reading.reason in segment.REASONS
        assert ids == [None] * 3
        assert not any((reading.contact, reading.weak, reading.contact_custom))
        assert not any((reading.company, reading.company_custom))
    assert all(told is None or 0 < len(told) <= 255 for told in ids)


def check_standard(standard):
    """Standard attributes are trimmed texts that can be stored; only a last name can be cleared."""
    for name, text in standard.items():
        if text is None:
            assert name == "last_name"
        else:
            assert showable(text)
            assert 0 < len(text) <= 1024
            assert text == text.strip() or len(text) == 1024


def check_custom(custom):
    """Custom attributes have a key and a type, and can be shown under it and as text."""
    for key, value in custom.items():
        assert key
        assert key == key_of(key) or len(key) == 255
        assert not isinstance(value, Decimal) or value.is_finite()
        assert widen([type_of(value)]) == type_of(value)
        assert showable(shown(value, type_of(value)))
        assert 0 < len(shown(value, "String")) <= 255


def showable(text):
    """Whether a page and a database can hold the text."""
    return "\x00" not in text and text.encode().decode() == text


@PATIENT
@given(VALUES)
def test_any_json_is_read(value):
    """Whatever a sender posts is an event; it is read, or ignored with a reason, and never raises."""
    check(value)


@PATIENT
@given(EVENTS)
def test_any_fields_in_the_shape_of_an_event_are_read(event):
    """Events with the right type and ids, and anything in every field that the reading looks at."""
    check(event)


@PATIENT
@given(mutated())
def test_real_events_with_anything_put_into_them_are_read(event):
    """Real calls, changed at random places, are read too."""
    check(event)


@PATIENT
@given(VALUES, st.booleans())
def test_the_digest_tells_equal_json_from_different_json(value, swap):
    """Key order and white space never matter; a changed value always does."""
    shuffled = json.loads(
        json.dumps(value), object_pairs_hook=lambda pairs: dict(reversed(pairs) if swap else pairs)
    )
    one, other = json.dumps(value).encode(), json.dumps(shuffled, indent=1).encode()
    assert digests.digest(one) == digests.digest(other)
    assert digests.digest(one) != digests.digest(b"[" + one + b"]")


@PATIENT
@given(st.binary(max_size=40) | st.text(alphabet='{}[],:"\\ 1-eE.NaIu0dtr\n', max_size=40).map(str.encode))
def test_any_bytes_are_split_or_refused_as_the_standard_library_would(body):
    """The strict and the lenient way agree on what is JSON; nothing but a refusal is ever raised."""
    try:
        value = json.loads(body.decode())
    except ValueError:
        value = None
    try:
        parcel = wire.split(body)
    except wire.Refused:
        assert not isinstance(value, dict | list)
        return
    if isinstance(value, list):
        assert len(parcel.events) == len(value)
    for event in parcel.events:
        wire.decode(event)
        digests.digest(event)


def test_a_deep_event_of_every_type_is_read():
    """The deepest event that the webhook accepts is read to the end."""
    for inner in (b"1", b'"\\ud800"', b"1e999"):
        for field in (
            b"traits",
            b"properties",
            b"company",
            b"address",
            b"plan",
            b"context",
            b"userId",
            b"type",
        ):
            for type_ in (b"track", b"identify", b"group", b"Send Contact", b"Send Customer"):
                for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
                    deep = opening * 510 + inner + closing * 510
                    raw = b'{"type":"%s","userId":"u1","groupId":"g1","%s":%s}' % (type_, field, deep)
                    segment.read(wire.decode(wire.split(raw).events[0]), RECEIVED_AT)
