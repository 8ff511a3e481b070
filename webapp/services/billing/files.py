"""The files of billing sources: kept in the data directory until they are read, and how they are laid out."""

from __future__ import annotations

import csv
import itertools
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from sqlalchemy import Connection, delete, select

from webapp.config import Settings
from webapp.models import BillingFile, RefusedRow
from webapp.models.base import new_uuid

FOLDER = "billing"
_NAME = re.compile(r"[0-9a-f-]{36}")
MOST_COLUMNS = 500
LONGEST_CELL = 1 << 20
SAMPLED = 1 << 20
"""Bytes at the beginning of a file that are looked at to see how it is laid out."""


class Unreadable(ValueError):
    """A file is no CSV file that can be read; the message is for the person who uploaded it."""


def new_folder(settings: Settings) -> Path:
    """Make a folder for an upload; nobody but this installation may look into it."""
    path = settings.data_dir / FOLDER / new_uuid()
    path.mkdir(mode=0o700, parents=True)
    return path


def remove(settings: Settings, folder: str) -> None:
    """Remove an uploaded file."""
    if _NAME.fullmatch(folder):
        shutil.rmtree(settings.data_dir / FOLDER / folder, ignore_errors=True)


def layout(path: Path) -> tuple[str, str, list[str]]:
    """How a file is laid out.

    Returns:
        (encoding, what stands between cells, the heading).

    Raises:
        Unreadable: it has no heading, or is no text.
    """
    with open(path, "rb") as file:
        sample = file.read(SAMPLED)
    encoding = _encoding(path, sample)
    with open(path, encoding=encoding, newline="") as text:
        first = text.readline()
    delimiter = max(",;\t|", key=first.count)
    with open(path, encoding=encoding, newline="") as text:
        _, cells = next(rows(text, delimiter), (1, []))
    heading = [cell.strip() for cell in cells]
    if not any(heading):
        raise Unreadable("The first row is empty. It has to name the columns.")
    if len(heading) > MOST_COLUMNS:
        raise Unreadable(f"The file has more than {MOST_COLUMNS} columns.")
    return encoding, delimiter, heading


def _encoding(path: Path, sample: bytes) -> str:
    if sample.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in sample:
        raise Unreadable("This is no text. Save the table as CSV (UTF-8) and upload that.")
    try:
        with open(path, encoding="utf-8-sig", newline="") as text:
            while text.read(SAMPLED):
                pass
        return "utf-8-sig"
    except UnicodeDecodeError:
        return "cp1252"


def rows(text: TextIO, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows of a file, without blank ones: the number that a spreadsheet shows beside each, and its cells.

    Raises:
        Unreadable: a cell goes on for ever, as after a quote that is never closed.
    """
    csv.field_size_limit(LONGEST_CELL)
    try:
        for number, cells in enumerate(csv.reader(text, delimiter=delimiter), 1):
            if any(map(str.strip, cells)):
                yield number, cells
    except csv.Error:
        raise Unreadable(
            "The rest of the file cannot be taken apart into cells, as after a quote that is not closed. "
            "What stands before it was imported."
        ) from None


def sample(settings: Settings, file: Any, number: int = 5) -> list[list[str]]:
    """The first rows of a file, for the page that asks which column is what."""
    with open_text(settings, file) as text:
        return [cells for _, cells in itertools.islice(rows(text, file.delimiter), 1, number + 1)]


def open_text(settings: Settings, file: Any) -> TextIO:
    """Open an uploaded file for reading; what its encoding cannot read is shown as U+FFFD."""
    path = settings.data_dir / FOLDER / file.folder / "0"
    return open(path, encoding=file.encoding, newline="", errors="replace")


def erase(connection: Connection, settings: Settings, source_id: int) -> bool:
    """Remove one file of a source that is being deleted; False when there is none."""
    query = select(BillingFile.id, BillingFile.folder).where(BillingFile.source_id == source_id)
    row = connection.execute(query.limit(1)).first()
    if row is None:
        return False
    remove(settings, row.folder)
    connection.execute(delete(RefusedRow).where(RefusedRow.file_id == row.id))
    connection.execute(delete(BillingFile).where(BillingFile.id == row.id))
    return True
