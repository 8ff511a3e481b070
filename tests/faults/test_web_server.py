"""The web server killed and reloaded under load: who is not answered sends again, and nothing is lost."""

from __future__ import annotations

import os
import signal

from tests.faults import account
from tests.faults.arming import armed
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site, children


def test_a_web_server_killed_around_its_commits_loses_and_doubles_nothing(site: Site) -> None:
    """It dies before a commit, after one, then its serving process alone, while eight connections send."""
    site.work()
    sender = Sender(site.address, bodies=traffic("m", 400)).start()
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
