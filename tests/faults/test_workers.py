"""Workers that die, freeze and come back, and clocks that jump: each event is folded once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults import account
from tests.faults.arming import armed, clocked
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site, is_frozen

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_of_several_workers_one_dies_and_one_freezes_in_the_middle_of_a_batch(site: Site) -> None:
    """The others go on without it; where it holds SQLite's one lock, senders are told to come again."""
    site.serve()
    sender = Sender(site.address, events=traffic("m", 5000), connections=4, pause=0.05).start()
    dying = site.start("jobs.worker", "events", **armed("drain.mid_batch:1:kill"))
    assert dying.wait(timeout=60) == -signal.SIGKILL
    frozen = site.start("jobs.worker", "events", **armed("drain.mid_batch:1:freeze"))
    until(lambda: is_frozen(frozen.pid), "a worker is frozen")
    site.work()
    site.start("jobs.worker", "events")
    until(lambda: sender.failures["503"] > 0 or site.folded() > 0, "senders or the others notice", 60)
    frozen.send_signal(signal.SIGCONT)
    sender.stop().wait()
    late = Sender(site.address, events=traffic("late", 20)).start().wait()
    account.close(site, sender, late)
    assert frozen.poll() is None
    assert not is_frozen(frozen.pid)


@ONE_DATABASE
def test_a_clock_that_jumps_to_and_fro_changes_nothing_that_was_told(site: Site, tmp_path: Path) -> None:
    """Events that bear no time count when they were received, whatever the clock said then."""
    clock = tmp_path / "clock"
    clock.write_text("0")
    site.serve(**clocked(clock))
    site.start("jobs.worker", "events", **clocked(clock))
    site.start("jobs.sweeper", **clocked(clock))
    senders = []
    for turn, ahead in enumerate(("0", "86400", "-86400", "3600")):
        clock.write_text(ahead)
        senders.append(Sender(site.address, events=traffic(f"m{turn}", 60)).start().wait())
    account.close(site, *senders)
