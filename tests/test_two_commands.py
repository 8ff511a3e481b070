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

from tests.conftest import free_port
from webapp.models.event import PENDING

ROOT = Path(__file__).resolve().parents[1]


class Running:
    """A supervisor that has been started.

    Attributes:
        port: where its web server listens.
        log: what it has said so far.
    """

    def __init__(self, data_dir: Path, port: int) -> None:
        self.port = port
        self._file = data_dir.with_suffix(f".{time.monotonic_ns()}.log")
        quiet = {k: v for k, v in os.environ.items() if k not in ("DATABASE_URL", "REDIS_URL", "SECRET_KEY")}
        with open(self._file, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "jobs.up"],
                cwd=ROOT,
                env=quiet | {"DATA_DIR": str(data_dir), "PORT": str(port)},
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._file.read_text()

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

    def stop(self, signum: int = signal.SIGINT) -> int:
        self.process.send_signal(signum)
        return self.process.wait(timeout=60)

    def programs(self) -> dict[int, str]:
        """Its descendants: `{process id: command}`."""
        return {pid: command for pid, command in commands().items() if self.process.pid in ancestors(pid)}


def commands() -> dict[int, str]:
    """Every process of this machine that is alive."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if command:
                found[int(entry.name)] = command
    return found


def ancestors(pid: int) -> list[int]:
    """Parents of a process, nearest first."""
    found = []
    while pid > 1:
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            break
        found.append(pid)
    return found


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
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


def test_one_command_runs_everything_and_a_second_goes_on_with_the_same_data(start, tmp_path):
    """Web server, worker, sweeper and queue come up; Ctrl-C stops them all; nothing is made twice."""
    first = start().wait_until_up()
    link = re.search(r"http://127\.0\.0\.1:\d+(/setup/\S+)", first.log)
    assert link, first.log
    assert first.status("/healthz") == 200
    assert first.status(link[1]) == 200
    names = " ".join(first.programs().values())
    for name in ("jobs.web", "jobs.worker", "jobs.sweeper", "broker.sock"):
        assert name in names
    programs = set(first.programs())
    key = (tmp_path / "data" / "secret_key").read_bytes()

    assert first.stop() == 0, first.log
    assert "Tributary has stopped." in first.log
    assert not programs & set(commands())

    second = start().wait_until_up()
    assert (tmp_path / "data" / "secret_key").read_bytes() == key
    assert second.status("/healthz") == 200
    assert second.stop(signal.SIGTERM) == 0, second.log


def test_what_is_kept_is_for_its_owner_alone(start, tmp_path):
    """Other users of the machine read neither the key nor the data."""
    running = start().wait_until_up()
    for path in [tmp_path / "data", *(tmp_path / "data").iterdir()]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert running.stop() == 0


def test_a_second_one_on_the_same_data_is_refused(start):
    """Two supervisors on one database would undo each other's work."""
    running = start().wait_until_up()
    other = start()
    assert other.process.wait(timeout=60) == 2
    assert "Another Tributary already runs on" in other.log
    assert running.status("/healthz") == 200
    assert running.stop() == 0


def test_a_port_that_is_taken_is_named(start):
    """The person reads which variable to set."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        running = start(taken.getsockname()[1])
        assert running.process.wait(timeout=60) == 2
        assert "Set PORT" in running.log
        assert "Traceback" not in running.log


def test_every_program_may_be_killed(start):
    """Whatever dies is back within seconds, and the rest goes on."""
    running = start().wait_until_up()
    for name in ("jobs.worker", "jobs.sweeper", "broker.sock", "jobs.web"):
        [victim] = [
            p for p, c in running.programs().items() if name in c and ancestors(p)[0] == running.process.pid
        ]
        os.kill(victim, signal.SIGKILL)
        wait_until(
            lambda n=name, v=victim: any(n in c and p != v for p, c in running.programs().items()), running
        )
    wait_until(lambda: answers(running), running)
    assert running.stop() == 0, running.log


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_what_was_answered_200_is_kept_whatever_stops_the_rest(start, tmp_path, signum):
    """Segment may forget an event once it has our 200, so nothing may be lost after it."""
    first = start().wait_until_up()
    url = webhook(tmp_path / "data", first.port)
    acknowledged: set[str] = set()
    senders = [threading.Thread(target=send_until_gone, args=(url, name, acknowledged)) for name in "abcd"]
    for sender in senders:
        sender.start()
    wait_until(lambda: len(acknowledged) > 200, first)
    first.process.send_signal(signum)
    first.process.wait(timeout=60)
    for sender in senders:
        sender.join()
    second = start(first.port).wait_until_up()
    wait_until(
        lambda: set(outcomes(tmp_path / "data")) >= acknowledged and settled(tmp_path / "data"), second
    )
    assert second.stop() == 0


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


def answers(running: Running) -> bool:
    """Whether the web server is there."""
    try:
        return running.status("/healthz") == 200
    except OSError:
        return False


def test_a_killed_supervisor_takes_its_programs_with_it(start):
    """After SIGKILL nothing holds the data directory or the port, so the next start just works."""
    running = start().wait_until_up()
    programs = set(running.programs())
    running.process.kill()
    running.process.wait()
    wait_until(lambda: not programs & set(commands()), running)
    again = start(running.port).wait_until_up()
    assert again.stop() == 0
