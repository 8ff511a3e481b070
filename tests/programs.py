"""The real programs, each in a process of its own, forked from one that knows their modules."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from multiprocessing import get_context, set_start_method
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from jobs.lifeline import die_with_parent
from tests.faults import arming

_forge = get_context("forkserver")
_forge.set_forkserver_preload(["tests.forge"])
_ROOT = Path(__file__).resolve().parents[1]
_GRACE = 30  # seconds in which a program ends by itself


class Program:
    """A program that runs, with what tests use of `Popen`; it leads a process group of its own.

    Attributes:
        pid: its process id.
        log: file with what it says.
    """

    def __init__(self, process: ForkServerProcess, log: Path) -> None:
        assert process.pid is not None
        self.pid = process.pid
        self.log = log
        self._process = process

    def poll(self) -> int | None:
        """How it ended, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it has ended; not to have by then is a failure."""
        self._process.join(timeout)
        assert self._process.exitcode is not None, "it still runs"
        return self._process.exitcode

    def send_signal(self, number: int) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def terminate(self) -> None:
        """Ask it to end, as an operator does."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it and its whole process group, as a power cut would."""
        if self.poll() is None:
            for end in (os.killpg, os.kill):  # one that has only just begun leads no group yet
                with suppress(ProcessLookupError):
                    end(self.pid, signal.SIGKILL)
        self.wait()

    def stop(self) -> None:
        """Stop it as an operator does, or by force when it does not end."""
        if self.poll() is None:
            self.terminate()
            self._process.join(_GRACE)
        self.kill()


def start(command: Sequence[str], environment: Mapping[str, str], log: Path) -> Program:
    """Start `python -m <command>`. It ends with the tests, also when these are killed outright.

    Args:
        command: a module, and its arguments.
        environment: all of the program's.
        log: file for what it says.
    """
    process = _forge.Process(target=_run, args=(list(command), dict(environment), log))
    process.start()
    return Program(process, log)


def _run(command: list[str], environment: dict[str, str], log: Path) -> None:
    die_with_parent(os.getppid())
    os.setsid()
    os.chdir(_ROOT)
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    if arming.is_meant():
        arming.arm()
        arming.set_clock()
    set_start_method("fork", force=True)  # which is what Granian finds where nobody chose another
    sys.argv = command.copy()
    try:
        runpy.run_module(command[0], run_name="__main__", alter_sys=True)
    except Exception:  # which multiprocessing would print, and not whom the program has it printed by
        sys.excepthook(*sys.exc_info())
        raise SystemExit(1) from None
