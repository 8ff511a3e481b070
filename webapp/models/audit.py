"""Who did what to what, and when."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.account import User
from webapp.models.base import NEVER_REUSED, Base, Document, Id, Micros


class AuditLine(Base):
    """One act. Details hold numbers and choices, never what a source told about people."""

    __tablename__ = "audit_lines"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    at: Mapped[Micros] = mapped_column(index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """None: the command line."""
    action: Mapped[str]
    """A stable code such as `source.added`; `webapp/services/audit.py` has the sentences."""
    source_uuid: Mapped[str | None] = mapped_column(index=True)
    details: Mapped[Document]

    user: Mapped[User | None] = relationship()
