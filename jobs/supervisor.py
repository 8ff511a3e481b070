"""Runs several programs as one: starts them in order, restarts what dies, stops them in order."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import FrameType

from jobs.lifeline import die_with_parent

_TICK = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
_STEADY = 60.0  # a child that ran this long has proved itself: its next death is a first one again


@dataclass
class Child:
    """One program under the supervisor.

    Attributes:
        name: what the lines on the terminal call it.
        argv: its command.
        patience: how many seconds it may take to finish after it was asked to stop.
        quiet: what it prints is of no use to anybody; its errors are shown all the same.
        stage: children of the lowest stage are asked to stop first; the next stage waits for them.
    """

    name: str
    argv: Sequence[str]
    patience: float = 10.0
    quiet: bool = False
    stage: int = 0
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    started: float = 0.0
    deaths: int = 0
    resume: float = 0.0

    @property
    def alive(self) -> bool:
        """Whether the program runs."""
        return self.process is not None and self.process.poll() is None

    def start(self, env: Mapping[str, str]) -> None:
        """Start the program in a session of its own, so that Ctrl-C reaches the supervisor alone."""
        self.process = subprocess.Popen(  # noqa: S603  the commands are ours
            list(self.argv),
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL if self.quiet else None,
            start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid()),
        )
        self.started = time.monotonic()

    def ask_to_stop(self) -> None:
        """Send SIGTERM, which every program of ours takes as "finish what you are doing"."""
        if self.alive and self.process is not None:
            self.process.terminate()

    def bury(self) -> None:
        """End whatever a dead program left of its own process group, a server's worker for one."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """Keeps children running until SIGINT or SIGTERM, then stops them stage by stage.

    A child that dies is started again, after 0.5 s at first and twice as long each time, up to 30 s; the
    others go on meanwhile. A second signal while stopping ends everything at once.
    """

    def __init__(
        self, children: Sequence[Child], env: Mapping[str, str], say: Callable[[str], None] = print
    ) -> None:
        """Args:
        children: in the order in which to start them.
        env: the environment they all get.
        say: where lines for the person at the terminal go.
        """
        self._children = list(children)
        self._env = dict(env)
        self._say = say
        self._signals = 0
        self._asked = 0.0

    def run(self, started: Callable[[], None] = lambda: None) -> int:
        """Run until asked to stop.

        Args:
            started: called once, when every child has been started.

        Returns:
            The exit status for the process: 0 after an orderly stop, 1 when a child had to be killed.
        """
        before = {
            number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            for child in self._children:
                if not self._signals:
                    child.start(self._env)
            if not self._signals:
                started()
            while not self._signals:
                self.look_after()
                time.sleep(_TICK)
        finally:
            orderly = self._stop()
            for number, handler in before.items():
                signal.signal(number, handler)
        return 0 if orderly else 1

    @property
    def stopping(self) -> bool:
        """Whether somebody has asked for the end."""
        return self._signals > 0

    def _on_signal(self, signum: int, frame: FrameType | None) -> None:
        # One request may arrive twice, from make and from the terminal; a person's second comes later.
        now = time.monotonic()
        if not self._signals or now - self._asked > 1:
            self._signals += 1
        self._asked = now

    def look_after(self) -> None:
        """Start again what has died, each child after its own pause. For who waits in `started` too."""
        now = time.monotonic()
        for child in self._children:
            if child.alive or child.process is None:
                continue
            if not child.resume:
                child.bury()
                child.deaths = 0 if now - child.started > _STEADY else child.deaths
                pause = min(_FIRST_PAUSE * 2**child.deaths, _LONGEST_PAUSE)
                child.deaths += 1
                child.resume = now + pause
                self._say(
                    f"{child.name} ended ({_how(child.process.returncode)}); starting again in {pause:g} s"
                )
            elif now >= child.resume:
                child.resume = 0.0
                child.start(self._env)

    def _stop(self) -> bool:
        """Stop stage by stage; True when every child ended by itself."""
        orderly = True
        for stage in sorted({child.stage for child in self._children}):
            members = [child for child in self._children if child.stage == stage and child.process]
            for child in members:
                child.ask_to_stop()
            for child in members:
                orderly = self._wait_for(child) and orderly
        return orderly

    def _wait_for(self, child: Child) -> bool:
        """Wait until a child has ended, and end it when its time or the person's patience is over."""
        deadline = time.monotonic() + child.patience
        while child.alive and time.monotonic() < deadline and self._signals < 2:
            time.sleep(_TICK)
        ended = not child.alive
        if not ended:
            self._say(
                f"{child.name} did not finish in time and was ended; what it had not committed will be redone"
            )
        child.bury()
        return ended


def _how(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        with contextlib.suppress(ValueError):
            return f"signal {signal.Signals(-status).name}"
    return f"status {status}"
