"""`make run`: one command that runs everything, stops it in order, and goes on where it was."""

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import programs
from tests.conftest import ROOT, free_port
from tests.faults.site import children
from tests.test_supervisor import is_running
from webapp.models.event import PENDING


class Running:
    """A supervisor that has been started.

    Attributes:
        port: where its web server listens.
        process: the supervisor itself, without its programs.
        log: what all have said so far.
    """

    def __init__(self, data_dir: Path, port: int) -> None:
        self.port = port
        quiet = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
        environment = quiet | {"DATA_DIR": str(data_dir), "PORT": str(port)}
        log = data_dir.with_suffix(f".{time.monotonic_ns()}.log")
        log.touch()
        self.process = programs.start(["jobs.up"], environment, log)

    @property
    def log(self) -> str:
        return self.process.log.read_text()

    def wait_until_up(self) -> "Running":
        wait_until(lambda: "Ctrl-C stops everything" in self.log, self)
        return self

    def status(self, path: str) -> int:
        """The status of an answer of its web server."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def answers(self) -> bool:
        """Whether its web server is there."""
        try:
            return self.status("/healthz") == 200
        except OSError:
            return False

    def stop(self, signum: int = signal.SIGINT) -> int:
        self.process.send_signal(signum)
        return self.process.wait(timeout=60)

    def own(self) -> dict[int, str]:
        """What it started itself and still runs: `{process id: command}`."""
        return {pid: command(pid) for pid in children(self.process.pid)}

    def programs(self) -> dict[int, str]:
        """Its descendants: `{process id: command}`."""
        found = [self.process.pid]
        for pid in found:
            found += children(pid)
        return {pid: command(pid) for pid in found[1:]}


def command(pid: int) -> str:
    """What a process was started with; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


def wait_until(true: Callable[[], bool], running: Running, seconds: float = 60) -> None:
    """Wait for something that happens soon; show what the supervisor said when it does not."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, running.log
        time.sleep(0.05)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts supervisors on one data directory; none outlives the test."""
    started: list[Running] = []

    def begin(port: int | None = None) -> Running:
        started.append(Running(tmp_path / "data", port or free_port()))
        return started[-1]

    yield begin
    for running in started:
        running.process.kill()


def test_one_command_runs_everything_for_its_owner_alone_and_whatever_dies_is_back(start, tmp_path):
    """Web server, worker, sweeper and queue come up, and again when they are killed; Ctrl-C stops them all.

    Other users of the machine read neither the key nor the data, and a second one, which would undo the
    first one's work, is refused.
    """
    running = start().wait_until_up()
    link = re.search(r"http://127\.0\.0\.1:\d+(/setup/\S+)", running.log)
    assert link, running.log
    assert running.status("/healthz") == 200
    assert running.status(link[1]) == 200
    names = " ".join(running.programs().values())
    for name in ("jobs.web", "jobs.worker", "jobs.sweeper", "broker.sock"):
        assert name in names
    for path in [tmp_path / "data", *(tmp_path / "data").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path

    other = start()
    assert other.process.wait(timeout=60) == 2
    assert "Another Tributary already runs on" in other.log
    assert running.status("/healthz") == 200

    for name in ("jobs.worker", "jobs.sweeper", "broker.sock", "jobs.web"):
        [victim] = [pid for pid, said in running.own().items() if name in said]
        os.kill(victim, signal.SIGKILL)
        wait_until(
            lambda n=name, v=victim: any(n in said and pid != v for pid, said in running.own().items()),
            running,
        )
    wait_until(running.answers, running)

    left = running.programs()
    assert running.stop() == 0, running.log
    assert "Tributary has stopped." in running.log
    assert not any(map(is_running, left))


def test_a_port_that_is_taken_is_named(start):
    """The person reads which variable to set."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = start(taken.getsockname()[1])
        assert running.process.wait(timeout=60) == 2
        assert "Set PORT" in running.log
        assert "Traceback" not in running.log


def test_what_was_answered_200_is_kept_whatever_stops_the_rest_and_the_next_goes_on_with_it(start, tmp_path):
    """Segment may forget an event once it has our 200, so nothing may be lost after it, or made twice.

    A supervisor that is killed takes its programs with it: nothing holds the data or the port any more, so
    the next start just works.
    """
    data = tmp_path / "data"
    running = start().wait_until_up()
    url = webhook(data, running.port)
    key = (data / "secret_key").read_bytes()
    acknowledged: set[str] = set()
    for signum in (signal.SIGINT, signal.SIGKILL):
        before = len(acknowledged)
        names = [f"{signum.name}-{sender}" for sender in "abcd"]
        senders = [
            threading.Thread(target=send_until_gone, args=(url, name, acknowledged), daemon=True)
            for name in names
        ]
        for sender in senders:
            sender.start()
        wait_until(lambda b=before: len(acknowledged) > b + 200, running)
        left = running.programs()
        assert running.stop(signum) == (0 if signum == signal.SIGINT else -signum), running.log
        wait_until(lambda pids=left: not any(map(is_running, pids)), running)
        for sender in senders:
            sender.join()
        running = start(running.port).wait_until_up()
        assert (data / "secret_key").read_bytes() == key
        assert running.status("/healthz") == 200
        wait_until(lambda: set(outcomes(data)) >= acknowledged and settled(data), running)
    assert running.stop(signal.SIGTERM) == 0, running.log


def webhook(data_dir: Path, port: int) -> str:
    """Add a source from the command line; the URL that Segment would post to."""
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "flask",
            "--app",
            "wsgi",
            "source",
            "add",
            "--name",
            "Shop",
            "--policy",
            "user",
        ],
        cwd=ROOT,
        env=os.environ | {"DATA_DIR": str(data_dir), "PORT": str(port)},
        capture_output=True,
        text=True,
        check=True,
    )
    path = urllib.parse.urlsplit(json.loads(done.stdout)["webhook_url"]).path
    return f"http://127.0.0.1:{port}{path}"


def send_until_gone(url: str, name: str, acknowledged: set[str]) -> None:
    """Post one event after another until nobody listens; note which were answered 200."""
    for number in range(100_000):
        message_id = f"{name}-{number}"
        event = {"type": "identify", "messageId": message_id, "userId": message_id, "traits": {"plan": "pro"}}
        request = urllib.request.Request(
            url, json.dumps(event).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                assert answer.status == 200
        except urllib.error.HTTPError:
            continue
        except OSError:
            return
        acknowledged.add(message_id)


def outcomes(data_dir: Path) -> dict[str, int]:
    """What became of each event: `{message id: state}`."""
    with closing(sqlite3.connect(data_dir / "tributary.db")) as database:
        return dict(database.execute("SELECT message_id, state FROM events"))


def settled(data_dir: Path) -> bool:
    """Whether every event has been dealt with."""
    return all(state != PENDING for state in outcomes(data_dir).values())
