"""An installation whose processes are killed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.conftest import ROOT, settings_for
from tests.faults.site import Site, make
from tests.faults.support import House, Worker
from webapp.config import Settings
from webapp.database import make_engine


@pytest.fixture(scope="session")
def worker() -> Iterator[Worker]:
    """Who does the tasks of this session."""
    command = [sys.executable, "-m", "tests.faults.work"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield Worker(process)


@pytest.fixture
def house(engine: Engine, settings: Settings, worker: Worker) -> House:
    """An installation without a queue."""
    return House(engine, settings, worker)


@pytest.fixture
def site(
    engine: Engine, settings: Settings, broker: str, sqlite_template: Path, tmp_path: Path
) -> Iterator[Site]:
    """An installation of real programs with a queue, of which none runs yet."""
    shutil.copy(sqlite_template, tmp_path / "fresh.db")
    fresh = make_engine(settings_for(f"sqlite:///{tmp_path}/fresh.db", settings.data_dir))
    made = make(engine, settings, fresh, broker)
    yield made
    made.close()
    fresh.dispose()
