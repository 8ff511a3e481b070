"""A disk that is full or read-only, a file that somebody else holds: calls are refused, nothing is lost."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT, environment_of
from tests.faults import account
from tests.faults.asking import ask, turned_away
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site
from tests.faults.volume import Volume, mounted
from tests.history.test_pages import upload
from tests.people import signed_in
from tests.sources.support import add_source
from webapp.app import create_app
from webapp.config import Settings
from webapp.database import begin
from webapp.extensions import db
from webapp.services.imports import files
from webapp.views import uploads

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def volume() -> Iterator[Volume]:
    """A small disk."""
    with mounted(megabytes=32) as made:
        yield made


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, volume: Volume, sqlite_template: Path) -> Iterator[str]:
    """A fresh database on that disk; PostgreSQL keeps its log elsewhere, as is advised."""
    if request.param == "sqlite":
        path = volume.folder / "tributary.db"
        shutil.copy(sqlite_template, path)
        yield f"sqlite:///{path}"
        return
    template, server = (request.getfixturevalue(f"postgres_{name}") for name in ("template", "server"))
    space = volume.folder / "space"
    space.mkdir()
    user = pwd.getpwnam("postgres")
    os.chown(space, user.pw_uid, user.pw_gid)
    server.run(f"CREATE TABLESPACE small LOCATION '{space}'")
    name = server.create(template, "TABLESPACE small")
    yield server.url(name)
    server.drop(name)
    server.run("DROP TABLESPACE small")


def test_a_disk_that_is_full_for_a_while(site: Site, volume: Volume) -> None:
    """Not a byte is left: calls are refused, what only reads is there, and with space it goes on."""
    site.work()
    site.serve()
    sender = Sender(site.address, events=traffic("m", 600)).start()
    until(lambda: sender.count > 50, "events come in")
    volume.fill()
    until(lambda: sender.failures["503"] > 8, "calls are refused")
    assert ask("GET", site.settings.port, "/readyz")[0] == 200
    volume.empty()
    sender.wait()
    assert set(sender.failures) == {"503"}
    account.close(site, sender)


@SQLITE
def test_a_disk_that_can_only_be_read_for_a_while(site: Site, volume: Volume) -> None:
    """The server starts on it, and goes on without another start when it can be written again."""
    web = site.serve()
    before = Sender(site.address, events=traffic("before", 30)).start().wait()
    web.kill()
    site.engine.dispose()
    until(lambda: volume.allow_writing(False), "nobody writes there any more")
    site.serve()
    sender = Sender(site.address, events=traffic("m", 30)).start()
    until(lambda: sender.failures["503"] > 0, "calls are refused")
    assert turned_away(site.address, sender.sent[0])
    assert ask("GET", site.settings.port, "/sign-in")[0] == 503
    assert "cannot be used (Read-only file system)" in _started_on(volume.folder, site)
    assert volume.allow_writing(True)
    site.work()
    sender.wait()
    # The token cannot be looked up, so the answer may come, and the connection end, before the body does.
    assert set(sender.failures) <= {"503", "BrokenPipeError", "ConnectionResetError"}
    account.close(site, before, sender)


def _started_on(data_dir: Path, site: Site) -> str:
    """What `make run` says there."""
    command = [sys.executable, "-m", "jobs.up", "--prepare"]
    environment = environment_of(site.settings) | {"DATA_DIR": str(data_dir)}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 2
    return done.stderr


@SQLITE
def test_an_upload_for_which_there_is_no_room_is_refused_and_leaves_nothing(
    settings: Settings, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen before it begins, or a disk that others fill meanwhile: the person is told, and no file stays."""
    app = create_app(replace(settings, data_dir=volume.folder))
    source, client = add_source(app)[0], signed_in(app)
    kept = volume.folder / files.FOLDER
    refused = upload(client, source, b"{}")
    assert refused.status_code == 422
    assert "MiB are free" in refused.text
    monkeypatch.setattr(uploads, "ROOM", -(1 << 30))  # as if there had been room when it began
    volume.fill()
    refused = upload(client, source, b"{}" * 100_000)
    assert refused.status_code == 422
    assert "could not be kept (No space left on device)" in refused.text
    assert not list(kept.iterdir())
    volume.empty()
    assert upload(client, source, b"{}").status_code == 303
    with app.app_context():
        db.engine.dispose()


@SQLITE
def test_a_file_that_somebody_holds_for_long(site: Site) -> None:
    """SQLite has one writer at a time: calls are refused before their senders give up, and come again."""
    site.work()
    site.serve()
    sender = Sender(site.address, events=traffic("m", 200)).start()
    until(lambda: sender.count > 50, "events come in")
    with begin(site.engine):
        until(lambda: sender.failures["503"] > 0, "calls are refused")
    sender.wait()
    assert set(sender.failures) == {"503"}
    account.close(site, sender)
