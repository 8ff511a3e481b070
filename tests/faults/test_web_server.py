"""The web server killed and reloaded under load: who is not answered sends again, and nothing is lost."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from threading import Thread

import pytest

from tests.conftest import free_port
from tests.faults import account
from tests.faults.arming import armed
from tests.faults.asking import ask
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site, children
from tests.test_supervisor import is_running
from webapp.database import begin

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_web_server_killed_around_its_commits_loses_and_doubles_nothing(site: Site) -> None:
    """It dies before a commit, after one, then its serving process alone, while eight connections send."""
    site.work()
    sender = Sender(site.address, events=traffic("m", 400)).start()
    for place in ("before", "after"):
        dying = site.start("jobs.web", **armed(f"ingest.{place}_commit:8:group"))
        assert dying.wait(timeout=60) == -signal.SIGKILL
    before = sender.count
    web = site.serve()
    until(lambda: sender.count > before, "events are acknowledged again")
    for pid in children(web.pid):
        os.kill(pid, signal.SIGKILL)
    sender.wait()
    closed = account.close(site, sender)
    assert closed.unanswered > 0


def test_more_calls_wait_for_a_lock_than_there_are_threads_and_pages_go_on(site: Site) -> None:
    """Eight calls that a lock keeps waiting hold neither of two threads; each is answered once stored."""
    port, path = site.address
    site.serve(WEB_THREADS="2")
    heard: list[int] = []

    def post(number: int) -> None:
        heard.append(ask("POST", port, path, b'{"number":%d}' % number)[0])

    post(0)
    callers = [Thread(target=post, args=[number]) for number in range(1, 9)]
    with begin(site.engine) as connection:
        if site.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE events IN SHARE MODE")
        for caller in callers:
            caller.start()
        for _ in range(5):
            assert ask("GET", port, "/static/icon.svg")[0] == 200
        assert heard == [200]
    for caller in callers:
        caller.join()
    assert heard == [200] * 9
    assert site.pending() == 9


@ONE_DATABASE
def test_no_request_fails_while_web_servers_are_reloaded_and_replaced(site: Site) -> None:
    """HUP gives a server a new process, TERM ends one of two whose proxy turns to the other."""
    site.work()
    (_, path), other = site.address, free_port()
    first, second = site.serve(), site.serve(other)
    events = traffic("m", 6000)
    sender = Sender(site.address, (other, path), events=events, connections=4, pause=0.01, keep=False)
    sender.start()
    before = children(first.pid)
    first.send_signal(signal.SIGHUP)
    until(
        lambda: bool(children(first.pid)) and not {*before} & {*children(first.pid)}, "a new process serves"
    )
    first.terminate()
    assert first.wait(timeout=30) == 0
    site.serve()
    second.terminate()
    assert second.wait(timeout=30) == 0
    sender.stop().wait()
    assert not sender.failures
    assert account.close(site, sender).unanswered == 0


@ONE_DATABASE
@pytest.mark.parametrize("told", ["server", "process"])
def test_a_web_server_that_ends_while_it_starts_leaves_nobody_who_serves(site: Site, told: str) -> None:
    """Its serving process still imports the application then; it ends all the same, told or left alone."""
    web = site.start("jobs.web")
    until(lambda: bool(children(web.pid)), "the serving process is there")
    [serving] = children(web.pid)
    try:
        os.kill(*{"server": (web.pid, signal.SIGKILL), "process": (serving, signal.SIGTERM)}[told])
        until(lambda: not is_running(serving), "it has ended")
    finally:
        with suppress(ProcessLookupError):
            os.kill(serving, signal.SIGKILL)
