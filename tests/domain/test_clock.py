"""Times: every form that is read, every form that is not, and what stands in for an unreadable one."""

from decimal import Decimal

import pytest

from webapp.domain.clock import event_time, iso, read_time, timestamp_form

AT = 1_788_257_714_000_000
"""2026-09-01T10:15:14Z."""


@pytest.mark.parametrize(
    ("value", "instant"),
    [
        ("2026-09-01T10:15:14Z", AT),
        ("2026-09-01T10:15:14.000Z", AT),
        ("2026-09-01 10:15:14", AT),
        ("2026-09-01T10:15:14", AT),
        ("\u2003 2026-09-01T10:15:14Z\t", AT),
        ("2026-09-01T12:15:14+02:00", AT),
        ("2026-09-01 12:15:14+0200", AT),
        ("2026-09-01T05:15:14-05", AT),
        ("2026-09-01T10:15", AT - 14_000_000),
        ("2026-09-01", AT - 36_914_000_000),
        ("2026-09-01T10:15:14.5Z", AT + 500_000),
        ("2026-09-01T10:15:14,5Z", AT + 500_000),
        ("2026-09-01T10:15:14.1234569Z", AT + 123_456),
        ("2026-09-01T10:15:14.999999999Z", AT + 999_999),
        ("Tue, 01 Sep 2026 10:15:14 +0000", AT),
        ("tue, 1 sep 2026 10:15:14 GMT", AT),
        ("1 Sep 2026 12:15:14 +0200 (CEST)", AT),
        ("01 Sep 2026 10:15 UT", AT - 14_000_000),
        ("Tue, 01 Sep 26 06:15:14 EDT", AT),
        (1_788_257_714, AT),
        ("1788257714", AT),
        ("1788257714.25", AT + 250_000),
        (Decimal("1788257714.1234569"), AT + 123_456),
        (1_788_257_714_000, AT),
        ("1788257714000.5", AT + 500),
        (1788257714.5, AT + 500_000),
        (Decimal("1.788257714e12"), AT),
        (99_999_999_999, 99_999_999_999_000_000),
        (100_000_000_000, 100_000_000_000_000),
        (0, 0),
        ("0", 0),
        (-1, -1_000_000),
        (Decimal("-0.0000001"), -1),
        ("1969-12-31T23:59:59.9999999Z", -1),
        ("0001-01-01T00:00:00Z", -62_135_596_800_000_000),
        ("9999-12-31T23:59:59.999999Z", 253_402_300_799_999_999),
    ],
)
def test_a_time_is_read_in_every_form_that_senders_use(value, instant):
    """ISO 8601, RFC 2822 and the epoch in seconds or milliseconds, as text or number, cut to microseconds."""
    assert read_time(value) == instant


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        "",
        "now",
        [],
        {},
        [1_788_257_714],
        "2026-02-30",
        "2026-13-01",
        "2026-09-01T24:00:00",
        "2026-09-01T10:60:00",
        "2026-09-01T10:15:60",
        "2026-09-01T10",
        "2026-09-01T",
        "2026-09",
        "2026-9-1",
        "2026-W36-2",
        "2026-W36",
        "2026-244",
        "20260901T101514Z",
        "2026-09-01T101514Z",
        "2026-09-01T10:15:14+24:00",
        "2026-09-01T10:15:14 Z",
        "\u0662026-09-01",
        "0000-01-01",
        "10000-01-01",
        "9999-12-31T23:59:59-05:00",
        "0001-01-01T00:00:00+05:00",
        "Tue, 31 Feb 2026 10:15:14 +0000",
        "Tue, 01 Foo 2026 10:15:14 +0000",
        "Tue, 01 Sep 2026 25:15:14 +0000",
        "1.7e9",
        "١٧٨٨٢٥٧٧١٤",
        10**30,
        -(10**30),
        253_402_300_800_000,
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("1e300"),
        float("nan"),
        "9" * 400,
    ],
)
def test_what_is_no_time_is_not_read_as_one(value):
    """No basic, partial or week date, no day that does not exist, nothing outside the years 1 to 9999."""
    assert read_time(value) is None


@pytest.mark.parametrize(
    ("event", "instant"),
    [
        ({"timestamp": "2026-09-01T10:15:14Z", "sentAt": "2026-09-02"}, AT),
        ({"timestamp": " ", "originalTimestamp": 1_788_257_714, "sentAt": "2026-08-01"}, AT),
        ({"timestamp": None, "original_timestamp": "1788257714"}, AT),
        ({"sentAt": "", "sent_at": "2026-09-01T10:15:14Z", "receivedAt": "2026-08-01"}, AT),
        ({"received_at": "2026-09-01T10:15:14Z"}, AT),
        ({"timestamp": "2027-01-01"}, AT + 9),
        ({}, AT + 9),
    ],
)
def test_an_events_time_is_the_first_that_is_not_blank_and_never_after_receipt(event, instant):
    """timestamp, originalTimestamp, sentAt, receivedAt, in either spelling; without any, the receipt."""
    assert event_time(event, AT + 9) == (instant, [])


def test_an_unreadable_time_is_the_receipt_with_a_warning():
    """The first that says anything counts, even where a later one could be read."""
    event = {"original_timestamp": "soon", "sentAt": "2026-09-01"}
    assert event_time(event, AT) == (AT, [("unreadable_time", "original_timestamp")])


@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (AT, "2026-09-01T10:15:14Z"),
        (AT + 500_000, "2026-09-01T10:15:14.500000Z"),
        (-1, "1969-12-31T23:59:59.999999Z"),
        (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
        (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_a_fraction_only_where_there_is_one(instant, text):
    """One form for pages and exports, and it is read back as the same instant."""
    assert iso(instant) == text
    assert read_time(text) == instant


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("2026-09-01", True),
        ("2026-09-01T10:15:14", True),
        ("2026-09-01T10:15:14.123+02:00", True),
        ("2026-09-01 10:15:14", False),
        ("2026-02-30", False),
        ("2026-09-01T", False),
        ("2026-09", False),
        ("2026-W36-2", False),
        ("20260901", False),
        ("1788257714", False),
        ("Tue, 01 Sep 2026 10:15:14 +0000", False),
        ("9999-12-31T23:59:59-05:00", False),
        ("", False),
    ],
)
def test_a_timestamp_is_a_full_iso_date_or_a_date_time_with_t(text, is_one):
    """Only this form makes a text a Timestamp; everything else stays text."""
    assert timestamp_form(text) is is_one
