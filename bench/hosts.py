"""What more hosts give: one and two web hosts, one and two workers, on one PostgreSQL and one queue.

`.venv/bin/python -m bench.hosts [--rows N] [--database postgresql|URL] [--json FILE]`

Each host is a network namespace with an address of its own on a bridge; only root may make them. Hosts share
this machine's processors, so what is measured is whether they get in each other's way.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select

from bench import bodies, common, inboxes, load
from jobs import broker
from jobs.queue import Bell
from tests.conftest import environment_of
from webapp.config import Settings
from webapp.models import Event
from webapp.models.event import PENDING
from webapp.services import tokens

BRIDGE, NETWORK = "tributary0", "10.213.77"
PORT = 8000
SECONDS = 5.0
CONNECTIONS = 32  # to all hosts together


def main() -> None:
    parser = common.arguments(__doc__, 20_000, "events that wait in each of two sources")
    parser.set_defaults(database="postgresql")
    asked = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("Network namespaces are made by root only.")
    with ExitStack() as stack:
        settings = stack.enter_context(common.installation(asked.database))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tributary-bench-")))
        settings = replace(settings, redis_url=stack.enter_context(broker.running(folder)))
        hosts = stack.enter_context(namespaces(2))
        found = {
            "bench": "hosts",
            "machine": common.machine(),
            "web": {n: webs(settings, hosts[:n]) for n in (1, 2)},
            "workers": {n: workers(settings, hosts[:n], asked.rows) for n in (1, 2)},
        }
    lines = []
    for name, rates in (("Web hosts", found["web"]), ("Worker hosts", found["workers"])):
        times = f"{rates[2] / rates[1]:.2f}"
        print(f"{name}: one {rates[1]:,.0f} events/s, two {rates[2]:,.0f}, {times} times")
        lines.append(common.line(f"{name}, two on these processors, times one", times))
    common.report(asked.json, found | {"lines": lines})


@contextmanager
def namespaces(count: int) -> Iterator[list[tuple[str, str]]]:
    """So many hosts on one bridge: pairs of namespace and address; gone afterwards."""
    hosts = [(f"tributary-host{n}", f"{NETWORK}.{n + 10}") for n in range(count)]
    try:
        _ip("link", "add", BRIDGE, "type", "bridge")
        _ip("addr", "add", f"{NETWORK}.1/24", "dev", BRIDGE)
        _ip("link", "set", BRIDGE, "up")
        for n, (name, address) in enumerate(hosts):
            _ip("netns", "add", name)
            _ip("link", "add", f"trib{n}", "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", f"trib{n}", "master", BRIDGE, "up")
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
            _ip("-n", name, "link", "set", "lo", "up")
        yield hosts
    finally:
        for name, _ in hosts:
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        subprocess.run(["ip", "link", "del", BRIDGE], check=False, stderr=subprocess.DEVNULL)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)


def webs(settings: Settings, hosts: list[tuple[str, str]]) -> float:
    """Events acknowledged a second by web hosts that share the load."""
    engine = common.emptied(settings)
    token = inboxes.make_token(engine, inboxes.make_source(engine))
    engine.dispose()
    rates: list[float] = []
    with ExitStack() as stack:
        for name, address in hosts:
            environment = environment_of(replace(settings, host=address, port=PORT))
            stack.enter_context(load.serving(["jobs.web"], environment, PORT, address, inside=name))
        senders = [
            threading.Thread(target=_post, args=(address, token, n, len(hosts), rates))
            for n, (_, address) in enumerate(hosts)
        ]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    return sum(rates)


def _post(address: str, token: str, number: int, hosts: int, rates: list[float]) -> None:
    url = f"http://{address}:{PORT}{tokens.PATH}{token}"
    calls = bodies.posted(20_000, first=number * 10_000_000)
    rates.append(load.post(url, calls, SECONDS, CONNECTIONS // hosts)["rate"])


def workers(settings: Settings, hosts: list[tuple[str, str]], rows: int) -> float:
    """Events projected a second by worker hosts, of two sources that each have so many."""
    engine = common.emptied(settings)
    sources = [inboxes.make_source(engine, name=f"Bench {n}") for n in range(2)]
    for n, source_id in enumerate(sources):
        people = rows // bodies.PER_PERSON
        inboxes.receive(engine, source_id, bodies.backlog(rows, people, 2000, first=n * people))
    with ExitStack() as stack:
        environment = environment_of(settings)
        started = time.monotonic()
        for name, _ in hosts:
            stack.enter_context(load.process(["jobs.worker", "events"], environment, inside=name))
        bell = Bell(settings.redis_url)
        for source_id in sources:
            bell.ring(source_id)
        while _waiting(engine):
            time.sleep(0.05)
        taken = time.monotonic() - started
    engine.dispose()
    return 2 * rows / taken


def _waiting(engine: Engine) -> Any:
    with engine.connect() as connection:
        query = select(func.count()).select_from(Event).where(Event.state == PENDING)
        return connection.scalar(query)


if __name__ == "__main__":
    main()
