"""Databases for tests: copies of one that is migrated, or of one that was filled once for many tests."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine

from tests import economy
from tests.postgres import Server
from webapp.config import Settings
from webapp.database import make_engine

Fill = Callable[[Engine, Settings], Any]
"""Fills a migrated database; gives what tests have to know of it, such as ids, and nothing connected."""


class Kind(Protocol):
    """How databases of one kind are copied; nobody may be connected to what is copied."""

    def copy(self, original: str, folder: Path) -> str:
        """Make a copy, in a folder where it is a file; its name."""

    def url(self, name: str) -> str:
        """What `DATABASE_URL` says for one."""

    def drop(self, name: str) -> None:
        """Remove one."""


class Files:
    """SQLite's, named by their paths; they go with their folders."""

    def copy(self, original: str, folder: Path) -> str:
        """See `Kind`."""
        with closing(sqlite3.connect(original)) as connection:  # what stands beside the file goes into it
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            assert not busy
        return str(shutil.copy(original, folder / "tributary.db"))

    def url(self, name: str) -> str:
        """See `Kind`."""
        return f"sqlite:///{name}"

    def drop(self, name: str) -> None:
        """See `Kind`."""


class Served:
    """PostgreSQL's, each a database of one server."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def copy(self, original: str, folder: Path) -> str:
        """See `Kind`."""
        return self._server.create(original)

    def url(self, name: str) -> str:
        """See `Kind`."""
        return self._server.url(name)

    def drop(self, name: str) -> None:
        """See `Kind`."""
        self._server.drop(name)


@dataclass(frozen=True)
class Copy:
    """A test's own database.

    Attributes:
        name: by which it can be dropped.
        url: what `DATABASE_URL` says for it.
        remembered: what its filling gave; None where it is empty.
    """

    name: str
    url: str
    remembered: Any


class Originals:
    """What a session's tests get copies of, so that nothing of one test reaches another."""

    def __init__(
        self,
        kind: Kind,
        empty: str,
        new_folder: Callable[[], Path],
        settings: Callable[[str, Path], Settings],
    ) -> None:
        """Args:
        kind: of the databases.
        empty: the name of one that is migrated.
        new_folder: makes a folder that lasts as long as the session.
        settings: of an installation, from the URL of its database and its folder.
        """
        self.kind = kind
        self._empty = empty
        self._new_folder = new_folder
        self._settings = settings
        self._filled: dict[Fill, tuple[str, Any]] = {}

    def copy(self, folder: Path, fill: Fill | None) -> Copy:
        """Give a test its database, empty or as `fill` leaves it; that is asked for the first copy only."""
        if fill is not None and fill not in self._filled:
            self._filled[fill] = self._fill(fill)
        original, remembered = (self._empty, None) if fill is None else self._filled[fill]
        name = self.kind.copy(original, folder)
        return Copy(name, self.kind.url(name), deepcopy(remembered))

    def _fill(self, fill: Fill) -> tuple[str, Any]:
        folder = self._new_folder()
        name = self.kind.copy(self._empty, folder)
        settings = self._settings(self.kind.url(name), folder / "data")
        engine = make_engine(settings)
        remembered = fill(engine, settings)
        economy.threads_ended()
        engine.dispose()
        return name, remembered
