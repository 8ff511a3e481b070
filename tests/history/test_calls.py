"""What an import looks at in a call, and what people may choose."""

import json
from pathlib import Path

import pytest

from webapp.domain import segment, wire
from webapp.domain.calls import Choice, Glance, Unfit, choose, glance

NOW = 1_790_000_000_000_000
DAY = 86_400_000_000
DATA = Path(__file__).resolve().parents[1] / "data"
REAL = [line for file in DATA.glob("*.ndjson") for line in file.read_bytes().splitlines() if line.strip()]
ODD = [
    b"{}",
    b'{"type":" track ","event":7,"timestamp":1767225600}',
    b'{"type":"track","event":["x"],"timestamp":NaN}',
    b'{"type":["identify"],"timestamp":"soon"}',
    b'{"type":"identify","timestamp":"","originalTimestamp":"2026-01-01"}',
    b'{"type":"identify","sent_at":"1767225600.5"}',
    b'{"type":"group","timestamp":1.7672256e9}',
    b'{"type":"group","timestamp":1e999999999999999999999}',
    b'{"type":"group","timestamp":"2199-01-01T00:00:00Z"}',
    b'{"type":"track","type":"identify","timestamp":true}',
    b'{"type":{"a":1},"receivedAt":"2026-02-03 04:05:06"}',
]


@pytest.mark.parametrize("events", [REAL, ODD], ids=["real", "odd"])
def test_a_glance_sees_the_type_and_time_that_reading_finds(events):
    """Who chooses a day or a type gets exactly the calls that count as such once they are read."""
    for event in events:
        reading = segment.read(wire.decode(event), NOW)
        seen = glance(event, NOW)
        assert (seen.type, seen.time) == (reading.type, reading.time), event


def test_a_choice_takes_whole_days_types_and_named_events():
    """The last day is taken whole; names limit track calls alone; what is never imported is never taken."""
    choice = choose("2026-01-02", "2026-01-03", ["Track", "group"], ["Signed Up"])
    second = 20_455 * DAY
    assert choice == Choice(second, second + 2 * DAY, ("track", "group"), ("Signed Up",))
    assert choice.takes(Glance("track", "Signed Up", second))
    assert choice.takes(Glance("group", "", second + 2 * DAY - 1))
    assert not choice.takes(Glance("track", "Signed Out", second))
    assert not choice.takes(Glance("identify", "", second))
    assert not choice.takes(Glance("group", "", second - 1))
    assert not choice.takes(Glance("group", "", second + 2 * DAY))
    assert not Choice().takes(Glance("page", "", second))
    assert choose("", " ", None, None) == Choice()


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("from", ("2026-02-30", "", None, None)),
        ("to", ("", "20260131", None, None)),
        ("to", ("2026-02-01", "2026-01-31", None, None)),
        ("types", ("", "", ["page"], None)),
        ("types", ("", "", [], None)),
    ],
)
def test_a_choice_that_cannot_be_says_why(field, asked):
    """A wrong day or type is a sentence beside its field, and nothing is imported by mistake."""
    with pytest.raises(Unfit) as error:
        choose(*asked)
    assert error.value.field == field
    assert str(error.value).endswith(".")


def test_names_of_events_are_compared_as_they_are_shown():
    """A name is trimmed on both sides, so that what is ticked on the page is what is imported."""
    event = json.dumps({"type": "track", "event": "  Signed Up "}).encode()
    assert glance(event, NOW).name == "Signed Up"
    assert choose("", "", None, [" Signed Up"]).takes(glance(event, NOW))
