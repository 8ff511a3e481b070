"""How much memory a process has, and those that it started, looked at again and again while they run.

Not by what `getrusage` says at the end: a process that is started takes the greatest memory of the one that
started it for its own, so a benchmark that holds much itself would tell of that.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

EVERY = 0.1  # seconds between two looks; each takes the kernel a few milliseconds
_MB = 1024 / 1e6  # of a kB as the kernel counts them


@dataclass(slots=True)
class Memory:
    """The greatest sums that were seen, in MB of a million bytes.

    Attributes:
        together: what all of them had at once, a page that several have counted once (Pss of smaps_rollup);
            0 where the kernel does not tell.
        each: the most that each of them ever had by itself (VmHWM), whenever that was. What they had together
            between two looks was no more than that.
    """

    together: float = 0.0
    each: float = 0.0

    def told(self) -> dict[str, float]:
        """For a report: `memory_mb`, the sum that counts shared pages once if there is one, and `each_mb`."""
        return {"memory_mb": self.together or self.each, "each_mb": self.each}


def run(command: Sequence[str], environment: Mapping[str, str]) -> tuple[bytes, Memory]:
    """Run `python -m ...` to its end: the last line that it prints, and the memory that it took.

    Args:
        command: the module and its arguments.
        environment: variables beside our own.
    """
    whole = [sys.executable, "-m", *command]
    env = {**os.environ, **environment}
    process = subprocess.Popen(whole, env=env, cwd=ROOT, stdout=subprocess.PIPE)
    with process, watched(process.pid) as memory:
        said, _ = process.communicate()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, whole)
    return said.splitlines()[-1], memory


@contextmanager
def watched(pid: int) -> Iterator[Memory]:
    """Look at a process and its children several times a second, as long as the block lasts."""
    memory, over = Memory(), threading.Event()

    def look() -> None:
        while not over.wait(EVERY):
            _look(pid, memory)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield memory
    finally:
        over.set()
        thread.join()


def _look(pid: int, memory: Memory) -> None:
    all_of_them = [pid, *_children(pid)]
    together = sum(_told(each, "smaps_rollup", "Pss") for each in all_of_them)
    memory.together = max(memory.together, together * _MB)
    memory.each = max(memory.each, sum(_told(each, "status", "VmHWM") for each in all_of_them) * _MB)


def _children(pid: int) -> list[int]:
    """Those with a program of their own: one that is just being started still has its parent's memory."""
    program = _read(pid, "cmdline")
    found = [int(child) for tasks in Path(f"/proc/{pid}/task").glob("*/children") for child in _words(tasks)]
    return [child for child in found if _read(child, "cmdline") not in ("", program)]


def _told(pid: int, file: str, name: str) -> int:
    """A number of kB; 0 when the process is gone, or the kernel does not tell."""
    found = re.search(rf"^{name}:\s+(\d+) kB$", _read(pid, file), re.MULTILINE)
    return int(found[1]) if found else 0


def _read(pid: int, file: str) -> str:
    try:
        return Path(f"/proc/{pid}/{file}").read_text(errors="replace")
    except OSError:
        return ""


def _words(file: Path) -> list[str]:
    try:
        return file.read_text().split()
    except OSError:
        return []
