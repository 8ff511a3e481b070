"""What was received is counted by source and hour, and what of it had been before once that is known."""

from sqlalchemy import select

from tests import factories
from tests.webhook.conftest import add_url
from tests.webhook.test_writing import call
from tests.webhook.test_writing import writers as writers
from webapp.database import begin
from webapp.models import Tally
from webapp.services import inbox, tokens
from webapp.services.event_rows import DRAIN
from webapp.services.inbox import Call, Notes, Verdict


def test_tallies_of_several_processes_add_up(line, writers):
    """Every process counts in rows of its own, so that none waits for another."""
    for number, writer in enumerate(writers):
        assert writer.submit(call(line, b"same", b"%d" % number)) is Verdict.ACCEPTED
    assert line.tally() == (8, 0)
    with line.engine.connect() as connection:
        hours = set(connection.scalars(select(Tally.hour)))
    assert all(hour % 3_600_000_000 == 0 for hour in hours)


def test_each_source_of_a_transaction_is_counted_by_itself(line):
    """Events count for their own source, in the hour in which they came; repeats too, once they are known."""
    hour = 3_600_000_000
    with begin(line.engine) as connection:
        other = factories.source(connection, "Other")
        theirs = tokens.digest(add_url(connection, other))
    ours, ours_id = tokens.digest(line.token), line.source_id
    calls = [
        Call(theirs, 7 * hour + 5, [b"1", b"2"]),
        Call(ours, 8 * hour - 1, [b"1"]),
        Call(theirs, 6 * hour + 1, [b"2"]),
        Call(ours, 8 * hour, [b"3", b"1", b"1"]),
    ]
    for _ in range(2):
        with begin(line.engine) as connection:
            inbox.write(connection, calls, Notes(), writer=5)
    received = {(ours_id, 7 * hour, 5, 2, 0), (ours_id, 8 * hour, 5, 6, 0)}
    received |= {(other, 7 * hour, 5, 4, 0), (other, 6 * hour, 5, 2, 0)}
    assert tallies(line) == received
    line.drain()
    assert tallies(line) == received | {(ours_id, 7 * hour, DRAIN, 0, 1), (ours_id, 8 * hour, DRAIN, 0, 5)}
    assert line.bodies() == [b"1", b"3"]


def tallies(line):
    """All tallies: source id, hour, writer, received, duplicates."""
    with line.engine.connect() as connection:
        told = select(Tally.source_id, Tally.hour, Tally.writer, Tally.received, Tally.duplicates)
        return set(connection.execute(told).tuples())
