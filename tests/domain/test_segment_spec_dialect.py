"""Segment's spec: track, identify and group, row by row."""

import pytest

from tests.domain.tables import BODIES, RECEIVED_AT, expected, rows, said
from webapp.domain import segment, wire


@pytest.mark.parametrize("row", rows("spec_dialect.json"), ids=lambda row: row["promise"])
def test_an_event_says_what_its_row_says(row):
    """Every field of the reading is as the table has it, and no other field says anything."""
    assert said(row) == expected(row)


def test_a_real_stream_is_read_without_a_warning():
    """Real calls of a workspace: all but the pages say something, and nothing in them is odd."""
    lines = (BODIES / "segment-spec-events.ndjson").read_bytes().splitlines()
    readings = [segment.read(wire.decode(line), RECEIVED_AT) for line in lines]
    assert [reading.reason for reading in readings if reading.type != "page"] == [None] * 336
    assert {reading.reason for reading in readings if reading.type == "page"} == {"page"}
    assert [reading.warnings for reading in readings if reading.warnings] == []


def test_a_type_is_shown_cut_and_clean():
    """A type may be anything, and a page must be able to show it."""
    reading = segment.read({"type": "\x00" + "x" * 99}, RECEIVED_AT)
    assert (reading.type, reading.reason) == ("\ufffd" + "x" * 63, "unknown_type")


def test_every_reason_and_warning_has_a_sentence():
    """The codes that tables tell are those that people can be told of."""
    told = [row["says"] for name in ("spec", "destination") for row in rows(f"{name}_dialect.json")]
    reasons = {says["reason"] for says in told if "reason" in says}
    codes = {code for says in told for code, _ in says.get("warnings", [])}
    # Those of a source's mapping are told in tests/mapping.
    assert reasons | {"tracks_off", "track_not_chosen"} == set(segment.REASONS)
    # The last two are the projection's, which knows the source's other events.
    assert codes | {"no_customer", "no_contact", "cut", "over_limit", "more"} == set(segment.WARNINGS)
