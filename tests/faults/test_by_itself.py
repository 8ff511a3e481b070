"""Whole programs that are killed: nobody calls anybody, and the work goes on."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest
import redis
from sqlalchemy import Engine, select

from jobs.lifeline import die_with_parent
from jobs.queue import Bell
from tests import factories
from tests.conftest import ROOT, environment_of, free_port
from tests.faults.arming import VARIABLE, armed
from tests.faults.support import House, Worker
from tests.webhook.conftest import add_url, eventually
from webapp import failpoints
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event

Start = Callable[..., subprocess.Popen[bytes]]
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def start(settings: Settings, broker: str) -> Iterator[Start]:
    """Starts programs of an installation with a real queue."""
    running: list[subprocess.Popen[bytes]] = []
    queued = environment_of(replace(settings, redis_url=broker))

    def begin_program(*command: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=queued | environment,
            cwd=ROOT,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        running.append(process)
        return process

    yield begin_program
    for process in running:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started, at once."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_re_sync_goes_on_by_itself_when_worker_and_queue_are_lost(
    engine: Engine, settings: Settings, worker: Worker, broker: str, start: Start
) -> None:
    """The forked process dies, then its worker, and the queue forgets all: within 30 seconds it is done."""
    house = House(engine, settings, worker)
    source_id = house.source("user")
    house.finished("sync", house.ask(source_id, "resync", "company"))
    expected = house.files(source_id)
    house.finished("sync", house.ask(source_id, "resync", "user"))
    sync = house.ask(source_id, "resync", "company")
    doomed = start("jobs.worker", "syncs", **armed("resync.after_commit:2"))
    Bell(broker).start(sync)
    assert eventually(lambda: house.state(sync) == "running", 20)
    kill(doomed)
    with closing(redis.Redis.from_url(broker)) as queue:
        queue.flushall()
    start("jobs.worker", "syncs")
    start("jobs.sweeper")
    assert eventually(lambda: house.state(sync) == "done", 30)
    assert house.files(source_id) == expected


@pytest.mark.parametrize("place", ["ingest.before_commit:3", "ingest.after_commit:3"])
def test_a_webhook_killed_around_its_commit_loses_and_doubles_nothing(
    engine: Engine, start: Start, place: str
) -> None:
    """The server dies at its third commit and is started again; who is not answered sends again."""
    with begin(engine) as connection:
        token = add_url(connection, factories.source(connection))
    port = free_port()
    start("jobs.web", PORT=str(port), **armed(place))
    retries = [_sent(port, f"/webhooks/segment/{token}", f"m{number}") for number in range(4)]
    assert sum(retries) >= 1
    with engine.connect() as connection:
        stored = sorted(json.loads(body)["messageId"] for body in connection.scalars(select(Event.body)))
    assert stored == [f"m{number}" for number in range(4)]


def _sent(port: int, path: str, name: str) -> int:
    """Send an event until it is answered with 200; how often it was cut off under way."""
    cut = 0
    for _ in range(600):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
            try:
                connection.connect()
            except OSError:  # it is being started
                time.sleep(0.05)
                continue
            try:
                connection.request("POST", path, json.dumps({"messageId": name}))
                if connection.getresponse().status == 200:
                    return cut
            except (OSError, http.client.HTTPException):
                cut += 1
    raise AssertionError("the server does not answer")


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
