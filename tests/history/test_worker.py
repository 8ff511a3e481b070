"""Imports in the worker that they share with re-syncs and deletions."""

import gzip

from sqlalchemy import select

from tests import factories
from tests.history import support
from tests.jobs.conftest import bell, queued, start  # noqa: F401  fixtures
from tests.projection.support import make_source
from tests.webhook.conftest import eventually
from webapp.database import begin
from webapp.models import Sync, now


def test_other_long_work_does_not_wait_for_the_end_of_an_import(
    engine,
    settings,
    bell,  # noqa: F811
    start,  # noqa: F811
    tmp_path,
):
    """A re-sync that is asked for during an import runs between two batches; then the import goes on."""
    path = tmp_path / "archive.gz"
    path.write_bytes(gzip.compress(support.ndjson(support.calls(16_000)), 1))
    imported, other = make_source(engine), make_source(engine)
    asked = support.ask(engine, imported, [path] * 4)
    bell.take_in(asked)
    start("tests.history.hasty_worker")
    assert eventually(lambda: support.import_row(engine, asked).counts.get("stored", 0) > 0, 30)
    with begin(engine) as connection:
        work = {"kind": "resync", "policy": "user", "previous_policy": "user", "source_id": other}
        sync_id = factories.make(connection, Sync, created_at=now(), result={}, **work)
    bell.start(sync_id)

    def resynced():
        with engine.connect() as connection:
            return connection.scalar(select(Sync.finished_at).where(Sync.id == sync_id))

    assert eventually(lambda: resynced() is not None, 30)
    assert eventually(lambda: support.import_row(engine, asked).state == "done", 60)
    assert resynced() < support.import_row(engine, asked).finished_at
    assert support.import_row(engine, asked).counts["stored"] == 12_000
