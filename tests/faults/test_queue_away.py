"""The queue in every trouble. It is a doorbell: without it events come in later, never not at all."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from jobs import broker as brokers
from jobs import queue
from jobs.queue import Bell
from tests.faults import account, proxy
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site

# The queue knows nothing of the database; tests of workers run on both.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@ONE_DATABASE
def test_a_queue_absent_full_flushed_silent_restarted_or_down_costs_time_alone(
    site: Site, tmp_path: Path
) -> None:
    """In each trouble what is sent is acknowledged and folded by itself; workers come back afterwards."""
    folder = tmp_path / "queue"
    folder.mkdir()
    senders: list[Sender] = []

    def send(trouble: str) -> None:
        senders.append(Sender(site.address, events=traffic(trouble, 20)).start().wait())
        until(lambda: site.pending() == 0, f"all is folded while the queue is {trouble}", 60)

    path = str(brokers.find(folder, environ={}).url.removeprefix("unix://"))
    with proxy.before(path) as way:
        site.settings = replace(site.settings, redis_url=way.url)
        site.serve()
        site.work()
        send("absent")
        with brokers.running(folder) as url, closing(redis.Redis.from_url(url)) as server:
            until(lambda: server.scard(f"rq:workers:{queue.EVENTS}") > 0, "the worker listens")
            send("there")
            server.config_set("maxmemory", 1)
            send("full")
            server.config_set("maxmemory", "256mb")
            server.flushall()
            send("flushed")
            way.swallow()
            send("silent")
            way.heal()
        send("gone")
        with brokers.running(folder) as url:
            send("restarted")
            way.refuse()
            send("down")
            way.heal()

            def folded_by_the_worker() -> bool:
                send(f"back {len(senders)}")
                return Bell(url).counts("jobs").get("drain_done", 0) > 0

            until(folded_by_the_worker, "the sweeper steps back", 60)
    assert not [sender.failures for sender in senders if sender.failures]
    account.close(site, *senders)
