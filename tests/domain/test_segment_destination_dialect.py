"""Segment's ChartMogul destination: flat Send Contact and Send Customer, row by row."""

import pytest

from tests.domain.tables import BODIES, RECEIVED_AT, expected, rows, said
from webapp.domain import segment, wire


@pytest.mark.parametrize("row", rows("destination_dialect.json"), ids=lambda row: row["promise"])
def test_an_event_says_what_its_row_says(row):
    """Every field of the reading is as the table has it, and no other field says anything."""
    assert said(row) == expected(row)


def test_both_dialects_of_one_stream_tell_the_same_contacts():
    """The destination's bodies were made from the spec's calls: the details of each call agree."""
    flat = {}
    for line in (BODIES / "segment-destination-bodies.ndjson").read_bytes().splitlines():
        reading = segment.read(wire.decode(line), RECEIVED_AT)
        assert reading.reason is None
        assert reading.warnings == []
        flat[reading.message_id] = reading
    for line in (BODIES / "segment-spec-events.ndjson").read_bytes().splitlines():
        reading = segment.read(wire.decode(line), RECEIVED_AT)
        if reading.message_id in flat:
            other = flat[reading.message_id]
            assert (reading.user_id, reading.group_id) == (other.user_id, other.group_id)
            assert (reading.contact, reading.company) == (other.contact, other.company)
            assert reading.time == other.time
