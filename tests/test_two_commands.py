"""`make run`: one command that runs everything, stops it in order, and goes on where it was."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import free_port

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
