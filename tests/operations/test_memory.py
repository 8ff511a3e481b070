"""How benchmarks look at the memory of what they measure."""

from __future__ import annotations

import sys

from bench import memory

HELD = 60_000_000  # bytes
HOLDS = f"held = b'x' * {HELD}"


def test_memory_is_that_of_what_runs_and_not_of_who_started_it() -> None:
    """A benchmark that holds much itself does not take that for the memory of what it measures."""
    held = b"x" * HELD * 3
    _, seen = memory.run(["timeit", "-n1", "-r1", "-s", HOLDS, "import time; time.sleep(2)"], {})
    assert len(held) > HELD * 2
    for told in seen.told().values():
        assert HELD / 1e6 < told < 2 * HELD / 1e6


def test_memory_is_that_of_all_processes_together() -> None:
    """What a process starts belongs to it."""
    inner = f"{HOLDS}; import time; time.sleep(2)"
    outer = f"{HOLDS}; import subprocess; subprocess.run([{sys.executable!r}, '-c', {inner!r}])"
    _, seen = memory.run(["timeit", "-n1", "-r1", outer], {})
    for told in seen.told().values():
        assert told > 2 * HELD / 1e6
