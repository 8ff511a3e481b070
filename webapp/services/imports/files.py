"""The files of imports: uploaded ones lie in the data directory until their import ends."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, delete, insert, select

from webapp.config import Settings
from webapp.models import Import, ImportFile, ImportProblem
from webapp.models.base import new_uuid
from webapp.models.imports import OPEN
from webapp.services.imports.containers import wanted
from webapp.services.imports.reading import File, Place, Reader

FOLDER = "imports"
_NAME = re.compile(r"[0-9a-f-]{36}")
LEFT_ALONE = 86_400
"""Seconds for which a folder that belongs to no import may be an upload under way."""


class Missing(Exception):
    """An import's files are not there; the text is for the person who asked."""


def new_folder(settings: Settings) -> Path:
    """Make a folder for an upload; nobody but this installation may look into it."""
    path = settings.data_dir / FOLDER / new_uuid()
    path.mkdir(mode=0o700, parents=True)
    return path


def remove(settings: Settings, folder: str | None) -> None:
    """Remove the files of an upload; files that were read in place stay."""
    if folder is not None and _NAME.fullmatch(folder):
        shutil.rmtree(settings.data_dir / FOLDER / folder, ignore_errors=True)


def add(connection: Connection, import_id: int, given: Iterable[tuple[str, Path | None, int]]) -> None:
    """Note the files of an import: name, where it lies (None: in the import's folder), bytes."""
    rows = [
        {
            "import_id": import_id,
            "number": number,
            "name": name,
            "path": None if path is None else os.fsencode(path),
            "size": size,
        }
        for number, (name, path, size) in enumerate(given)
    ]
    connection.execute(insert(ImportFile), rows)


def reader(engine: Engine, row: Any, settings: Settings) -> Reader:
    """A reader of an import's files, from where they are to be read on.

    Args:
        engine: to ask with.
        row: of the table `imports`.
        settings: of this installation.

    Raises:
        Missing: the files are not there.
    """
    with engine.connect() as connection:
        query = select(ImportFile.number, ImportFile.name, ImportFile.path, ImportFile.size)
        rows = connection.execute(
            query.where(ImportFile.import_id == row.id).order_by(ImportFile.number)
        ).all()
    home = settings.data_dir / FOLDER / (row.folder or "")
    if row.folder is not None and not home.is_dir():
        raise Missing(
            "The uploaded files are not where this program looks for them. Where several hosts work "
            "together, DATA_DIR must be one folder that they share. What was stored before is kept; upload "
            "the files again."
        )
    found = []
    for each in rows:
        path = home / str(each.number) if each.path is None else Path(os.fsdecode(each.path))
        found.append(File(path, each.name, each.size))
    return Reader(found, Place.load(row.place), settings)


def in_place(paths: Iterable[Path]) -> list[tuple[str, Path, int]]:
    """The files that some paths name, folders with all that is in them: (name, path, bytes), in order.

    Raises:
        OSError: one is not there, or cannot be looked into.
    """
    found = []
    for path in paths:
        within = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
        for each in within:
            name = each.relative_to(path).as_posix() if path.is_dir() else each.name
            if wanted(name) or not path.is_dir():
                found.append((name, each.absolute(), each.stat().st_size))
    return found


def erase(connection: Connection, settings: Settings, source_id: int) -> bool:
    """Remove one import of a source that is being deleted, its files first; False when there is none."""
    row = connection.execute(
        select(Import.id, Import.folder).where(Import.source_id == source_id).limit(1)
    ).first()
    if row is None:
        return False
    remove(settings, row.folder)
    for model in (ImportProblem, ImportFile):
        connection.execute(delete(model).where(model.import_id == row.id))
    connection.execute(delete(Import).where(Import.id == row.id))
    return True


def tidy(engine: Engine, settings: Settings) -> int:
    """Remove folders that no open import owns, such as those of uploads that broke off; how many."""
    home = settings.data_dir / FOLDER
    try:
        folders = {each.name: each.stat().st_mtime for each in home.iterdir() if _NAME.fullmatch(each.name)}
    except OSError:
        return 0
    if not folders:
        return 0
    with engine.connect() as connection:
        query = select(Import.folder, Import.state).where(Import.folder.in_(folders))
        known = {row.folder: row.state for row in connection.execute(query)}
    before = time.time() - LEFT_ALONE
    gone = [f for f, at in folders.items() if (known[f] not in OPEN if f in known else at < before)]
    for folder in gone:
        remove(settings, folder)
    return len(gone)
