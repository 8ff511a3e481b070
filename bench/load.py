"""Bounded load on loopback: `wrk` posts prepared bodies, each once, and tells rates and latencies."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from jobs.lifeline import die_with_parent
from tests.conftest import ROOT

CONNECTIONS, THREADS = 32, 2

# One thread sends the even lines of the file and the other the odd ones; who comes to the end begins again.
_SCRIPT = """
local number = 0
function setup(thread) thread:set("id", number); number = number + 1 end
function init(args)
  bodies, at = {}, 0
  local line_number = 0
  for line in io.lines(args[1]) do
    if line_number % tonumber(args[2]) == id then bodies[#bodies + 1] = line end
    line_number = line_number + 1
  end
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/json"
end
function request()
  at = at % #bodies + 1
  return wrk.format(nil, nil, nil, bodies[at])
end
function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format("bad %d\\n", errors.status + errors.connect + errors.timeout))
  io.write(string.format("sent %d %d\\n", summary.requests, summary.duration))
  for _, p in ipairs({50, 95, 99}) do io.write(string.format("p%d %d\\n", p, latency:percentile(p))) end
end
"""


def post(
    url: str, bodies: Iterable[bytes], seconds: float, connections: int = CONNECTIONS
) -> dict[str, float]:
    """Post bodies for so many seconds.

    Args:
        url: where to.
        bodies: one line of JSON each; enough for the whole time, or the first are sent again.
        seconds: at least 1.
        connections: kept open, each with one call at a time.

    Returns:
        `rate` in calls a second, `p50_ms`, `p95_ms`, `p99_ms`, and `bad`: answers that were not 2xx.
    """
    program = shutil.which("wrk")
    if program is None:
        sys.exit("wrk is not installed here (on Debian: apt-get install wrk).")
    with tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
        lines, script = Path(folder) / "bodies", Path(folder) / "post.lua"
        with open(lines, "wb") as file:
            file.writelines(body + b"\n" for body in bodies)
        script.write_text(_SCRIPT)
        size = ["-t", str(THREADS), "-c", str(connections), "-d", f"{max(1, round(seconds))}s"]
        command = [program, *size, "--timeout", "10s", "-s", str(script), url, "--", str(lines), str(THREADS)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {name: float(value) for name, value in re.findall(r"^(bad|p\d+) (\d+)$", said, re.MULTILINE)}
    sent, micros = map(int, re.findall(r"^sent (\d+) (\d+)$", said, re.MULTILINE)[0])
    times = {f"{name}_ms": found[name] / 1000 for name in ("p50", "p95", "p99")}
    return {"rate": sent / (micros / 1e6), "bad": found["bad"], "sent": float(sent), **times}


@contextmanager
def serving(
    command: list[str],
    environment: Mapping[str, str],
    port: int,
    address: str = "127.0.0.1",
    inside: str | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server as long as the block lasts, which begins when it answers.

    Args:
        command: of Python: `-m ...`.
        environment: variables beside our own.
        port: on which it answers.
        address: at which it does.
        inside: a network namespace.
    """
    with process(command, environment, inside) as server:
        _wait_for(address, port, server)
        yield server


@contextmanager
def process(
    command: list[str], environment: Mapping[str, str], inside: str | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run `python -m ...` as long as the block lasts, in a network namespace if one is given."""
    running = subprocess.Popen(
        [*(("ip", "netns", "exec", inside) if inside else ()), sys.executable, "-m", *command],
        env={**os.environ, **environment},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(timeout=25)
        except subprocess.TimeoutExpired:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def _wait_for(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://{address}:{port}/healthz", timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError("a server of the benchmark did not start")
