"""Bursts, noise, slowness and bad lines between senders and the web server."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import pytest

from tests import factories
from tests.faults import account, proxy
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site
from tests.projection.support import count_rows, receive
from tests.webhook.conftest import add_url
from webapp.database import begin
from webapp.models import Customer

# Committing and folding are shown on both elsewhere; here it is lines.
ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BACKLOG = 60_000
"""Events of a noisy source that wait, of which a worker folds some thousand a second."""


def test_a_quiet_source_is_shown_soon_beside_a_noisy_one_and_a_burst(site: Site) -> None:
    """Ten times the lines, a long backlog, slow and cut bodies: the quiet one is shown in 10 seconds."""
    with begin(site.engine) as connection:
        quiet_id, noisy_id = (factories.source(connection, name) for name in ("Quiet", "Noisy"))
        quiet_path = f"/webhooks/segment/{add_url(connection, quiet_id)}"
    receive(site.engine, noisy_id, traffic("noise", BACKLOG))
    port, path = site.address
    usual = Sender(site.address, events=traffic("usual", 200), connections=4, pause=0.02)
    burst = Sender(site.address, events=traffic("burst", 800), connections=40)
    site.serve()
    site.work()
    until(lambda: site.pending(noisy_id) < BACKLOG, "the noise is being folded")
    with unfinished(port, path, 10):
        usual.start()
        burst.start()
        posted = time.monotonic()
        quiet = Sender((port, quiet_path), events=traffic("quiet", 1)).start()
        until(lambda: shown(site, quiet_id) > 0, "the quiet source's event is shown", 10)
        took, waiting = time.monotonic() - posted, site.pending(noisy_id)
        print(f"\nshown after {took:.1f} seconds, while {waiting} of the noisy source's events waited")
        assert took < 10
        assert waiting > 0, "by then there was no noise any more"
        for sender in (quiet, usual, burst):
            sender.wait()
    account.close(site, usual, burst)
    account.close(site, quiet, source_id=quiet_id)


def shown(site: Site, source_id: int) -> int:
    """How many customers the table of a source shows."""
    return count_rows(site.engine, Customer, Customer.source_id == source_id)


@contextmanager
def unfinished(port: int, path: str, count: int) -> Iterator[None]:
    """Senders that never finish their bodies, and as many whose line breaks in the middle of one."""
    with ExitStack() as lines:
        for number in range(2 * count):
            line = socket.create_connection(("127.0.0.1", port), timeout=10)
            lines.enter_context(line)
            line.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{{".encode())
            if number % 2:
                line.close()
        yield


@ONE_DATABASE
def test_a_line_that_is_slow_breaks_and_loses_answers_doubles_nothing(site: Site) -> None:
    """Whatever the way between a sender and us does to a call, it is counted once."""
    site.serve()
    site.work()
    port, path = site.address
    with proxy.before(port) as way:
        events = traffic("m", 3000)
        sender = Sender((way.port, path), events=events, connections=4, timeout=1, pause=0.02).start()
        for harm in (partial(way.delay, 0.1), way.cut, way.lose_answers, way.stall, way.swallow, way.refuse):
            suffer(sender, way, harm)
        sender.stop().wait()
    assert account.close(site, sender).unanswered > 0


def suffer(sender: Sender, way: proxy.Proxy, harm: Callable[[], None]) -> None:
    """Do a harm to a line that works, until it shows, and heal it; a delay shows by nothing."""
    acknowledged = sender.count
    until(lambda: sender.count > acknowledged, "events are acknowledged")
    acknowledged, failed = sender.count, sender.failures.total()
    harm()
    until(lambda: sender.failures.total() >= failed + 4 or sender.count >= acknowledged + 50, "it shows")
    way.heal()
