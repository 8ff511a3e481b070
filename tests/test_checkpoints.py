"""SQLite's log is brought into its file beside the transactions that somebody waits for."""

import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.faults.sender import until
from webapp import checkpoints
from webapp.database import begin

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PAGE = 4096
ROW = "x" * (PAGE - 200)  # so long that a page holds one
LOCKED = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=0)
try:
    connection.execute("BEGIN IMMEDIATE")
except sqlite3.OperationalError:
    print("locked")
"""


@pytest.fixture
def path(engine: Engine) -> Path:
    """The file of a database with an empty table `papers`."""
    with begin(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE papers (text)")
    return Path(str(engine.url.database))


def write(engine: Engine, pages: int) -> None:
    """Commit so many pages, a hundred a transaction."""
    for _ in range(pages // 100):
        with begin(engine) as connection:
            connection.exec_driver_sql("INSERT INTO papers VALUES (?)", [(ROW,)] * 100)


def log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def test_a_long_log_is_brought_into_the_file_by_a_thread(engine: Engine, path: Path) -> None:
    """Nobody's commit does it, since none comes to so long a log."""
    assert checkpoints.MOST_PAGES > 2 * checkpoints.PAGES
    before = path.stat().st_size
    write(engine, 2 * checkpoints.PAGES)
    until(lambda: path.stat().st_size > before + checkpoints.PAGES * PAGE // 2, "the file has grown", 10)


def test_a_log_that_is_written_without_a_pause_begins_at_its_start_again(engine: Engine, path: Path) -> None:
    """A thread alone would always be a little behind, and the log would grow for as long as that goes on."""
    write(engine, 3 * checkpoints.MOST_PAGES)
    assert log_of(path).stat().st_size < 2 * checkpoints.MOST_PAGES * PAGE


def test_a_short_log_is_left_as_it_is(engine: Engine, path: Path) -> None:
    """Each checkpoint makes the disk wait, so they are few."""
    write(engine, checkpoints.PAGES)
    until(lambda: checkpoints.is_idle(str(path)), "no checkpoint is taken", 10)
    before = path.stat().st_size
    write(engine, checkpoints.PAGES // 5)
    assert checkpoints.is_idle(str(path))
    assert path.stat().st_size == before


def test_looking_at_the_log_gives_up_no_lock(engine: Engine, path: Path) -> None:
    """Locks on a file are a process's, and closing it anywhere in the process would give up all of them."""
    write(engine, checkpoints.PAGES // 2)
    with begin(engine) as connection:
        connection.exec_driver_sql("INSERT INTO papers VALUES ('one more')")
        checkpoints.look(str(path))
        assert is_locked(path)
    assert not is_locked(path)


def is_locked(path: Path) -> bool:
    """Whether another process could not write now."""
    done = subprocess.run([sys.executable, "-c", LOCKED, path], capture_output=True, text=True, check=True)
    return done.stdout == "locked\n"


def test_where_no_checkpoint_can_be_taken_writing_goes_on(engine: Engine, path: Path) -> None:
    """It is tried again when more was written; what was committed stands in the log meanwhile."""
    before = path.stat().st_size
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM papers").fetchone() == (0,)
        write(engine, 3 * checkpoints.PAGES)
        assert reader.execute("SELECT count(*) FROM papers").fetchone() == (0,)
        assert path.stat().st_size < before + 100 * PAGE
    wanted = before + 3 * checkpoints.PAGES * PAGE

    def is_tried_again() -> bool:
        write(engine, 100)  # whoever commits looks, but for while a thread is at it
        return path.stat().st_size > wanted

    until(is_tried_again, "the file holds what was written meanwhile", 10)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM papers").scalar() > 3 * checkpoints.PAGES


def test_a_commit_is_one_where_no_thread_can_be_started(
    engine: Engine, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who committed must not be told that it failed: a call would be stored twice."""
    with monkeypatch.context() as machine:
        machine.setattr(threading.Thread, "start", no_more_threads)
        write(engine, 2 * checkpoints.PAGES)
    before = path.stat().st_size
    write(engine, 100)
    until(lambda: path.stat().st_size > before + checkpoints.PAGES * PAGE, "the next one takes it", 10)


def no_more_threads(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")
