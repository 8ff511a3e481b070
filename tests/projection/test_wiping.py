"""Wiping the gaps of SQLite's pages: nothing that was moved away stays, nothing that is there is touched."""

from __future__ import annotations

import random
import sqlite3
import struct
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, delete, insert, select, text
from sqlalchemy.orm import Session

from tests.projection import support
from webapp.config import Settings
from webapp.database import begin, make_engine
from webapp.models import Event, Rejection, Source
from webapp.services import packing, syncs, wiping

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MARK = b"xqmarkerx"


def path_of(engine: Engine) -> str:
    """The file of a database."""
    return str(engine.url.database)


def wipe_all(engine: Engine) -> None:
    """Wipe the whole file, and wait for its log as often as it takes."""
    page = 0
    while page >= 0:
        follow = wiping.wipe(path_of(engine), page, lambda *_: None)
        page = page if follow is None else follow


def moved_about(engine: Engine, source_id: int) -> None:
    """Rows of all lengths that come and go in no order, so that pages are split and joined."""
    draw = random.Random(7)
    reasons = [f"{MARK.decode()}{n}" * draw.randrange(1, 40) for n in range(800)]
    with begin(engine) as connection:
        for n, reason in enumerate(reasons):
            row = {"source_id": source_id, "status": n, "reason": reason, "count": 1, "last_at": n}
            connection.execute(insert(Rejection).values(row))
    for start in range(0, 800, 50):
        with begin(engine) as connection:
            some = [n for n in range(800) if n % 16 == start // 50]
            connection.execute(delete(Rejection).where(Rejection.status.in_(some)))


@SQLITE
def test_gaps_that_hold_what_was_moved_away_are_wiped(engine: Engine, tmp_path: Path) -> None:
    """Deleted rows whose bytes stayed in a page that they had left are in no file afterwards."""
    source_id = support.make_source(engine)
    moved_about(engine, source_id)
    wipe_all(engine)
    with engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    for file in tmp_path.glob("tributary.db*"):
        assert MARK not in file.read_bytes(), file.name


@SQLITE
def test_writers_go_on_while_gaps_are_wiped(engine: Engine, settings: Settings) -> None:
    """What others write meanwhile is all there, and the file is sound."""
    source_id = support.make_source(engine)
    moved_about(engine, source_id)
    ended = threading.Event()
    written: list[int] = []

    def write(lane: int) -> None:
        own = make_engine(settings)
        for turn in range(10_000):
            if ended.is_set():
                break
            number = lane * 10_000 + turn
            support.receive(own, source_id, [{"type": "identify", "userId": f"u{number}", "pad": "x" * turn}])
            written.append(number)
        own.dispose()

    threads = [threading.Thread(target=write, args=(lane,)) for lane in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(3):
            wipe_all(engine)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    with engine.connect() as connection:
        assert len(connection.scalars(select(Event.id)).all()) == len(written) > 0
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"


@SQLITE
def test_a_reader_in_the_middle_keeps_the_wiping_waiting(engine: Engine) -> None:
    """While somebody reads an older state from the log nothing is wiped, and it is said so."""
    source_id = support.make_source(engine)
    with engine.connect() as reader:
        reader.execute(select(Event.id)).all()
        support.receive(engine, source_id, [{"type": "identify", "userId": "u"}])
        assert wiping.wipe(path_of(engine), 0, lambda *_: None) is None
    assert wiping.wipe(path_of(engine), 0, lambda *_: None) is not None
    wipe_all(engine)


@SQLITE
def test_a_round_that_is_not_committed_is_done_again(engine: Engine) -> None:
    """Whoever dies in a round has written nothing down; what it wiped was nobody's."""

    def dies(connection: sqlite3.Connection, page: int) -> None:
        raise KeyboardInterrupt

    moved_about(engine, support.make_source(engine))
    with pytest.raises(KeyboardInterrupt):
        wiping.wipe(path_of(engine), 0, dies)
    with engine.connect() as connection:
        assert connection.scalar(text("PRAGMA integrity_check")) == "ok"
    support.make_source(engine)


@SQLITE
def test_a_file_that_shrinks_by_itself_is_written_anew(engine: Engine, tmp_path: Path) -> None:
    """Its pages that say where others belong look like a table's: none is wiped in place, and all goes."""
    source_id = support.make_source(engine)
    with closing(sqlite3.connect(path_of(engine), isolation_level=None)) as connection:
        connection.executescript("PRAGMA auto_vacuum = INCREMENTAL; VACUUM; CREATE TABLE filler (some BLOB)")
        moved_about(engine, source_id)
        connection.executemany("INSERT INTO filler VALUES (zeroblob(4000))", [()] * 1000)
        connection.execute("DROP TABLE filler")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with Session(engine) as session:
        sync_id = syncs.request_deletion(session, session.get_one(Source, source_id)).id
        session.commit()
    assert packing.wipe_gaps(engine, sync_id)
    assert packing.empty_log(engine)
    with closing(sqlite3.connect(path_of(engine), isolation_level=None)) as connection:
        connection.executescript("PRAGMA incremental_vacuum")  # goes by those pages
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for file in tmp_path.glob("tributary.db*"):
        assert MARK not in file.read_bytes(), file.name


def test_a_gap_is_known_by_the_header_of_its_page() -> None:
    """A leaf, an inner page, the first page, a full one; and pages that only look like one are left alone."""
    leaf = struct.pack(">BHHHB", 0x0D, 0, 2, 4000, 0) + struct.pack(">2H", 4050, 4000)
    assert wiping.gap(leaf.ljust(4096, b"\1"), 0, 0) == (12, 4000)
    inner = struct.pack(">BHHHBI", 0x05, 0, 1, 4090, 0, 7) + struct.pack(">H", 4090)
    assert wiping.gap(inner.ljust(4096, b"\1"), 0, 0) == (14, 4090)
    assert wiping.gap((bytes(100) + leaf).ljust(4096, b"\1"), 0, 100) == (112, 4000)
    overlapping = struct.pack(">BHHHB", 0x0D, 0, 2, 4000, 0) + struct.pack(">2H", 4050, 500)
    assert wiping.gap(overlapping.ljust(4096, b"\1"), 0, 0) == (0, 0)
    beyond = struct.pack(">BHHHB", 0x0D, 0, 0, 4095, 0)
    assert wiping.gap(beyond.ljust(4096, b"\1"), 32, 0) == (0, 0)
    overflow = struct.pack(">I", 12_345)
    assert wiping.gap(overflow.ljust(4096, b"\x0d"), 0, 0) == (0, 0)
