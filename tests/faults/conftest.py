"""An installation whose processes are killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from tests.conftest import ROOT
from tests.faults.support import House, Worker
from webapp.config import Settings


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
