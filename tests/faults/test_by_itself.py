"""Whole programs that are killed: nobody calls anybody, and the work goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress

import pytest
import redis
from sqlalchemy import Engine

from jobs.queue import Bell
from tests.conftest import ROOT, environment_of
from tests.faults import account
from tests.faults.arming import VARIABLE, armed
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site, children
from tests.faults.support import House, Worker
from tests.test_supervisor import is_running
from webapp import failpoints
from webapp.config import Settings

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SOON = 30  # seconds in which another worker has found what was lost, and ended it


def test_long_work_goes_on_by_itself_when_workers_and_queue_are_lost(
    engine: Engine, settings: Settings, worker: Worker, broker: str, site: Site
) -> None:
    """A re-sync, a rebuild and a deletion hang, their workers die, the queue forgets all: soon they are done.

    The orphans wake up afterwards, find nothing left to do, and harm nothing; nor do senders notice.
    """
    house = House(engine, settings, worker)
    source_id, rebuilt, erased = (house.source("user") for _ in range(3))
    house.finished("sync", house.ask(source_id, "resync", "company"))
    expected = house.files(source_id), house.files(rebuilt)
    house.finished("sync", house.ask(source_id, "resync", "user"))
    kinds = {"resync": (source_id, "company"), "rebuild": (rebuilt, None), "deletion": (erased, None)}
    syncs = [house.ask(of, kind, policy) for kind, (of, policy) in kinds.items()]
    places = armed(",".join(f"{kind}.after_commit:2:wait" for kind in kinds))
    doomed = [site.start("jobs.worker", "syncs", **places) for _ in syncs]
    site.start("jobs.worker", "events")
    site.serve()
    sender = Sender(site.address, events=traffic("m", 2000), connections=4, pause=0.3).start()
    for sync in syncs:
        Bell(broker).start(sync)
    until(lambda: all(house.state(sync) == "running" for sync in syncs), "the forked processes work")
    orphans = [pid for one in doomed for pid in children(one.pid)]
    try:
        for one in doomed:
            one.kill()
        lost = time.monotonic()
        with closing(redis.Redis.from_url(broker)) as queue:
            queue.flushall()
        site.start("jobs.worker", "syncs")
        site.start("jobs.sweeper")
        # A deletion that is done leaves nothing of itself.
        until(lambda: [*map(house.state, syncs)] == ["done", "done", None], "all is done", SOON)
        print(f"\ndone {time.monotonic() - lost:.1f} seconds after the workers were lost")
        assert len(orphans) == 3
        assert all(map(is_running, orphans))
        for orphan in orphans:
            os.kill(orphan, signal.SIGUSR1)
        until(lambda: not any(map(is_running, orphans)), "the orphans have ended")
    finally:
        for orphan in orphans:
            with suppress(ProcessLookupError):
                os.kill(orphan, signal.SIGKILL)
    assert [*map(house.state, syncs)] == ["done", "done", None]
    assert (house.files(source_id), house.files(rebuilt)) == expected
    sender.stop().wait()
    assert not sender.failures
    account.close(site, sender)


@ONE_DATABASE
def test_no_setting_of_a_program_arms_a_place(engine: Engine, settings: Settings, worker: Worker) -> None:
    """The variable alone does nothing: who can set it can kill nothing."""
    house = House(engine, settings, worker)
    sync = house.ask(house.source("user"), "resync")
    code = f"from jobs import tasks; tasks.sync({sync})"
    environment = environment_of(settings) | {VARIABLE: "resync.after_claim,resync.after_commit"}
    assert (
        subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, check=False).returncode == 0
    )
    assert house.state(sync) == "done"


def test_a_place_has_to_be_there_to_be_armed() -> None:
    """A test cannot wait for a place that was renamed."""
    with pytest.raises(KeyError):
        failpoints.arm({"resync.no_such_place": 1}, print)


def test_only_tests_arm_places() -> None:
    """No module of the program does, whatever it is told."""
    for folder in ("webapp", "jobs"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "failpoints.py":
                text = path.read_text()
                assert "failpoints.arm" not in text, path
                assert "import arm" not in text, path
