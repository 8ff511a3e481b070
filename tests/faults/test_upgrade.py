"""Another version is put in place while much is under way: older tables, and older jobs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
import redis
from flask_migrate import downgrade
from rq import Queue
from rq.serializers import DefaultSerializer, JSONSerializer
from sqlalchemy import create_engine, inspect, text

from jobs.queue import DRAIN, EVENTS, SYNC, SYNCS
from tests import programs
from tests.conftest import environment_of, settings_for
from tests.faults import account
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site
from tests.faults.support import House, Worker
from tests.history import support as history
from tests.projection import support
from webapp.app import create_app
from webapp.config import Settings
from webapp.extensions import db
from webapp.models import Base, Import, Sync

OLDER = "0005"


@pytest.fixture(params=["sqlite", "postgresql"])
def nothing(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/tributary.db"
        return
    server = request.getfixturevalue("postgres_server")
    name = server.create()
    yield server.url(name)
    server.drop(name)


def test_two_hosts_make_the_tables_at_once(nothing: str, tmp_path: Path) -> None:
    """One does, the other waits and finds it done."""
    prepare(*(settings_for(nothing, tmp_path / name) for name in ("one", "two")))
    engine = create_engine(nothing)
    with engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) >= set(Base.metadata.tables)
        assert len(connection.execute(text("SELECT version_num FROM alembic_version")).all()) == 1
    engine.dispose()


def test_an_upgrade_in_the_middle_of_everything(site: Site, worker: Worker, tmp_path: Path) -> None:
    """Events wait, a re-sync and an import are half done, and the queue holds what no function answers to."""
    house = House(site.engine, site.settings, worker)
    site.serve()
    first = Sender(site.address, events=traffic("first", 300)).start().wait()
    support.drain(site.engine, site.settings, site.source_id)
    sync = house.ask(site.source_id, "resync", "company")
    house.killed("sync", sync, "resync.after_commit:2")
    other, asked = half_imported(house, tmp_path)
    second = Sender(site.address, events=traffic("second", 100)).start().wait()
    for program in site.programs:
        program.kill()
    make_older(site)
    queue_what_is_unknown(str(site.settings.redis_url), site.source_id, sync)
    prepare(site.settings, replace(site.settings, data_dir=tmp_path / "another host"))
    site.work()
    site.start("jobs.worker", "syncs")
    site.serve()
    third = Sender(site.address, events=traffic("third", 100)).start().wait()
    until(lambda: house.state(sync) == "done", "the re-sync has gone on", 60)
    until(lambda: history.import_row(site.engine, asked).state == "done", "the import has gone on", 60)
    until(lambda: site.pending(other) == 0, "what was imported is folded", 60)
    assert history.import_row(site.engine, asked).counts["stored"] == 150
    assert support.count_rows(site.engine, Import) == support.count_rows(site.engine, Sync) == 1
    account.close(site, first, second, third)


def half_imported(house: House, folder: Path) -> tuple[int, int]:
    """A source, and an import into it that is stored in part; their ids."""
    path = folder / "calls.ndjson"
    path.write_bytes(history.ndjson(history.calls(200)))
    source_id = support.make_source(house.engine)
    asked = history.ask(house.engine, source_id, [path])
    house.killed("run_import", asked, "import.after_commit")
    return source_id, asked


def make_older(site: Site) -> None:
    """Give the database the tables of an older version, with all that they had room for."""
    app = create_app(site.settings)
    with app.app_context():
        downgrade(revision=OLDER)
        db.engine.dispose()
    site.engine.dispose()


def queue_what_is_unknown(url: str, source_id: int, sync_id: int) -> None:
    """Jobs of other versions: another function, another shape, another form."""
    with closing(redis.Redis.from_url(url)) as connection:
        for name, row_id, queue in ((DRAIN, source_id, EVENTS), (SYNC, sync_id, SYNCS)):
            for serializer in (DefaultSerializer, JSONSerializer):
                older = Queue(queue, connection=connection, serializer=serializer)
                older.enqueue_call("jobs.tasks.project", args=[row_id])
                older.enqueue_call(name, args=[str(row_id)])
                older.enqueue_call(name, kwargs={"id": row_id, "since": 0})


def prepare(*hosts: Settings) -> None:
    """Bring the tables up to date, on several hosts at the same time."""
    running = [
        programs.start(["jobs.up", "--prepare"], environment_of(host), host.data_dir.with_suffix(".log"))
        for host in hosts
    ]
    ended = [program.wait(60) for program in running]
    assert not any(ended), [program.log.read_text() for program in running]
