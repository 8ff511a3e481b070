"""Events that come again: kept once, counted as duplicates, and told apart by the drain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, func, select, update

from tests import factories
from tests.oracle import World
from tests.projection import support
from tests.projection.test_ahead import readers as readers
from tests.projection.test_law import law, streams
from tests.webhook.conftest import eventually
from webapp.config import Settings
from webapp.database import begin
from webapp.domain import mapping
from webapp.domain.batch import Heard, Sent, hear, hear_and_say
from webapp.domain.digests import digest
from webapp.domain.lately import Lately
from webapp.models import Event, Identifier, PathSighting, Tally
from webapp.models.event import APPLIED, PARKED, PENDING
from webapp.services import projection

ADA = {"type": "identify", "userId": "ada", "messageId": "m1", "traits": {"email": "ada@mail.example"}}
SENT_LATER = ADA | {"sentAt": "2026-01-02T00:00:00Z"}


def kept(engine: Engine, source: int) -> list[tuple[int, bytes | None]]:
    """State and digest of what is in the inbox, by id."""
    query = select(Event.state, Event.digest).where(Event.source_id == source).order_by(Event.id)
    with engine.connect() as connection:
        return list(connection.execute(query).tuples())


def duplicates(engine: Engine, source: int) -> int:
    """How many the source has counted."""
    with engine.connect() as connection:
        return int(
            connection.scalar(select(func.sum(Tally.duplicates)).where(Tally.source_id == source)) or 0
        )


def imported(engine: Engine, source: int, body: dict[str, Any]) -> int:
    """An event as an archive brings it: it waits, and has its digest; its id."""
    with begin(engine) as connection:
        return factories.event(
            connection, source, support.raw(body), digest=digest(support.raw(body)), state=PENDING
        )


@law
@given(
    stream=streams(),
    again=st.lists(st.integers(0, 8), max_size=12),
    cuts=st.lists(st.integers(1, 6), max_size=6),
)
def test_whatever_comes_again_leaves_nothing_but_its_count(
    engine: Engine, settings: Settings, stream: list[Any], again: list[int], cuts: list[int]
) -> None:
    """However repeats lie in batches and drains: all is accounted for, kept is what came, once, and shown."""
    source = support.make_source(engine)
    sent = stream + [stream[number % len(stream)] for number in again]
    rest, gone_through = sent, 0
    for cut in [*cuts, len(sent)]:
        support.receive(engine, source, rest[:cut])
        rest = rest[cut:]
        gone_through += support.drain(engine, settings, source).total
    different = {digest(support.raw(each)) for each in sent}
    inbox = [told for _, told in kept(engine, source)]
    assert len(inbox) == len(different)
    assert set(inbox) == different
    assert duplicates(engine, source) == len(sent) - len(different)
    assert gone_through == len(sent)
    shown = World((support.raw(each), support.RECEIVED_AT) for each in sent).tables("user")
    for found, expected in zip(support.tables(engine, source), shown, strict=True):
        assert support.in_order(found) == support.in_order(expected)


def numbered(numbers: Iterable[int]) -> list[dict[str, Any]]:
    """Calls of different people."""
    return [ADA | {"userId": f"u{number}", "traits": {"seats": number}} for number in numbers]


def told_paths(engine: Engine, source: int) -> list[Any]:
    """How often each trait and property was told."""
    row = PathSighting
    query = select(row.call, row.path, row.name, row.count).where(row.source_id == source)
    with engine.connect() as connection:
        return list(connection.execute(query.order_by(row.call, row.path, row.name)))


@pytest.mark.parametrize(
    ("again", "read_by_drain"),
    [
        # Two batches of 40 before the other process is ready. In the third are ten repeats of the first of
        # these, so the drain reads the 25 that are new in it by itself, and the 5 of the last.
        pytest.param([*range(100), *range(95, 105), *range(10), *range(100, 110)], 110, id="of long before"),
        pytest.param([*range(110), *range(90, 110)], 80, id="of what was read ahead"),
    ],
)
def test_repeats_fall_out_of_a_batch_that_was_read_ahead(
    engine: Engine,
    settings: Settings,
    readers: list[Any],
    monkeypatch: pytest.MonkeyPatch,
    again: list[int],
    read_by_drain: int,
) -> None:
    """By those that the other process knows its reading loses nothing; by others the drain reads anew."""
    read: list[Any] = []

    def noted(events: Sequence[Sent], rules: mapping.Mapping) -> Heard:
        read.extend(events)
        return hear(events, rules)

    one, other = support.make_source(engine), support.make_source(engine)
    support.receive(engine, one, numbered(range(110)))
    assert support.drain(engine, settings, one).total == 110
    assert len(readers) == 1
    support.receive(engine, other, numbered(again))
    monkeypatch.setattr(projection, "hear", noted)
    drained = support.drain(engine, settings, other)
    assert len(readers) == 2
    assert (drained.applied, drained.duplicates) == (110, 20)
    assert len(read) == read_by_drain
    for left, right in zip(support.tables(engine, one), support.tables(engine, other), strict=True):
        assert support.in_order(left) == support.in_order(right)
    assert told_paths(engine, one) == told_paths(engine, other)


def test_the_other_process_leaves_out_repeats_of_what_it_read_before() -> None:
    """Of the same batch and of any before, but of no other source; and nothing is a repeat of itself."""
    lately = Lately()

    def left_out(source: int, *events: tuple[int, dict[str, Any]]) -> set[int]:
        sent = [(id, support.RECEIVED_AT, support.raw(body), None) for id, body in events]
        heard, said = hear_and_say(source, sent, mapping.DEFAULT, lately)
        assert heard.digests == {id: digest(support.raw(body)) for id, body in events}
        assert {row["id"] for row in said.outcomes} == heard.digests.keys() - heard.repeats
        return heard.repeats

    other = ADA | {"messageId": "m2"}
    assert left_out(1, (10, ADA), (11, other), (12, SENT_LATER)) == {12}
    assert left_out(1, (13, other), (14, ADA | {"messageId": "m3"})) == {13}
    assert left_out(1, (13, other), (14, ADA | {"messageId": "m3"})) == {13}, "asked once more"
    assert left_out(2, (15, ADA)) == set()


def test_what_was_met_last_is_remembered() -> None:
    """The other process does not grow with the backlog."""
    lately = Lately(most=2)
    assert [lately.meet(1, id, b"%d" % (id % 3)) for id in range(4)] == [False] * 4
    assert lately.meet(1, 4, b"0")


@pytest.mark.parametrize("first", ["archive", "webhook"])
def test_an_archive_and_the_webhook_may_bring_the_same(
    engine: Engine, settings: Settings, first: str
) -> None:
    """The archive's is kept, which its report has counted as stored, whichever of them came first."""
    source = support.make_source(engine)
    if first == "webhook":
        support.receive(engine, source, [ADA])
    event_id = imported(engine, source, ADA)
    if first == "archive":
        support.receive(engine, source, [SENT_LATER])
    drained = support.drain(engine, settings, source)
    assert (drained.applied, drained.duplicates) == (1, 1)
    with engine.connect() as connection:
        assert connection.scalars(select(Event.id).where(Event.source_id == source)).all() == [event_id]


def test_an_event_that_is_parked_is_kept_once(engine: Engine, settings: Settings) -> None:
    """What cannot be applied is known again, too: the next one is a duplicate, and parks nothing."""
    source = support.make_source(engine)
    support.receive(engine, source, [ADA | {"messageId": "m0"}])
    support.drain(engine, settings, source)
    with begin(engine) as connection:
        connection.execute(update(Identifier).values(told=b"\xff of no release"))
    support.receive(engine, source, [ADA, ADA])
    drained = support.drain(engine, settings, source)
    assert (drained.parked, drained.duplicates) == (1, 1)
    support.receive(engine, source, [SENT_LATER])
    drained = support.drain(engine, settings, source)
    assert (drained.parked, drained.duplicates) == (0, 1)
    assert kept(engine, source)[1:] == [(PARKED, digest(support.raw(ADA)))]
    assert duplicates(engine, source) == 2


def test_another_source_may_have_the_same_event(engine: Engine, settings: Settings) -> None:
    """The very same event is the same only within one source."""
    one, other = support.make_source(engine), support.make_source(engine)
    for source in (one, other):
        support.receive(engine, source, [ADA])
        assert support.drain(engine, settings, source).applied == 1
        assert kept(engine, source) == [(APPLIED, digest(support.raw(ADA)))]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_archive_may_store_the_same_in_the_middle_of_a_drain(engine: Engine, settings: Settings) -> None:
    """The drain waits for its transaction, finds the event there, and counts its own as a duplicate."""
    source = support.make_source(engine)
    other = ADA | {"userId": "bob"}
    support.receive(engine, source, [ADA, other])
    with ThreadPoolExecutor(1) as threads, engine.connect() as archive:
        factories.event(archive, source, support.raw(ADA), digest=digest(support.raw(ADA)), state=PENDING)
        drain = threads.submit(support.drain, engine, settings, source)
        assert eventually(lambda: _waits(engine))
        archive.commit()
        drained = drain.result(30)
    drained.applied += support.drain(engine, settings, source).applied
    assert (drained.applied, drained.duplicates, drained.parked) == (2, 1, 0)
    assert sorted(kept(engine, source)) == sorted(
        (APPLIED, digest(support.raw(each))) for each in (ADA, other)
    )


def _waits(engine: Engine) -> bool:
    with engine.connect() as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        return bool(connection.exec_driver_sql(waiting).scalar())


def test_digests_are_looked_up_one_by_one(engine: Engine, settings: Settings) -> None:
    """However many events are kept, a drain goes through the digests of none that it did not ask for."""
    said: list[tuple[str, Any]] = []

    def keep(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if "digest" in statement and "SELECT" in statement and "DELETE" not in statement:
            said.append((statement, parameters))

    source = support.make_source(engine)
    support.receive(engine, source, [ADA | {"messageId": f"m{number}"} for number in range(300)])
    support.drain(engine, settings, source)
    support.receive(engine, source, [ADA])
    event.listen(engine, "before_cursor_execute", keep)
    support.drain(engine, settings, source)
    event.remove(engine, "before_cursor_execute", keep)
    [(statement, parameters)] = [pair for pair in said if "JOIN LATERAL" in pair[0] or "json_each" in pair[0]]
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        explain = "EXPLAIN QUERY PLAN" if sqlite else "EXPLAIN"
        plan = "\n".join(map(str, connection.exec_driver_sql(f"{explain} {statement}", parameters)))
    assert "ix_events_digest" in plan
    assert ("(source_id=? AND digest=?)" if sqlite else "(digest = told.digest)") in plan, plan
