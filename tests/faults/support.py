"""Work done by real processes that are killed at a named place, and what is left of it."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.conftest import ROOT, environment_of
from tests.projection import support
from webapp.config import Settings
from webapp.database import writing
from webapp.models import Source, Sync
from webapp.services import export, syncs
from webapp.services.tables import CONTACTS, CUSTOMERS

EVENTS = (ROOT / "tests" / "data" / "segment-spec-events.ndjson").read_bytes().splitlines()
UUIDS = ("uuid", "customer_uuid")


class Worker:
    """Does each task in a process of its own (`tests/faults/work.py`)."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def do(self, environment: dict[str, str], task: str, row_id: int, places: str) -> int:
        """How the process ended: 0, 1 when the task failed, or the negative number of a signal."""
        order = {"environment": environment, "task": task, "id": row_id, "places": places}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@dataclass(frozen=True)
class House:
    """One installation on a test's database.

    Attributes:
        engine: to look into it with.
        settings: which its processes get by their environment.
        worker: who does its tasks.
    """

    engine: Engine
    settings: Settings
    worker: Worker

    def source(self, policy: str = "user", drained: bool = True) -> int:
        """A source that has received the calls of a made-up workspace; its id."""
        source_id = support.make_source(self.engine, policy)
        support.receive(self.engine, source_id, EVENTS)
        if drained:
            support.drain(self.engine, self.settings, source_id)
        return source_id

    def ask(self, source_id: int, kind: str, policy: str | None = None) -> int:
        """Ask for long work; its id."""
        with writing(), Session(self.engine) as session:
            source = session.get_one(Source, source_id)
            source.policy = policy or source.policy
            session.flush()
            if kind == "deletion":
                sync = syncs.request_deletion(session, source)
            else:
                sync = syncs.request(session, source, kind)
            session.commit()
            return sync.id

    def killed(self, task: str, row_id: int, place: str) -> None:
        """Have a process do a task until it dies at a place; a place that is not come to is a failure."""
        assert self._done(task, row_id, place) == -signal.SIGKILL, place

    def finished(self, task: str, row_id: int) -> None:
        """Have another process go on with it, to the end."""
        assert self._done(task, row_id) == 0

    def _done(self, task: str, row_id: int, places: str = "") -> int:
        return self.worker.do(environment_of(self.settings), task, row_id, places)

    def state(self, sync_id: int) -> str | None:
        """What has become of long work; None when its row is gone."""
        with self.engine.connect() as connection:
            found: str | None = connection.scalar(select(Sync.state).where(Sync.id == sync_id))
            return found

    def files(self, source_id: int) -> tuple[bytes, bytes]:
        """The two files of a source, byte by byte."""
        return files_of(self.engine, source_id)

    def facts(self, source_id: int) -> list[list[dict[str, str]]]:
        """The same without uuids, which two sources never share."""
        return facts_of(self.engine, source_id)


def files_of(engine: Engine, source_id: int) -> tuple[bytes, bytes]:
    """The two files of a source: customers and contacts."""
    with engine.connect() as connection:
        customers, contacts = (
            b"".join(export.source_csv(connection, table, source_id)) for table in (CUSTOMERS, CONTACTS)
        )
    return customers, contacts


def facts_of(engine: Engine, source_id: int) -> list[list[dict[str, str]]]:
    """The rows of both files, without uuids."""
    return [
        [
            {name: value for name, value in row.items() if name not in UUIDS}
            for row in csv.DictReader(io.StringIO(file.decode()))
        ]
        for file in files_of(engine, source_id)
    ]


def files_with(folder: Path, mark: bytes) -> list[str]:
    """Names of the files under a folder that hold some bytes."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in found if mark in path.read_bytes()]
