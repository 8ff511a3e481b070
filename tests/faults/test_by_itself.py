"""Whole programs that are killed: nobody calls anybody, and the work goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing, suppress

import pytest
import redis
from sqlalchemy import Engine

from jobs.queue import Bell
from tests.conftest import ROOT, environment_of
from tests.faults.arming import VARIABLE, armed
from tests.faults.sender import until
from tests.faults.site import Site, children, kill
from tests.faults.support import House, Worker
from tests.test_supervisor import is_running
from webapp import failpoints
from webapp.config import Settings

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_re_sync_goes_on_by_itself_when_worker_and_queue_are_lost(
    engine: Engine, settings: Settings, worker: Worker, broker: str, site: Site
) -> None:
    """Its process hangs, the worker above it dies and the queue forgets all: another one ends it soon.

    The orphan wakes up afterwards, finds nothing left to do, and harms nothing.
    """
    house = House(engine, settings, worker)
    source_id = house.source("user")
    house.finished("sync", house.ask(source_id, "resync", "company"))
    expected = house.files(source_id)
    house.finished("sync", house.ask(source_id, "resync", "user"))
    sync = house.ask(source_id, "resync", "company")
    doomed = site.start("jobs.worker", "syncs", **armed("resync.after_commit:2:wait"))
    Bell(broker).start(sync)
    until(lambda: house.state(sync) == "running", "the forked process works")
    [orphan] = children(doomed.pid)
    try:
        kill(doomed)
        with closing(redis.Redis.from_url(broker)) as queue:
            queue.flushall()
        site.start("jobs.worker", "syncs")
        site.start("jobs.sweeper")
        until(lambda: house.state(sync) == "done", "the re-sync is done", 60)
        assert is_running(orphan)
        os.kill(orphan, signal.SIGUSR1)
        until(lambda: not is_running(orphan), "the orphan has ended")
    finally:
        with suppress(ProcessLookupError):
            os.kill(orphan, signal.SIGKILL)
    assert house.state(sync) == "done"
    assert house.files(source_id) == expected


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
