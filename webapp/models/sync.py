"""Long work on a source: re-syncs, rebuilds and deletions, with their progress."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import NEVER_REUSED, Base, Document, Id, Json, Micros
from webapp.models.source import Source

KINDS = ("resync", "rebuild", "deletion")
OPEN = ("queued", "running", "cancelling")


class Sync(Base):
    """One piece of long work. All its progress is here, so whoever picks it up goes on where it was."""

    __tablename__ = "syncs"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    kind: Mapped[str]
    state: Mapped[str] = mapped_column(default="queued", index=True)
    """`queued`, `running`, `cancelling`, then `done`, `cancelled` or `failed`."""
    policy: Mapped[str | None]
    """The policy it applies, fixed when it was asked for."""
    previous_policy: Mapped[str | None]
    mapping: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """The mapping that a rebuild folds with, fixed when it was asked for."""
    previous_mapping: Mapped[dict[str, Any] | None] = mapped_column(Json)
    phase: Mapped[str] = mapped_column(default="")
    """What it is busy with, a name the service knows."""
    cursor: Mapped[Micros] = mapped_column(default=0)
    """The last id that is done with in this phase."""
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    asked_by: Mapped[str | None]
    """The e-mail address of who asked, which outlives the account; None: the command line."""
    created_at: Mapped[Micros]
    started_at: Mapped[Micros | None]
    heartbeat_at: Mapped[Micros | None]
    finished_at: Mapped[Micros | None]
    result: Mapped[Document] = mapped_column(default=dict)
    """Counts of what changed, or what went wrong, in words."""

    source: Mapped[Source] = relationship()

    @property
    def running(self) -> bool:
        return self.state in OPEN

    @property
    def percent(self) -> int:
        return (
            min(99, self.done * 100 // self.total)
            if self.total and self.running
            else 0
            if self.running
            else 100
        )
