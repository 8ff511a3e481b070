"""Imports of existing data: archives of calls on their way into a source's inbox, with their progress."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import NEVER_REUSED, Base, Bytes, Document, Id, Json, Micros
from webapp.models.source import Source

INSPECTING, CHOOSING, STORING, CANCELLING = "inspecting", "choosing", "storing", "cancelling"
DONE, CANCELLED, FAILED = "done", "cancelled", "failed"
BUSY = (INSPECTING, STORING, CANCELLING)
"""States in which a worker has something to do."""
OPEN = (*BUSY, CHOOSING)


class Import(Base):
    """One import. All its progress is here, so whoever picks it up goes on where it was."""

    __tablename__ = "imports"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    folder: Mapped[str | None]
    """Name of the folder of uploaded files in the data directory; None for files that stay where they are."""
    state: Mapped[str] = mapped_column(index=True)
    """`inspecting`, `choosing` (waits for a person), `storing`, `cancelling`; then `done`, `cancelled` or
    `failed`."""
    turn: Mapped[int] = mapped_column(default=0)
    """Counts who has taken it up: only the last one may write."""
    place: Mapped[Document] = mapped_column(default=dict)
    """Up to where the files have been read (`services/imports/places.py`)."""
    choice: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """What is imported (`domain/calls.py`); None until somebody has chosen."""
    found: Mapped[Bytes | None]
    """What an inspection has found, packed (`services/imports/findings.py`)."""
    counts: Mapped[Document] = mapped_column(default=dict)
    """`read`, `stored`, `known`, `left_out` and `unreadable`, in calls."""
    done: Mapped[Micros] = mapped_column(default=0)
    """Bytes of the files, as they lie on the disk, that this pass has read."""
    total: Mapped[Micros] = mapped_column(default=0)
    """Bytes of all files."""
    error: Mapped[str | None]
    """Why it failed, for the person who asked."""
    created_at: Mapped[Micros]
    started_at: Mapped[Micros | None]
    """When the present pass began."""
    heartbeat_at: Mapped[Micros | None]
    finished_at: Mapped[Micros | None]

    source: Mapped[Source] = relationship()

    @property
    def busy(self) -> bool:
        """Whether a worker has, or should have, it in hand."""
        return self.state in BUSY

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN


class ImportFile(Base):
    """A file of an import, in the order in which they are read."""

    __tablename__ = "import_files"
    __table_args__ = (UniqueConstraint("import_id", "number"), NEVER_REUSED)

    id: Mapped[Id]
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"))
    number: Mapped[int]
    name: Mapped[str]
    """As its sender called it; only ever shown."""
    path: Mapped[Bytes | None]
    """Where it lies, for a file that is read in place; an uploaded one is found by its number."""
    size: Mapped[Micros]


class ImportProblem(Base):
    """Something in the files that could not be read. Where it stands and why; never what it says."""

    __tablename__ = "import_problems"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    import_id: Mapped[int] = mapped_column(ForeignKey("imports.id"), index=True)
    file: Mapped[str]
    """The file's name and, for an archive, the name of the file inside it."""
    line: Mapped[Micros]
    """From 1; 0 for a file that cannot be read at all."""
    reason: Mapped[str]
