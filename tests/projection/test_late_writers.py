"""Work on SQLite that reads before it takes the lock, and whose commits need not be on the disk at once."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, event, func, select, update

from tests import factories
from tests.projection import support
from tests.projection.test_resync import ask, state, work
from tests.projection.workspace import small_steps
from webapp.config import Settings
from webapp.database import Overtaken, begin, begin_work
from webapp.models import Contact, Source
from webapp.services.pacing import Chances

__all__ = ["small_steps"]

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
PERSONS = 30


def _rename(connection: Connection, name: str) -> None:
    connection.execute(update(Source).values(name=name))


def _name(connection: Connection) -> Any:
    return connection.scalar(select(Source.name))


def test_work_that_nobody_overtook_is_committed(engine: Engine) -> None:
    """It reads, writes, and is there."""
    with begin(engine) as connection:
        factories.source(connection)
    with begin_work(engine, late=True) as connection:
        assert _name(connection)
        _rename(connection, "Late")
    with engine.connect() as connection:
        assert _name(connection) == "Late"


@ON_SQLITE
@pytest.mark.parametrize("still_writing", [False, True])
def test_while_work_reads_others_write_and_what_it_read_is_not_written_over(
    engine: Engine, still_writing: bool
) -> None:
    """Who writes meanwhile does not wait, nor does the work for them: what it read is old by then."""
    with begin(engine) as connection:
        factories.source(connection)

    def work() -> None:
        with begin_work(engine, late=True) as connection:
            assert _name(connection)
            with begin(engine) as other:
                _rename(other, "Sooner")
                if still_writing:
                    _rename(connection, "Late")
            _rename(connection, "Late")

    with pytest.raises(Overtaken):
        work()
    with engine.connect() as connection:
        assert (_name(connection) == "Sooner") is not still_writing


@ON_SQLITE
def test_a_resync_that_is_overtaken_again_and_again_comes_to_its_end(
    engine: Engine, settings: Settings
) -> None:
    """Somebody writes whenever a step has read; every person is placed all the same, and once."""
    source_id = support.make_source(engine, policy="company")
    traits = [{"email": f"{n}@x.example"} for n in range(PERSONS)]
    told = [{"type": "identify", "userId": each["email"], "traits": each} for each in traits]
    support.receive(engine, source_id, told)
    support.drain(engine, settings, source_id)
    sync_id = ask(engine, source_id, policy="user")
    wrote: list[int] = []

    def before(_connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT syncs.id"):
            file = sqlite3.connect(str(engine.url.database), timeout=0)
            with closing(file) as neighbour, suppress(sqlite3.OperationalError), neighbour:
                neighbour.execute("UPDATE sources SET last_event_at = 1")  # unless the step has the lock
                wrote.append(1)

    event.listen(engine, "before_cursor_execute", before)
    work(engine, settings, sync_id)
    event.remove(engine, "before_cursor_execute", before)
    assert len(wrote) > 2
    assert state(engine, sync_id).state == "done"
    with engine.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(Contact)) == PERSONS


@ON_SQLITE
def test_only_what_would_be_done_again_is_committed_before_it_is_on_the_disk(engine: Engine) -> None:
    """What was answered 200 is; a transaction that follows on the same connection waits for the disk too."""
    for block, waits in ((begin_work, 1), (begin, 2), (begin_work, 1), (begin, 2)):
        with block(engine) as connection:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == waits
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_what_others_spoil_is_tried_ever_more_seldom_and_often_again_once_it_works() -> None:
    """Each failure costs the reading of a step."""
    chances = Chances()
    passed = []
    for _ in range(7):
        turns = 0
        while not chances.are_good():
            turns += 1
        passed.append(turns)
        chances.learn(spoiled=True)
    assert passed == [0, 1, 3, 7, 15, 31, 31]
    while not chances.are_good():
        pass
    chances.learn(spoiled=False)
    assert chances.are_good()
