"""JSON over the wire: what a body carries, the value of one event, and the fingerprint of an event."""

import json
from decimal import Decimal

import pytest

from webapp.domain import digests, wire

EVENT = b'{"type": "identify", "userId": "u1"}'


def nested(levels, inner=b""):
    """Arrays inside each other, `levels` deep."""
    return b"[" * levels + inner + b"]" * levels


@pytest.mark.parametrize(
    ("body", "events"),
    [
        (EVENT, [EVENT]),
        (b" \r\n" + EVENT + b"\n", [EVENT]),
        (b"\xef\xbb\xbf" + EVENT, [EVENT]),
        (b"[" + EVENT + b" , " + EVENT + b"]", [EVENT, EVENT]),
        (b'{"batch": [' + EVENT + b'], "sentAt": "2026-09-01"}', [EVENT]),
        (b'{"sentAt": 1, "batch" : [ 1 , {"a" : NaN} ] }', [b"1", b'{"a" : NaN}']),
        (b"[]", []),
        (b'{"batch": []}', []),
        (b"[{}]", [b"{}"]),
        (b'[1, null, "x", [], [{}]]', [b"1", b"null", b'"x"', b"[]", b"[{}]"]),
        (b'{"batch": 3}', [b'{"batch": 3}']),
        (b'{"batch": {"a": NaN}}', [b'{"batch": {"a": NaN}}']),
        (b'{"a": Infinity, "b": -Infinity}', [b'{"a": Infinity, "b": -Infinity}']),
        (b'[{"a": "\\ud800"}, {"a": 1}]', [b'{"a": "\\ud800"}', b'{"a": 1}']),
        (b'[{"a": "\\u0000"}]', [b'{"a": "\\u0000"}']),
        (b'{"batch": [1], "batch": [2, NaN]}', [b"2", b"NaN"]),
        (b"[" + b"9" * 5000 + b"]", [b"9" * 5000]),
    ],
)
def test_a_body_carries_its_events_byte_for_byte(body, events):
    """One object, an array or a batch; every element is an event, readable or not, exactly as it came."""
    assert wire.split(body) == wire.Parcel(events)


@pytest.mark.parametrize("body", [b"{}", b" { \n} ", b"\xef\xbb\xbf{}"])
def test_an_empty_object_alone_tests_the_connection(body):
    """Segment tests a connection with `{}`; it carries no event."""
    assert wire.split(body) == wire.Parcel([], is_test=True)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "the body is not JSON"),
        (b"hello", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b'{"a": 1} {"b": 2}', "the body is not JSON"),
        (b"[1, NaN", "the body is not JSON"),
        (b"[NaN 1]", "the body is not JSON"),
        (b'{"a": NaN,}', "the body is not JSON"),
        (b'{NaN: "a"}', "the body is not JSON"),
        (b'{"a" NaN}', "the body is not JSON"),
        (b'{"batch": [NaN 1]}', "the body is not JSON"),
        (b'["a\x00b"]', "the body is not JSON"),
        (b"[01]", "the body is not JSON"),
        (b'["\xff"]', "the body is not UTF-8"),
        (b'["\xed\xa0\x80"]', "the body is not UTF-8"),
        (b"5", "the body is neither a JSON object nor an array"),
        (b'"{}"', "the body is neither a JSON object nor an array"),
        (b"NaN", "the body is neither a JSON object nor an array"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(body, reason):
    """The sender is told what is wrong with the body."""
    with pytest.raises(wire.Refused, match=reason):
        wire.split(body)


@pytest.mark.parametrize("odd", [b"", b"NaN", b'"\\ud800"', b'"[[[{{{\\"[["'])
def test_512_levels_are_read_and_513_are_refused(odd):
    """The limit is exact, whichever decoder reads the body, and brackets inside a text do not count."""
    assert wire.split(nested(512, odd)).events == [nested(511, odd)]
    with pytest.raises(wire.Refused, match="nests more than 512 levels"):
        wire.split(nested(513, odd))


def test_levels_count_from_the_body_not_from_the_event():
    """An event in a batch begins at level 3."""
    assert len(wire.split(b'{"batch": [' + nested(510) + b"]}").events) == 1
    with pytest.raises(wire.Refused):
        wire.split(b'{"batch": [' + nested(511) + b"]}")
    with pytest.raises(wire.Refused):
        wire.split(b'{"other": ' + nested(512) + b', "batch": []}')


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, nested(100_000), b'{"a":' * 100_000, b"[NaN," + nested(50_000) + b"]"]
)
def test_a_bomb_of_brackets_is_refused(body):
    """No depth ends in anything but a refusal."""
    with pytest.raises(wire.Refused):
        wire.split(body)


def test_wide_bodies_are_not_taken_for_deep_ones():
    """Thousands of flat events, and one event of thousands of flat lists, hold more than 512 brackets."""
    flat = b"[" + b",".join([b"[]"] * 5000) + b"]"
    assert len(wire.split(flat).events) == 5000
    assert wire.split(b'{"a": ' + flat + b"}").events == [b'{"a": ' + flat + b"}"]


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (
            b'{"a": [1, 1.0, 1.50, true, null, "x"]}',
            {"a": [1, Decimal("1.0"), Decimal("1.50"), True, None, "x"]},
        ),
        (b"\xef\xbb\xbf[1]", [1]),
        (b'{"a": 1, "a": 2}', {"a": 2}),
        (b'"\\ud83d\\ude00"', "\N{GRINNING FACE}"),
        (b'"\\ud800\\u0000"', "\ud800\x00"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        (
            b"[1e999999, -1e400, 1e99999999999999999999]",
            [Decimal("Infinity"), -Decimal("Infinity"), Decimal("Infinity")],
        ),
        (b"[Infinity, -Infinity]", [Decimal("Infinity"), -Decimal("Infinity")]),
        (b"[1e-999999, 0.00]", [Decimal("0.0"), Decimal("0.00")]),
        (b"7" * 5000, "7" * 5000),
    ],
)
def test_an_event_has_one_value(raw, value):
    """Decimals keep their digits, no number is a bomb, and what strict JSON forbids is read all the same."""
    decoded = wire.decode(raw)
    assert decoded == value
    assert repr(decoded) == repr(value)


def test_nan_is_a_decimal_that_is_not_finite():
    """It is skipped later, with a warning; here it only must not stop its neighbours."""
    nan, one = wire.decode(b"[NaN, 1]")
    assert nan.is_nan()
    assert one == 1


def test_what_is_not_json_has_no_value():
    """A caller sees one kind of error."""
    with pytest.raises(ValueError):
        wire.decode(b"{")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b'{"a":1,"b":{"c":2,"d":3}}', b' { "b" : {"d":3, "c":2}, "a":1 } '),
        (b'{"a":1,"sent_at":"x","sentAt":5}', b'{"a":1}'),
        (b'{"a":1,"sentAt":NaN}', b'{"a":1}'),
        (b'{"a":"\\u0041\\u00e9"}', '{"a":"Aé"}'.encode()),
        (b'{"a":1.5}', b'{"a":15e-1}'),
        (b'{"a":NaN,"a":1}', b'{"a":1}'),
        (b'{"a":"\\ud800","b":1.50}', b'{"b":1.5,"a":"\\uD800"}'),
        (b'{"a":"\\ud800","b":[{"c":1,"d":NaN}]}', b'{"b":[{"d":NaN,"c":1}],"a":"\\ud800"}'),
    ],
)
def test_the_very_same_event_is_known_again(one, other):
    """Equal JSON apart from the event's own sending time, whatever the key order, blanks and escapes."""
    assert digests.digest(one) == digests.digest(other)


def test_different_events_have_different_digests():
    """1, 1.0, true and "1" differ, and so does everything else that is not equal JSON."""
    values = [
        "1",
        "1.0",
        "true",
        '"1"',
        '"1E0"',
        '"1.0"',
        "null",
        "{}",
        "[]",
        '""',
        "NaN",
        '"NaN"',
        "Infinity",
    ]
    values += [
        '"\\ud800"',
        '"\\udc00"',
        '"\\\\ud800"',
        "[1,2]",
        "[2,1]",
        "[[1],2]",
        "9" * 5000,
        '"' + "9" * 5000 + '"',
    ]
    values += [
        '["\\ud800",1.0]',
        '["\\ud800",1]',
        '["\\ud800","1E0"]',
        '["\\ud800",NaN]',
        "1e999999",
        "1e9999999",
    ]
    events = [f'{{"a":{value}}}'.encode() for value in values]
    events += [
        b'{"a":1,"b":{"sentAt":1}}',
        b'{"a":1,"b":{"sentAt":2}}',
        b'[{"sentAt":1}]',
        b'[{"sentAt":2}]',
        b"1",
    ]
    assert len({digests.digest(event) for event in events}) == len(events)
    assert {len(digests.digest(event)) for event in events} == {32}


def test_digests_stand_in_the_order_of_the_time_that_events_tell():
    """What comes together stands together in the index; an event without a time comes first."""
    times = [
        None,
        "2025-12-31T23:59:59.999Z",
        "2026-01-01T00:00:00.5Z",
        "2026-01-01T00:00:01Z",
        "2026-02-01T00:00:00",
    ]
    events = [json.dumps({"n": number, "timestamp": told}).encode() for number, told in enumerate(times)]
    assert [*map(digests.digest, events)] == sorted(map(digests.digest, events))


@pytest.mark.parametrize(
    "told", ["", "soon", "²026-01-01", "2026-13-99T99:99:99Z", "-" * 40, "\ud800" * 20, 5, 1.5, [1], {}]
)
def test_any_timestamp_has_a_digest(told):
    """Whatever stands there, equal events are equal and others are not."""
    one, other = ({"timestamp": told, "n": number} for number in range(2))
    found = [
        digests.digest(json.dumps(event).encode()) for event in (one, other, dict(reversed(one.items())))
    ]
    assert found[0] == found[2] != found[1]
    assert len(found[0]) == 32


@pytest.mark.parametrize("odd", [b"1", b"NaN", b'"\\ud800"', b"1e99999999999999999999999"])
def test_the_deepest_event_has_a_value_and_a_digest(odd):
    """What was accepted at the limit is never stuck later."""
    (event,) = wire.split(b"[" + nested(511, odd) + b"]").events
    assert len(digests.digest(event)) == 32
    assert isinstance(wire.decode(event), list)


def test_a_batch_of_real_events_is_split_as_json_reads_it():
    """Both ways of splitting agree with the standard library about a large batch."""
    events = [
        json.dumps({"type": "track", "properties": {"n": n, "deep": [[n]]}}).encode() for n in range(600)
    ]
    assert wire.split(b'{"batch":[' + b",".join(events) + b"]}").events == events
    assert wire.split(b'{"x":NaN,"batch":[' + b" , ".join(events) + b"]}").events == events
