"""The supervisor, with real programs under it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from jobs.supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parents[1]
# Writes its name when it starts, and again when it has been asked to stop and has finished.
WORKER = """
import signal, sys, time
name, seconds = sys.argv[1], float(sys.argv[2])
def stop(*_):
    time.sleep(seconds)
    print("finished", name, flush=True)
    sys.exit(0)
signal.signal(signal.SIGTERM, stop)
print("started", name, flush=True)
while True: time.sleep(0.05)
"""


def program(name: str, seconds: float = 0.0) -> tuple[str, ...]:
    """A program that needs so many seconds to finish what it is doing."""
    return (sys.executable, "-c", WORKER, name, str(seconds))


def run(children: list[Child], during: Callable[[], None], lines: list[str] | None = None) -> int:
    """Run children, do something meanwhile, then send SIGTERM to ourselves as a terminal would."""

    def act() -> None:
        during()
        os.kill(os.getpid(), signal.SIGTERM)

    actor = threading.Thread(target=act)
    supervisor = Supervisor(children, os.environ, say=(lines if lines is not None else []).append)
    status = supervisor.run(actor.start)
    actor.join()
    return status


def wait_until(true: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that happens soon."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_children_finish_in_the_order_of_their_stages(capfd):
    """The web server stops before the worker does, and the queue goes last, each when it has finished."""
    children = [
        Child("queue", program("queue"), stage=2),
        Child("web", program("web", 0.3), stage=0),
        Child("worker", program("worker", 0.2), stage=1),
    ]
    said: list[str] = []

    def until_all_have_started() -> None:
        wait_until(lambda: (said.append(capfd.readouterr().out) or "".join(said).count("started")) == 3)

    assert run(children, until_all_have_started) == 0
    ends = [line for line in ("".join(said) + capfd.readouterr().out).splitlines() if "finished" in line]
    assert ends == ["finished web", "finished worker", "finished queue"]


def test_a_child_that_dies_is_started_again_and_the_others_go_on():
    """One dead program does not take the rest down."""
    dies, stays = Child("dies", program("dies")), Child("stays", program("stays"))
    lines: list[str] = []

    def kill_one() -> None:
        assert dies.process is not None
        assert stays.process is not None
        first, other = dies.process.pid, stays.process.pid
        dies.process.kill()
        wait_until(lambda: dies.alive and dies.process.pid != first)
        assert stays.process.pid == other
        assert stays.alive

    run([dies, stays], kill_one, lines)
    assert lines[0] == "dies ended (signal SIGKILL); starting again in 0.5 s"


def test_a_child_that_dies_while_others_are_waited_for_is_started_again():
    """Who waits until the web server answers has the supervisor look after all of them meanwhile."""
    dies = Child("dies", program("dies"))
    supervisor = Supervisor([dies], os.environ, say=lambda _line: None)

    def wait() -> None:
        assert dies.process is not None
        first = dies.process.pid
        dies.process.kill()
        wait_until(lambda: supervisor.look_after() or (dies.alive and dies.process.pid != first))
        os.kill(os.getpid(), signal.SIGTERM)

    supervisor.run(wait)


def test_a_child_that_does_not_finish_is_ended():
    """Stopping always comes to an end, and says what it had to do."""
    stubborn = Child("worker", program("worker", 60), patience=0.3)
    lines: list[str] = []
    assert run([stubborn], lambda: time.sleep(0.3), lines) == 1
    assert lines == ["worker did not finish in time and was ended; what it had not committed will be redone"]


def test_a_killed_supervisor_leaves_no_child_behind(tmp_path):
    """Even SIGKILL, which nobody can answer, ends the children too."""
    script = f"""
import os, sys
from jobs.supervisor import Child, Supervisor
child = Child("sleeper", (sys.executable, "-c", "import time; time.sleep(60)"))
def tell():
    open({str(tmp_path / "pid")!r}, "w").write(str(child.process.pid))
Supervisor([child], os.environ).run(tell)
"""
    supervisor = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT)
    wait_until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
    child = int((tmp_path / "pid").read_text())
    supervisor.kill()
    supervisor.wait()
    wait_until(lambda: not is_running(child))


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
