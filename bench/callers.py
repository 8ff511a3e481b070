"""Calls a webhook at a steady rate from a process of its own, and says how long the answers took."""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from sqlalchemy import Engine

from bench import load
from tests import factories
from tests.conftest import environment_of, free_port
from tests.webhook.conftest import add_url
from webapp.config import Settings
from webapp.database import begin

RATE = 50  # calls a second, each of one event


@contextmanager
def served(engine: Engine, settings: Settings) -> Iterator[Callers]:
    """A real web server on the database, and a process that calls the webhook of a source of its own."""
    port = free_port()
    with begin(engine) as connection:
        token = add_url(connection, factories.source(connection, "Bystander", pause="keep"))
    environment = environment_of(settings) | {"PORT": str(port)}
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    path = f"/webhooks/segment/{token}"
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(theirs, port, path), daemon=True
    )
    with load.process(["jobs.web"], environment):
        process.start()
        try:
            yield Callers(ours)
        finally:
            process.kill()


class Callers:
    """The process that calls: told to begin and to end, it answers with what it saw."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        pipe.recv()  # the server answers

    def begin(self) -> None:
        """Call from now on."""
        self._pipe.send("begin")

    def end(self) -> dict[str, float]:
        """Stop; milliseconds at the median and the 99th percentile, and how many calls there were."""
        self._pipe.send("end")
        taken, failed = self._pipe.recv()
        if not taken:
            return {"calls": 0, "failed": failed}
        taken.sort()
        at = {"median_ms": 0.5, "p99_ms": 0.99}
        found = {name: round(taken[int((len(taken) - 1) * share)] * 1000, 1) for name, share in at.items()}
        return found | {"calls": len(taken), "failed": failed}

    def idle(self, seconds: float) -> dict[str, float]:
        """What calls take while nothing else goes on."""
        self.begin()
        time.sleep(seconds)
        return self.end()


def _serve(pipe: Connection, port: int, path: str) -> None:
    _wait_for(port, path)
    pipe.send("ready")
    number = iter(range(10**9))
    while pipe.recv() == "begin":
        taken: list[float] = []
        failed: list[int] = []
        end = threading.Event()
        threads = [
            threading.Thread(target=_call, args=(port, path, lane, number, taken, failed, end))
            for lane in range(8)
        ]
        for thread in threads:
            thread.start()
        pipe.recv()
        end.set()
        for thread in threads:
            thread.join()
        pipe.send((taken, len(failed)))


def _call(
    port: int, path: str, lane: int, number: Any, taken: list[float], failed: list[int], end: threading.Event
) -> None:
    """One of eight lanes, each with an eighth of the calls; a late answer is counted from when it was due."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
    due = time.perf_counter() + lane / RATE
    while not end.is_set():
        time.sleep(max(0.0, due - time.perf_counter()))
        event = {"type": "identify", "messageId": f"{os.getpid()}-{next(number)}", "userId": f"u{lane}"}
        try:
            connection.request("POST", path, json.dumps(event))
            answer = connection.getresponse()
            answer.read()
            (taken if answer.status == 200 else failed).append(time.perf_counter() - due)  # type: ignore[arg-type]
        except OSError:
            failed.append(1)
            connection.close()
        due = max(due + 8 / RATE, time.perf_counter() - 1)


def _wait_for(port: int, path: str) -> None:
    for _ in range(300):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("POST", path, "{}")
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
        finally:
            connection.close()
    raise RuntimeError("the web server does not answer")
