"""The web server killed and reloaded under load: who is not answered sends again, and nothing is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from functools import partial

import pytest

from jobs.lifeline import die_with_parent
from tests.conftest import ROOT, environment_of, free_port
from tests.faults import account
from tests.faults.arming import armed
from tests.faults.asking import ask
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site, children
from tests.test_supervisor import is_running
from webapp.database import begin

UNREAD = {"BrokenPipeError", "ConnectionResetError", "RemoteDisconnected"}
CUT = 2  # connections of four that may be cut unread when a process ends; mostly none is

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


def test_a_web_server_killed_again_and_again_under_load_loses_and_doubles_nothing(site: Site) -> None:
    """Eight times, wherever it is, while eight connections send."""
    moments = random.Random(5)
    site.work()
    sender = Sender(site.address, events=traffic("m", 20_000), pause=0.01).start()
    for _ in range(8):
        web, count = site.serve(), sender.count
        until(lambda: sender.count > count, "events are acknowledged again")  # noqa: B023  waits here
        time.sleep(moments.uniform(0, 0.2))
        web.kill()
    assert not sender.is_done
    site.serve()
    sender.stop().wait()
    account.close(site, sender)


def test_more_calls_wait_for_a_lock_than_there_are_threads_and_pages_go_on(site: Site) -> None:
    """Eight calls that a lock keeps waiting hold neither of two threads; each is answered once stored."""
    site.work()
    site.serve(WEB_THREADS="2")
    first = Sender(site.address, events=traffic("first", 10)).start().wait()
    until(lambda: site.pending() == 0, "no worker needs the lock")
    sender = Sender(site.address, events=traffic("m", 8))
    with begin(site.engine) as connection:
        if site.engine.dialect.name == "postgresql":
            connection.exec_driver_sql("LOCK TABLE events IN SHARE MODE")
        sender.start()
        for _ in range(5):
            assert ask("GET", site.settings.port, "/static/icon.svg")[0] == 200
        assert sender.count == 0
        assert len(sender.sent) == 8
    sender.wait()
    assert not sender.failures
    account.close(site, first, sender)


def test_no_request_is_refused_while_a_web_server_is_reloaded(site: Site) -> None:
    """HUP gives it a new process, which takes long to start, and there is no other server."""
    site.work()
    web = site.serve()
    sender = Sender(site.address, events=traffic("m", 6000), connections=4, pause=0.01, keep=False).start()
    until(lambda: sender.count > 50, "events come in")
    [old] = children(web.pid)
    web.send_signal(signal.SIGHUP)
    until(lambda: len(children(web.pid)) == 2, "the new process is there")
    [new] = {*children(web.pid)} - {old}
    os.kill(new, signal.SIGSTOP)  # as if its machine were so busy that it takes long to import
    until(lambda: children(web.pid) == [new], "the old one has ended")
    os.kill(new, signal.SIGCONT)
    count = sender.count
    until(lambda: sender.count > count + 20, "the new one serves")
    sender.stop().wait()
    print(f"\n{sender.failures} failed")
    assert set(sender.failures) <= UNREAD
    assert sender.failures.total() <= CUT
    assert account.close(site, sender).unanswered == 0


def test_no_request_fails_while_web_servers_are_replaced(site: Site) -> None:
    """TERM ends one of two whose proxy turns to the other."""
    site.work()
    (_, path), other = site.address, free_port()
    first, second = site.serve(), site.serve(other)
    events = traffic("m", 6000)
    sender = Sender(site.address, (other, path), events=events, connections=4, pause=0.01, keep=False)
    sender.start()
    until(lambda: sender.count > 50, "events come in")
    first.terminate()
    assert first.wait(timeout=30) == 0
    site.serve()
    second.terminate()
    assert second.wait(timeout=30) == 0
    sender.stop().wait()
    print(f"\n{sender.cuts} connections were cut unread")
    assert sender.cuts <= 2 * CUT
    assert not sender.failures
    assert account.close(site, sender).unanswered == 0


@ONE_DATABASE
@pytest.mark.parametrize("told", ["server", "process"])
def test_a_web_server_that_ends_while_it_starts_leaves_nobody_who_serves(site: Site, told: str) -> None:
    """Its serving process still imports the application then; it ends all the same, told or left alone."""
    web = subprocess.Popen(  # not forked from one that has imported it already
        [sys.executable, "-m", "jobs.web"],
        env=environment_of(site.settings),
        cwd=ROOT,
        start_new_session=True,
        preexec_fn=partial(die_with_parent, os.getpid()),
    )
    until(lambda: bool(children(web.pid)), "the serving process is there")
    [serving] = children(web.pid)
    try:
        os.kill(*{"server": (web.pid, signal.SIGKILL), "process": (serving, signal.SIGTERM)}[told])
        until(lambda: not is_running(serving), "it has ended")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(web.pid, signal.SIGKILL)
        web.wait()
