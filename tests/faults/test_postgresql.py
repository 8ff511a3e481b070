"""A PostgreSQL server that is restarted, slow, silent, crowded or read-only while events come in.

Programs reach the server over a proxy; what looks at the outcome reaches it directly. Whoever sends hears 200
or 503, and nothing else.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import select, text

from tests import factories, postgres
from tests.conftest import migrate, settings_for
from tests.faults import account, proxy
from tests.faults.asking import ask, turned_away
from tests.faults.proxy import Proxy
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site, make
from tests.projection.support import count_rows
from tests.webhook.conftest import add_url
from webapp.database import begin, make_engine
from webapp.models import Event, Source, Tally
from webapp.models.event import PENDING
from webapp.services.hand import SHOWN_EVERY

# What is committed survives the end of the server, though not that of the machine.
SETTINGS = {"synchronous_commit": "on", "max_connections": "25"}


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL server of these tests' own."""
    folder = postgres.programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed here (on Debian: apt-get install postgresql)")
    with postgres.running(folder, SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def way(server: postgres.Server) -> Iterator[Proxy]:
    """The way on which programs reach it."""
    with proxy.before(str(server.home / f".s.PGSQL.{server.port}")) as made:
        yield made


@pytest.fixture(scope="module")
def installation(
    server: postgres.Server,
    way: Proxy,
    broker_server: str,
    sqlite_template: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Site]:
    """Programs that run for all these tests."""
    folder = tmp_path_factory.mktemp("postgresql")
    name = server.create()
    settings = settings_for(server.url(name), folder / "data")
    migrate(settings)
    shutil.copy(sqlite_template, folder / "fresh.db")
    engine, fresh = make_engine(settings), make_engine(settings_for(f"sqlite:///{folder}/fresh.db", folder))
    over_the_way = f"postgresql+psycopg://tributary@127.0.0.1:{way.port}/{name}"
    made = make(engine, replace(settings, database_url=over_the_way), fresh, broker_server)
    made.work()
    made.serve()
    yield made
    made.close()
    engine.dispose()
    fresh.dispose()


@pytest.fixture
def site(installation: Site, request: pytest.FixtureRequest) -> Site:
    """The same programs, and a source of this test's own."""
    with begin(installation.engine) as connection:
        source_id = factories.source(connection, request.node.name)
        token = add_url(connection, source_id)
    return replace(installation, source_id=source_id, token=token)


@pytest.fixture
def sender(site: Site) -> Sender:
    """Who sends to that source."""
    return Sender(site.address, events=traffic("m", 400), pause=0.02)


def test_a_database_that_is_restarted_at_once_under_load(
    site: Site, sender: Sender, server: postgres.Server
) -> None:
    """Everybody is cut off, and it recovers with what it had committed; who was refused comes again."""
    sender.start()
    until(lambda: sender.count > 50, "events come in")
    server.crash()
    until(lambda: sender.failures["503"] > 0, "calls are refused")
    assert turned_away(site.address, sender.sent[0])
    assert ask("GET", site.settings.port, "/readyz")[0] == 503
    assert ask("GET", site.settings.port, "/sign-in")[0] == 503
    server.start()
    sender.wait()
    assert set(sender.failures) == {"503"}
    account.close(site, sender, commits_lost=True)


def test_a_database_that_is_slow(site: Site, way: Proxy) -> None:
    """Answers take longer; as many come as were waited for."""
    began, before = time.monotonic(), way.delayed
    way.delay(0.02)
    sender = Sender(site.address, events=traffic("m", 100), connections=20).start().wait()
    # Five calls on each connection, of which each waits for a question and an answer at least.
    assert time.monotonic() - began > 5 * 2 * 0.02
    assert way.delayed - before > 5 * 2
    assert set(sender.failures) <= {"503"}
    account.close(site, sender, commits_lost=True)
    way.heal()


def test_a_database_that_is_a_black_hole(site: Site, sender: Sender, way: Proxy) -> None:
    """What is sent to it vanishes: calls that come later are refused at once, and afterwards it goes on."""
    sender.start()
    until(lambda: sender.count > 50, "events come in")
    way.swallow()
    late = Sender(site.address, events=traffic("late", 8), connections=1, timeout=1).start()
    until(lambda: late.failures["503"] > 0, "calls are refused at once")
    assert ask("GET", site.settings.port, "/healthz")[0] == 200
    way.heal()
    sender.wait()
    late.wait()
    assert set(sender.failures) <= {"503"}
    account.close(site, sender, late, commits_lost=True)


def test_a_commit_that_succeeds_unheard_of(
    site: Site, sender: Sender, server: postgres.Server, way: Proxy
) -> None:
    """The connection breaks after the commit and before its answer: refused, sent again, stored once."""
    sender.start()
    until(lambda: sender.count > 50, "events come in")
    # Commits reach the disk, and then wait for a standby that does not exist.
    _wait_for_standby(server, "nobody")
    try:
        until(lambda: _waiting(site, "SyncRep") > 0, "a commit waits")
        way.cut()
        until(lambda: sender.failures["503"] > 0, "its calls are refused")
    finally:
        _wait_for_standby(server, "")
    sender.wait()
    assert set(sender.failures) == {"503"}
    assert account.close(site, sender, commits_lost=True).unanswered > 0


def _wait_for_standby(server: postgres.Server, name: str) -> None:
    server.run(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
    server.run("SELECT pg_reload_conf()")


def test_a_database_without_a_connection_to_spare(
    site: Site, sender: Sender, server: postgres.Server, way: Proxy
) -> None:
    """Others have taken them all: calls and pages are refused until one is free."""
    sender.start()
    until(lambda: sender.count > 50, "events come in")
    with ExitStack() as others:
        # What was cut off takes a moment to end; somebody else might have its place before we do.
        until(
            lambda: (
                _crowded(others, server, way)
                and turned_away(site.address, sender.sent[0])
                and ask("GET", site.settings.port, "/sign-in")[0] == 503
            ),
            "there is no connection left for calls and pages",
        )
        until(lambda: sender.failures["503"] > 0, "calls are refused")
    sender.wait()
    assert set(sender.failures) == {"503"}
    account.close(site, sender, commits_lost=True)


def _crowded(others: ExitStack, server: postgres.Server, way: Proxy) -> bool:
    """Cut everybody off and take what they had, until the server lets nobody in."""
    way.cut()
    where: Any = {"host": str(server.home), "user": "tributary", "dbname": "postgres"}
    for _ in range(int(SETTINGS["max_connections"])):
        try:
            others.enter_context(psycopg.connect(**where, autocommit=True))
        except psycopg.OperationalError:
            return True
    return False


def test_a_database_that_only_reads_for_a_while(site: Site, sender: Sender, way: Proxy) -> None:
    """As after a failover to a standby: calls are refused, and connections to it are not kept for good."""
    sender.start()
    until(lambda: sender.count > 50, "events come in")
    _only_reads(site, "on")
    way.cut()
    until(lambda: sender.failures["503"] > 0, "calls are refused")
    assert turned_away(site.address, sender.sent[0])
    _only_reads(site, "off")
    sender.wait()
    assert set(sender.failures) == {"503"}
    account.close(site, sender, commits_lost=True)


def _only_reads(site: Site, value: str) -> None:
    """What new connections of the programs find; those of this test write all the same."""
    with site.engine.begin() as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        name = connection.engine.url.database
        connection.execute(text(f'ALTER DATABASE "{name}" SET default_transaction_read_only = {value}'))


def test_a_deadlock_is_tried_again(site: Site) -> None:
    """PostgreSQL breaks it by ending the webhook's transaction, and the call is answered with 200."""
    first = Sender(site.address, events=traffic("first", 4)).start().wait()
    # Or a worker would be the one that waits for the third.
    until(lambda: count_rows(site.engine, Event, Event.state == PENDING) == 0, "no worker writes events")
    # A call soon after goes in a single statement, which would wait for the third before it holds anything.
    shown = time.monotonic() + 3 * SHOWN_EVERY  # what the first owes is written after one of these
    until(lambda: time.monotonic() > shown, "when the source last heard something is due again")
    body = next(traffic("second", 1))
    before = _deadlocks(site)
    with site.engine.connect() as other, site.engine.connect() as third:
        # In the other's transaction, so that the webhook's, which looks for a circle sooner, is the victim.
        other.execute(text("SET LOCAL deadlock_timeout = '1min'"))
        other.execute(select(Tally.hour).where(Tally.source_id == site.source_id).with_for_update())
        # The webhook holds its source while it waits for the third.
        third.execute(text("LOCK TABLE events IN SHARE MODE"))
        sender = Sender(site.address, events=[body]).start()
        until(lambda: _waiting(site) == 1, "the webhook waits for the third")
        with ThreadPoolExecutor() as threads:
            locked = select(Source.id).where(Source.id == site.source_id).with_for_update()
            circle = threads.submit(other.execute, locked)
            until(lambda: _waiting(site) == 2, "the other waits for the webhook")
            third.rollback()
            circle.result(30)
        other.rollback()
        sender.wait()
    assert not sender.failures
    until(lambda: _deadlocks(site) == before + 1, "the server has counted it")
    account.close(site, first, sender)


def _waiting(site: Site, event: str = "Lock") -> int:
    """How many transactions wait for a lock, or something else."""
    return _asked(
        site, f"SELECT count(*) FROM pg_stat_activity WHERE '{event}' IN (wait_event_type, wait_event) AND "
    )


def _deadlocks(site: Site) -> int:
    return _asked(site, "SELECT deadlocks FROM pg_stat_database WHERE ")


def _asked(site: Site, question: str) -> int:
    with site.engine.connect() as connection:
        return int(connection.scalar(text(question + "datname = current_database()")) or 0)
