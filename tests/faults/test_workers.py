"""Workers that die, freeze and come back, and clocks that jump: each event is folded once."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests.faults import account
from tests.faults.arming import armed, clocked
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site, children, is_frozen
from tests.test_supervisor import is_running
from webapp.models import Event
from webapp.services.ahead import IDLE

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_of_several_workers_one_dies_and_one_freezes_in_the_middle_of_a_batch(site: Site) -> None:
    """The others go on without it; where it holds SQLite's one lock, senders are told to come again."""
    site.serve()
    sender = Sender(site.address, events=traffic("m", 2000), connections=4, pause=0.2).start()
    dying = site.start("jobs.worker", "events", **armed("drain.mid_batch:1:kill"))
    assert dying.wait(timeout=60) == -signal.SIGKILL
    frozen = site.start("jobs.worker", "events", **armed("drain.mid_batch:1:freeze"))
    until(lambda: is_frozen(frozen.pid), "a worker is frozen")
    site.work()
    site.start("jobs.worker", "events")
    until(lambda: sender.failures["503"] > 0 or site.folded() > 0, "senders or the others notice", 30)
    frozen.send_signal(signal.SIGCONT)
    sender.stop().wait()
    late = Sender(site.address, events=traffic("late", 20)).start().wait()
    account.close(site, sender, late)
    assert frozen.poll() is None
    assert not is_frozen(frozen.pid)


@ONE_DATABASE
def test_the_reader_of_a_worker_that_is_killed_ends_by_itself(site: Site) -> None:
    """It reads batches for one worker alone; without it nobody asks, and it stays for nobody."""
    site.serve()
    sender = Sender(site.address, events=traffic("m", 7000), together=500).start().wait()
    dying = site.start("jobs.worker", "events")
    site.start("jobs.sweeper")
    until(lambda: bool(readers(dying.pid)), "a backlog is read ahead")
    [reader] = readers(dying.pid)
    folded = site.folded()
    until(lambda: site.folded() > folded, "the worker goes on")
    assert is_running(reader), "there is no reader any more"
    os.kill(dying.pid, signal.SIGKILL)  # it alone, not its whole group
    dying.wait()
    assert site.pending() > 0, "the worker was killed too late"
    until(lambda: not is_running(reader), "its reader has ended", IDLE / 3)
    site.start("jobs.worker", "events")
    account.close(site, sender)


def readers(pid: int) -> list[int]:
    """Which of a process's children read ahead."""
    return [child for child in children(pid) if b"webapp.services.reader" in command_of(child)]


def command_of(pid: int) -> bytes:
    """What a process was started with; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except FileNotFoundError:
        return b""


@ONE_DATABASE
def test_a_clock_that_jumps_to_and_fro_changes_nothing_that_was_told(site: Site, tmp_path: Path) -> None:
    """Events that bear no time count when they were received, whatever the clock said then."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    site.serve(**clocked(clock))
    site.start("jobs.worker", "events", **clocked(clock))
    site.start("jobs.sweeper", **clocked(clock))
    sender = Sender(site.address, events=traffic("m", 10_000), connections=4, pause=0.02).start()
    for ahead in ("86400", "-86400", "3600"):
        count = sender.count
        until(lambda: sender.count > count + 50, "events come in")  # noqa: B023  waits here
        jump = clock.with_suffix(".next")
        jump.write_text(ahead)
        jump.replace(clock)  # at once: whoever asks meanwhile finds either
    count = sender.count
    until(lambda: sender.count > count + 50, "events come in after the last jump")
    sender.stop().wait()
    assert not sender.failures
    received = select(func.max(Event.received_at) - func.min(Event.received_at))
    with site.engine.connect() as connection:
        felt = connection.scalar(received.where(Event.source_id == site.source_id)) or 0
    assert felt > (2 * 86_400 - 60) * 1_000_000, "the clock of what receives did not jump"
    account.close(site, sender)
