"""A worker that is killed in the middle of an import: the next one ends it as if nothing had been."""

import gzip
import os
import signal

import pytest
from sqlalchemy.orm import Session

from tests.faults.arming import armed
from tests.history import support
from tests.jobs.conftest import queued, start, states  # noqa: F401  fixtures
from tests.projection.support import make_source
from tests.webhook.conftest import eventually
from webapp.database import begin, writing
from webapp.models import Import, Source
from webapp.models.event import APPLIED
from webapp.services.imports import asking, files, running

CALLS = 4200


@pytest.fixture(scope="module")
def archive():
    """A zip of three gzipped files, of several batches."""
    events = support.calls(CALLS)
    third = CALLS // 3
    parts = (events[n * third : (n + 1) * third] for n in range(3))
    return support.zipped({f"{n}.gz": gzip.compress(support.ndjson(part), 1) for n, part in enumerate(parts)})


def uploaded(engine, settings, archive, choice):
    """Ask for an import of an archive that lies in the data directory; its id, and its folder."""
    folder = files.new_folder(settings)
    (folder / "0").write_bytes(archive)
    source_id = make_source(engine)
    with Session(engine) as session, writing():
        given = [("archive.zip", None, len(archive))]
        source = session.get_one(Source, source_id)
        asked = asking.begin(session, source, given, folder=folder.name, choice=choice)
        return asked.id, source_id, folder


@pytest.mark.parametrize(
    "place",
    ["import.mid_batch:2", "import.before_commit:1", "import.after_commit:2", "import.before_clearing:1"],
)
def test_a_killed_import_ends_as_if_nothing_had_been(engine, settings, start, archive, place, tmp_path):  # noqa: F811
    """kill -9 anywhere: each chosen call is in the inbox once, in its order, and no file is left behind."""
    path = tmp_path / "archive.zip"
    path.write_bytes(archive)
    undisturbed, counts = support.bring(engine, settings, [path])
    asked, source_id, folder = uploaded(engine, settings, archive, support.ALL)
    doomed = start("tests.history.one_import", str(asked), **armed(place))
    assert doomed.wait(timeout=30) == -signal.SIGKILL
    assert folder.is_dir()
    running.run(engine, asked, settings=settings)
    files.tidy(engine, settings)
    assert not folder.exists()
    row = support.import_row(engine, asked)
    assert (row.state, row.counts) == ("done", counts)
    assert support.bodies(engine, source_id) == support.bodies(engine, undisturbed)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_killed_import_goes_on_by_itself(engine, settings, start, archive):  # noqa: F811
    """Nobody has to notice: the sweeper finds it, and a worker ends it and folds what it stored."""
    asked, _, folder = uploaded(engine, settings, archive, support.ALL)
    doomed = start("tests.history.one_import", str(asked), **armed("import.after_commit:2"))
    assert doomed.wait(timeout=30) == -signal.SIGKILL
    for program in (("jobs.worker", "syncs"), ("jobs.worker", "events"), ("jobs.sweeper",)):
        start(*program)
    assert eventually(lambda: support.import_row(engine, asked).state == "done" and not folder.exists(), 60)
    assert support.import_row(engine, asked).counts["stored"] == CALLS * 3 // 4
    assert eventually(lambda: states(engine).get(APPLIED, 0) > 0, 20)


def test_a_killed_inspection_goes_on_from_what_it_had_kept(engine, settings, archive, monkeypatch):
    """What was looked through before is not counted twice, and nothing is passed over."""
    monkeypatch.setattr(running, "BEAT", 0.0)
    asked, _, _ = uploaded(engine, settings, archive, None)
    whole, _, _ = uploaded(engine, settings, archive, None)
    rounds = 0
    while support.import_row(engine, asked).state == "inspecting" and rounds < 30:
        running.run(engine, asked, settings=settings, stop=lambda: True)
        rounds += 1
    monkeypatch.setattr(running, "BEAT", 60.0)
    for import_id in (asked, whole):
        running.run(engine, import_id, settings=settings)
    broken, sound = (support.found(engine, import_id) for import_id in (asked, whole))
    assert rounds == 30
    assert broken.cells == sound.cells
    assert broken.total() == CALLS
    assert broken.crowd.subjects == sound.crowd.subjects
    assert support.import_row(engine, asked).state == "choosing"


def test_a_folder_that_belongs_to_nothing_is_removed_in_time(engine, settings, archive):
    """An upload that broke off with its server leaves nothing for ever; one under way is left alone."""
    _, _, folder = uploaded(engine, settings, archive, None)
    orphan = files.new_folder(settings)
    assert files.tidy(engine, settings) == 0
    os.utime(orphan, (0, 0))
    assert files.tidy(engine, settings) == 1
    assert folder.is_dir()
    assert not orphan.exists()
    with begin(engine) as connection:
        connection.execute(Import.__table__.update().values(state="done"))
    assert files.tidy(engine, settings) == 1
