"""How draining keeps its pace: batches, memory, and turns with those who write at the same time."""

from __future__ import annotations

import fcntl
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from tests.projection import support
from webapp.config import Settings
from webapp.database import CROWDED, begin
from webapp.services import pacing, projection, reading
from webapp.services.pacing import Pace, within


def test_a_batch_ends_before_it_is_too_large_for_memory() -> None:
    """However many events wait and however large they are, so many bytes are read at once; one always is."""
    assert within([(1, 40), (2, 40), (3, 40)], 100) == 2
    assert within([(1, 400), (2, 40)], 100) == 1
    assert within([], 100) == 0


def test_large_events_are_drained_in_several_batches(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What does not fit into one batch is left to the next, and all of it arrives."""
    monkeypatch.setattr("webapp.services.pending.MOST_BYTES", 300)
    source = support.make_source(engine)
    told = [{"type": "identify", "userId": f"u{n}", "traits": {"plan": "x" * 100}} for n in range(7)]
    support.receive(engine, source, told)
    assert support.drain(engine, settings, source).applied == 7


def test_events_that_tell_much_are_drained_in_several_batches(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many short values take far more memory than their bytes: a batch holds so many values at most."""
    monkeypatch.setattr("webapp.services.pending.MOST_VALUES", 30)
    source = support.make_source(engine)
    traits = {f"k{n}": n for n in range(10)}
    support.receive(
        engine, source, [{"type": "identify", "userId": f"u{n}", "traits": traits} for n in range(7)]
    )
    batches: list[int] = []

    def note() -> bool:
        batches.append(1)
        return False

    assert projection.drain(engine, source, settings=settings, stop=note).applied == 7
    assert len(batches) - 1 == 4  # two events each; the last look finds nothing


@pytest.mark.parametrize(("limit", "pages"), [("MOST_BYTES", 4), ("MOST_VALUES", 7)])
def test_a_rebuild_reads_no_more_at_once_than_fits_into_memory(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, limit: str, pages: int
) -> None:
    """Events that were read before are as large as those that wait; one is always taken."""
    monkeypatch.setattr(f"webapp.services.pending.{limit}", 450 if limit == "MOST_BYTES" else 3)
    source = support.make_source(engine)
    traits = {"plan": "x" * 80, "role": "owner"}
    support.receive(
        engine, source, [{"type": "identify", "userId": f"u{n}", "traits": traits} for n in range(7)]
    )
    assert support.drain(engine, settings, source).applied == 7
    seen: list[int] = []
    with engine.connect() as connection:
        after = 0
        while page := reading.page(connection, source, after, 500):
            seen += [event.id for event in page]
            after, pages = page[-1].id, pages - 1
    assert len(seen) == len(set(seen)) == 7
    assert pages == 0


def test_the_last_look_keeps_nobody_waiting(engine: Engine, settings: Settings) -> None:
    """A drain that has done its work finds that nothing else waits, without the lock that others need."""
    source = support.make_source(engine)
    support.receive(engine, source, [{"type": "identify", "userId": "u1", "traits": {}}])
    said: list[str] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _keep(_connection, _cursor, statement, _parameters, _context, _many) -> None:  # type: ignore[no-untyped-def]
        said.append(statement)

    assert support.drain(engine, settings, source).applied == 1
    event.remove(engine, "before_cursor_execute", _keep)
    written = max(n for n, statement in enumerate(said) if statement.startswith("UPDATE events"))
    last = said[written + 1 :]
    assert any("events" in statement for statement in last)
    assert not any("IMMEDIATE" in statement or "FOR NO KEY UPDATE" in statement for statement in last)


def test_those_who_told_much_before_are_told_of_in_small_batches(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is stored of people is read with their events, so it bounds how many of these a batch takes."""
    source = support.make_source(engine)
    support.receive(
        engine, source, [{"type": "identify", "userId": f"u{n}", "traits": {}} for n in range(50)]
    )
    support.drain(engine, settings, source)
    monkeypatch.setattr(pacing, "MOST_STORED", 100)
    told = [{"type": "identify", "userId": f"u{n % 50}", "traits": {"seats": n}} for n in range(600)]
    support.receive(engine, source, told)
    batches: list[int] = []

    def note() -> bool:
        batches.append(1)
        return False

    assert projection.drain(engine, source, settings=settings, stop=note).applied == 600
    later = 600 - (pacing.TRIED if engine.dialect.name == "sqlite" else pacing.FIRST)
    assert len(batches) - 2 == -(-later // pacing.LEAST)


def test_the_first_batch_is_short_where_it_may_keep_others_waiting() -> None:
    """Nobody knows before it whether others want to write to SQLite; the next one is as large as ever."""
    sizes: list[int] = []
    for dialect in ("sqlite", "postgresql"):
        pace = Pace(dialect, lambda _seconds: None)
        for _ in range(2):
            with pace.batch() as batch:
                batch.begun(False)
                batch.worked = batch.size
                sizes.append(batch.size)
    assert sizes == [pacing.TRIED, pacing.FIRST, pacing.FIRST, pacing.FIRST * 4]


def test_work_of_another_kind_begins_with_a_short_batch() -> None:
    """A row of the next table may take many times as long as one of the table before."""
    pace = Pace("sqlite", lambda _seconds: None)
    for _ in range(4):
        with pace.batch() as batch:
            batch.begun(False)
            batch.worked = batch.size
    pace.begin_anew()
    with pace.batch() as batch:
        assert batch.size == pacing.TRIED


def test_others_who_write_make_batches_short_and_get_a_rest() -> None:
    """While somebody waits for the lock, a drain takes small bites and leaves it alone after each."""
    rests: list[float] = []
    pace = Pace("sqlite", rests.append)
    for crowded in (False, True):
        with pace.batch() as batch:
            batch.begun(crowded)
            batch.worked = batch.size
            time.sleep(0.05)
        pace.rest()
    assert rests == [pacing.BREATH]
    with pace.batch() as batch:
        assert batch.size < pacing.FIRST * 4


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_waits_to_write_goes_before_who_has_just_written(engine: Engine) -> None:
    """A writer that begins again at once finds that somebody was waiting, and comes after them."""
    order: list[str] = []
    waiting, database = threading.Event(), Path(str(engine.url.database))

    def other() -> None:
        waiting.set()
        with begin(engine):
            order.append("other")
            while _is_free(database):  # until the first has asked for its turn again
                time.sleep(0.001)

    thread = threading.Thread(target=other)
    with begin(engine):
        thread.start()
        waiting.wait()
        while _is_free(database):
            time.sleep(0.001)
    with begin(engine) as connection:
        order.append("first")
        assert connection.info[CROWDED]
    thread.join()
    assert order == ["other", "first"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_who_finds_somebody_writing_knows_that_others_write(engine: Engine) -> None:
    """Nobody stands in line then, and yet the next one had to wait."""
    began, enough = threading.Event(), threading.Event()

    def other() -> None:
        with begin(engine):
            began.set()
            enough.wait()

    thread = threading.Thread(target=other)
    thread.start()
    began.wait()
    threading.Timer(0.05, enough.set).start()
    with begin(engine) as connection:
        assert enough.is_set()
        assert connection.info[CROWDED]
    thread.join()
    with begin(engine) as connection:
        assert not connection.info[CROWDED]


def _is_free(database: Path) -> bool:
    with open(f"{database}-turn", "ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_tied_identifiers_are_found_by_their_index(engine: Engine, settings: Settings) -> None:
    """No query of a drain goes through all identifiers of a source, however many are stored."""
    said: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _keep(_connection, _cursor, statement, parameters, _context, _many) -> None:  # type: ignore[no-untyped-def]
        if statement.startswith("SELECT identifiers."):
            said.append((statement, parameters))

    source = support.make_source(engine)
    support.receive(engine, source, [{"type": "identify", "userId": "u1", "anonymousId": "a1", "traits": {}}])
    support.drain(engine, settings, source)
    event.remove(engine, "before_cursor_execute", _keep)
    assert said
    with engine.connect() as connection:
        for statement, parameters in said:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            found = [row.detail for row in plan if "identifiers" in row.detail]
            assert found
            assert all(detail.count("=?") == 3 for detail in found), plan


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_waits_is_found_by_its_small_index(engine: Engine, settings: Settings) -> None:
    """However many events are kept, a drain looks at none that was projected before."""
    said: list[tuple[str, object]] = []

    @event.listens_for(engine, "before_cursor_execute")
    def _keep(_connection, _cursor, statement, parameters, _context, _many) -> None:  # type: ignore[no-untyped-def]
        if statement.startswith("SELECT") and "events.state" in statement:
            said.append((statement, parameters))

    source = support.make_source(engine)
    support.receive(engine, source, [{"type": "identify", "userId": "u1", "traits": {}}])
    support.drain(engine, settings, source)
    event.remove(engine, "before_cursor_execute", _keep)
    assert len(said) == 3
    with engine.connect() as connection:
        for statement, parameters in said:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            assert any("ix_events_waiting" in row.detail for row in plan), plan
