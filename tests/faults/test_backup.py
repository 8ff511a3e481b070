"""A backup taken under load and restored, by the very commands of docs/backup.md."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from tests import postgres
from tests.conftest import ROOT, SECRET, environment_of
from tests.faults import account
from tests.faults.sender import Sender, traffic, until
from tests.faults.site import Site
from webapp.domain import digests
from webapp.models import Event, Tally

HEADINGS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, sqlite_template: Path, tmp_path: Path) -> Iterator[str]:
    """A fresh database where an installation that was set up with `make run` has it."""
    (tmp_path / "data").mkdir(mode=0o700)
    if request.param == "sqlite":
        path = tmp_path / "data" / "tributary.db"
        shutil.copy(sqlite_template, path)
        yield f"sqlite:///{path}"
        return
    template, server = (request.getfixturevalue(f"postgres_{name}") for name in ("template", "server"))
    name = server.create(template)
    yield server.url(name)
    server.drop(name)


def test_a_backup_taken_under_load_is_restored_and_goes_on(site: Site, tmp_path: Path) -> None:
    """What was acknowledged before the backup is in it; a replay brings the rest, and doubles nothing."""
    (tmp_path / "data" / "secret_key").write_text(SECRET)
    (tmp_path / ".venv").symlink_to(Path(sys.executable).parent.parent)
    take, restore = commands(HEADINGS[site.engine.dialect.name])
    site.work()
    site.serve()
    sender = Sender(site.address, events=traffic("m", 5000), pause=0.2).start()
    until(lambda: sender.count > 100, "events come in")
    before = all_of(sender.acknowledged)
    carry_out(take, site, tmp_path)
    assert not sender.is_done, "the backup was not taken under load"
    sender.stop().wait()
    for program in site.programs:
        program.kill()
    site.engine.dispose()
    carry_out(restore.replace("make run\n", ""), site, tmp_path)
    held = kept(site)
    assert before <= all_of(held.acknowledged)
    site.settings = replace(site.settings, secret_key=(tmp_path / "data" / "secret_key").read_text())
    site.work()
    site.serve()
    replay = Sender(site.address, events=sender.sent).start().wait()
    assert not sender.failures
    account.close(site, held, replay)


def commands(heading: str) -> list[str]:
    """The commands under a heading of the page: those that take a backup, and those that restore one."""
    section = (ROOT / "docs" / "backup.md").read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


def carry_out(lines: str, site: Site, folder: Path) -> None:
    """Run commands in a folder that looks as Tributary's does."""
    programs = postgres.programs()
    environment = environment_of(site.settings) | {"PYTHONPATH": str(ROOT)}
    environment["PATH"] += f":{programs}" if programs else ""
    environment["DATABASE_URL"] = site.settings.database_url.replace("+psycopg", "")
    done = subprocess.run(
        ["bash", "-euc", lines], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def kept(site: Site) -> Sender:
    """Stands for whoever sent what a backup holds; its duplicates are answers that nobody remembers."""
    sender = Sender(site.address, events=())
    ours = Event.source_id == site.source_id
    with site.engine.connect() as connection:
        sender.sent = list(connection.scalars(select(Event.body).where(ours)))
        duplicates = select(func.sum(Tally.duplicates)).where(Tally.source_id == site.source_id)
        sender.unsure = int(connection.scalar(duplicates) or 0)
    sender.acknowledged = Counter(sender.sent)
    return sender


def all_of(events: Iterable[bytes]) -> set[bytes]:
    """What makes events the very same ones."""
    return {digests.digest(event) for event in list(events)}
