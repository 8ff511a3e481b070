"""How long after its POST a contact is in the table: idle, and while 500 other events come in every second.

`.venv/bin/python -m bench.fresh [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import quantiles
from typing import Any

from sqlalchemy import Engine, select

from bench import bodies, common, inboxes, load
from jobs import broker
from tests.conftest import ROOT, environment_of, free_port
from webapp.config import Settings
from webapp.models import Contact
from webapp.services import tokens

RATE = 500
PEOPLE = 5000
"""Persons of whom the other events tell."""
EVERY = 0.2  # seconds between two measured events
LOOK_EVERY = 0.004
LONGEST = 30.0


def main() -> None:
    parser = common.arguments(__doc__, 150, "events measured, idle and again under load")
    parser.add_argument("--rate", type=int, default=RATE, help=f"other events a second; {RATE}")
    asked = parser.parse_args()
    with common.installation(asked.database) as settings, running(settings) as (engine, url):
        for number in range(5):
            _delay(engine, url, number)
        idle = _measured(engine, url, asked.rows, 1000)
        with _others(url, asked.rate, asked.rows * (EVERY + 0.5) + 10) as others:
            time.sleep(3)
            loaded = _measured(engine, url, asked.rows, 1_000_000)
            others.terminate()
        results = {
            "bench": "fresh",
            "database": common.name_of(settings.database_url),
            "machine": common.machine(),
            "rate": asked.rate,
            "idle": idle,
            "loaded": loaded,
            "lines": [
                common.line("Fresh, idle: p50 / p95 / p99", _told(idle), "p95 < 500 ms"),
                common.line(
                    f"Fresh, at {asked.rate} events/s: p50 / p95 / p99", _told(loaded), "p95 < 2,000 ms"
                ),
            ],
        }
    print(f"\n{results['database']}, milliseconds from POST to row: p50 / p95 / p99")
    for name, found in (("idle", idle), (f"at {asked.rate} events/s", loaded)):
        print(f"  {name:<18} {_told(found)}")
    common.report(asked.json, results)


@contextmanager
def running(settings: Settings) -> Iterator[tuple[Engine, str]]:
    """A whole Tributary on an empty database: queue, web, worker, sweeper; an engine, and a webhook's URL."""
    engine = common.emptied(settings)
    source_id = inboxes.make_source(engine)
    token = inboxes.make_token(engine, source_id)
    port = free_port()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tributary-bench-")))
        queue = stack.enter_context(broker.running(folder))
        environment = environment_of(replace(settings, port=port, redis_url=queue))
        stack.enter_context(load.serving(["jobs.web"], environment, port))
        stack.enter_context(load.process(["jobs.worker", "events"], environment))
        stack.enter_context(load.process(["jobs.sweeper"], environment))
        yield engine, f"http://127.0.0.1:{port}{tokens.PATH}{token}"
    engine.dispose()


@contextmanager
def _others(url: str, rate: int, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "bench.steady", url, str(rate), str(seconds), str(PEOPLE)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _measured(engine: Engine, url: str, rows: int, first: int) -> dict[str, Any]:
    taken = []
    for number in range(rows):
        taken.append(_delay(engine, url, first + number))
        time.sleep(EVERY)
    parts = quantiles(taken, n=100, method="inclusive")
    return {f"p{p}_ms": round(parts[p - 1] * 1000, 1) for p in (50, 95, 99)} | {"rows": rows}


def _told(found: dict[str, Any]) -> str:
    return f"{found['p50_ms']:,.0f} / {found['p95_ms']:,.0f} / {found['p99_ms']:,.0f} ms"


def _delay(engine: Engine, url: str, person: int) -> float:
    """Seconds from sending an event of somebody new until their contact can be read."""
    body = bodies.contact(person, 0, bodies.START + person * bodies.SECOND)
    wanted = select(Contact.id).where(Contact.email == body["email"], Contact.user_id == body["user_id"])
    started = time.perf_counter()
    call = urllib.request.Request(url, bodies.encoded(body), {"Content-Type": "application/json"})
    urllib.request.urlopen(call, timeout=10).close()
    while time.perf_counter() - started < LONGEST:
        with engine.connect() as connection:
            if connection.scalar(wanted) is not None:
                return time.perf_counter() - started
        time.sleep(LOOK_EVERY)
    raise RuntimeError(f"an event was not in the table after {LONGEST:.0f} s")


if __name__ == "__main__":
    main()
