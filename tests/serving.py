"""Web servers for tests: the real one, in a process of its own, forked from one that knows its modules."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from multiprocessing import get_context, parent_process, set_start_method
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from threading import Thread

from jobs import web

_forge = get_context("forkserver")
_forge.set_forkserver_preload(["tests.forge"])
_GRACE = 30  # seconds in which a server ends by itself


def start(environment: Mapping[str, str], log: Path) -> ForkServerProcess:
    """Start `jobs.web`.

    Args:
        environment: all of the server's.
        log: file for what it says.
    """
    process = _forge.Process(target=_serve, args=(dict(environment), log))
    process.start()
    return process


def stop(process: ForkServerProcess) -> None:
    """Stop it as an operator does, or by force when it does not end."""
    process.terminate()
    process.join(_GRACE)
    if process.is_alive() and process.pid is not None:
        os.killpg(process.pid, signal.SIGKILL)
        process.join()
    process.close()


def _serve(environment: dict[str, str], log: Path) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "ab") as said:
        os.dup2(said.fileno(), 1)
        os.dup2(said.fileno(), 2)
    set_start_method("fork", force=True)  # which is what Granian finds where nobody chose another
    Thread(target=_end_with_the_tests, daemon=True).start()
    raise SystemExit(web.main())


def _end_with_the_tests() -> None:
    """Also when these are killed outright: then nobody asks this server to stop."""
    tests = parent_process()
    assert tests is not None
    tests.join()
    os.kill(os.getpid(), signal.SIGTERM)
