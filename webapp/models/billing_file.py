"""Uploaded billing files, with their progress and the rows that could not be imported."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import NEVER_REUSED, Base, Id, Json, Micros
from webapp.models.source import Source

CHOOSING, READING, CANCELLING = "choosing", "reading", "cancelling"
DONE, CANCELLED, FAILED = "done", "cancelled", "failed"
BUSY = (READING, CANCELLING)


class BillingFile(Base):
    """One CSV file of customers or of subscriptions. All progress is here, so anybody can go on with it."""

    __tablename__ = "billing_files"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    kind: Mapped[str]
    """`customers` or `subscriptions`."""
    name: Mapped[str]
    """As its sender called it; only ever shown."""
    folder: Mapped[str]
    """Name of its folder in the data directory."""
    state: Mapped[str] = mapped_column(index=True)
    """`choosing` (a person says which column is what), `reading`, `cancelling`; then `done`, `cancelled`,
    `failed`."""
    encoding: Mapped[str]
    delimiter: Mapped[str]
    heading: Mapped[list[str]] = mapped_column(Json)
    columns: Mapped[list[str]] = mapped_column(Json)
    """What each column is (`domain/billing_rows.py`)."""
    rows: Mapped[int] = mapped_column(default=0)
    """How many rows are done with, good or bad; the heading is none."""
    place: Mapped[Micros] = mapped_column(default=0)
    """Characters of the file that are done with; never more than its bytes."""
    size: Mapped[Micros]
    """Bytes of the file."""
    added: Mapped[int] = mapped_column(default=0)
    updated: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None]
    """Why it failed, for the person who uploaded it."""
    created_at: Mapped[Micros]
    heartbeat_at: Mapped[Micros | None]
    finished_at: Mapped[Micros | None]

    source: Mapped[Source] = relationship()

    @property
    def busy(self) -> bool:
        """Whether a worker has, or should have, it in hand."""
        return self.state in BUSY


class RefusedRow(Base):
    """A row that was not imported, whole, so that it can be corrected and sent again, and why."""

    __tablename__ = "refused_rows"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    file_id: Mapped[int] = mapped_column(ForeignKey("billing_files.id"), index=True)
    row: Mapped[int]
    """From 2, as a spreadsheet counts: the heading is 1."""
    cells: Mapped[list[str]] = mapped_column(Json)
    problems: Mapped[list[str]] = mapped_column(Json)
