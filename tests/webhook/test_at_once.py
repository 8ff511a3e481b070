"""One statement of PostgreSQL does what the whole transaction does, or nothing at all."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

import pytest
from sqlalchemy import func, select

from tests import factories
from tests.webhook.conftest import Line, add_url, eventually
from webapp.database import begin
from webapp.models import Event, Tally, now
from webapp.services import at_once, inbox, pile, tokens
from webapp.services.inbox import Call, Notes, Verdict, Written

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
HOUR = 3_600_000_000


def write(line: Line, calls: list[Call], notes: Notes | None = None) -> Written | None:
    """Write calls at once."""
    engine = line.engine.execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        return at_once.write(connection, calls, Notes() if notes is None else notes, 3)


def stored(line: Line) -> list[tuple[int, int, bytes, int]]:
    """The events of all sources, in their order, and then what was counted."""
    wanted = select(Event.source_id, Event.received_at, Event.body, Event.state).order_by(Event.id)
    with line.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(wanted)]


def counted(line: Line) -> list[tuple[int, int, int, int, int]]:
    """The tallies."""
    wanted = select(Tally.source_id, Tally.hour, Tally.writer, Tally.received, Tally.duplicates)
    with line.engine.connect() as connection:
        return sorted(tuple(row) for row in connection.execute(wanted))


def test_the_calls_of_several_sources_are_stored_and_counted_as_by_the_whole_transaction(line):
    """The same events in the same order, the same tallies, the same sources to wake, the same notes."""
    with begin(line.engine) as connection:
        other = factories.source(connection, "Other")
        second = add_url(connection, other)
        key = add_url(connection, other, "key")
    at = 500_000 * HOUR
    calls = [
        Call(tokens.digest(line.token), at - 1, [b"1", b"2"], source_id=line.source_id),
        Call(tokens.digest(second), at, [b"3"], source_id=other),
        Call(tokens.key_digest(key), at, [b"4"], source_id=other),
        Call(tokens.digest(line.token), at + 1, [b"5"], source_id=line.source_id),
    ]
    notes = [Notes(), Notes()]
    written = write(line, calls, notes[0])
    assert counted(line) == [
        (line.source_id, at - HOUR, 3, 2, 0),
        (line.source_id, at, 3, 1, 0),
        (other, at, 3, 2, 0),
    ]
    first = stored(line)
    assert [body for _, _, body, _ in first] == [b"1", b"2", b"3", b"4", b"5"]
    with begin(line.engine) as connection:
        whole = inbox.write(connection, calls, notes[1], 3, hurried=True)
    assert stored(line) == first * 2
    assert counted(line) == [(*place, 2 * received, 0) for *place, received, _ in counted_once(first)]
    assert written == whole
    assert notes[0] == notes[1]


def counted_once(events: list[tuple[int, int, bytes, int]]) -> list[tuple[int, int, int, int, int]]:
    """The tallies of events that came once."""
    hours = [(source_id, at // HOUR * HOUR, 3) for source_id, at, _, _ in events]
    return [(*place, hours.count(place), 0) for place in sorted(set(hours))]


@pytest.mark.parametrize(
    "change",
    [
        lambda line: line.replace(),
        lambda line: line.replace(grace=60),
        lambda line: line.set(pause="refuse"),
        lambda line: line.set(pause="keep"),
        lambda line: line.set(state="deleting", name_key=None),
        lambda line: line.set(signing_sealed=b"sealed"),
    ],
    ids=["replaced", "in grace", "refusing", "keeping", "deleted", "signed now"],
)
def test_nothing_is_written_once_something_has_to_be_said_of_one_call(
    line: Line, change: Callable[[Line], Any]
) -> None:
    """What was remembered of a URL does not hold any more: none of the calls is stored."""
    with begin(line.engine) as connection:
        other = factories.source(connection, "Other")
        second = add_url(connection, other)
    calls = [
        Call(tokens.digest(second), now(), [b"1"], source_id=other),
        Call(tokens.digest(line.token), now(), [b"2"], source_id=line.source_id),
    ]
    change(line)
    notes = Notes()
    assert write(line, calls, notes) is None
    assert (stored(line), counted(line), notes) == ([], [], Notes())


def test_a_token_that_opens_another_source_than_was_remembered_stores_nothing(line):
    """Nothing lands at a source that its URL does not belong to."""
    with begin(line.engine) as connection:
        other = factories.source(connection, "Other")
    assert write(line, [Call(tokens.digest(line.token), now(), [b"1"], source_id=other)]) is None
    assert stored(line) == []


def test_a_call_without_events_or_of_an_unknown_source_is_left_to_the_whole_transaction(line):
    """The connection test, an empty batch, and a call of which nothing is remembered."""
    token = tokens.digest(line.token)
    assert at_once.fits([Call(token, 1, [b"1"], source_id=1)])
    assert not at_once.fits([Call(token, 1, [b"1"], source_id=1), Call(token, 1, [], True, source_id=1)])
    assert not at_once.fits([Call(token, 1, [b"1"])])
    assert not at_once.fits([Call(token, 1, [b"1"] * 50_001, source_id=1)])
    assert not at_once.fits([])


def test_a_writer_stores_at_once_and_says_what_the_whole_transaction_would(line):
    """The first call also says when the source last heard something; those right after it go at once."""
    heard: SimpleQueue[Verdict | None] = SimpleQueue()

    def post(body: bytes) -> Verdict | None:
        line.writer.hand_in(
            Call(tokens.digest(line.token), now(), [body], source_id=line.source_id), heard.put
        )
        return heard.get(timeout=30)

    assert [post(b"%d" % number) for number in range(20)] == [Verdict.ACCEPTED] * 20
    assert line.tally() == (20, 0)
    line.set(pause="refuse")
    assert post(b"20") is Verdict.PAUSED
    line.set(pause="")
    line.replace()
    assert post(b"21") is Verdict.FORBIDDEN
    assert line.bodies() == [b"%d" % number for number in range(20)]
    with line.engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Event)) == 20


def test_a_second_hand_helps_where_much_waits_and_each_counts_by_its_own_number(line, monkeypatch):
    """While one transaction is held up by a lock the next is stored; all is counted."""
    monkeypatch.setattr(pile, "MUCH", 10)
    token = tokens.digest(line.token)
    small, large = ([Call(token, now(), [body], source_id=line.source_id)] for body in (b"1", b"2" * 20))
    assert line.writer.submit(*small) is Verdict.ACCEPTED
    first, helper = line.writer._hands
    heard: SimpleQueue[Verdict | None] = SimpleQueue()
    with line.engine.begin() as connection:
        connection.exec_driver_sql("LOCK TABLE events IN SHARE MODE")
        line.writer.hand_in(*small, heard.put)
        assert eventually(lambda: bool(first.busy_since))
        line.writer.hand_in(*large, heard.put)
        assert eventually(lambda: bool(helper.busy_since))
        assert len(helper.taken) == 1
    assert [heard.get(timeout=30) for _ in range(2)] == [Verdict.ACCEPTED] * 2
    assert line.tally() == (3, 0)
    assert sorted(map(len, line.bodies())) == [1, 1, 20]
