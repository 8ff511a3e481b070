"""Keys with which programs call the API."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Bytes, Id, Micros

READ, WRITE = "read", "write"


class ApiKey(Base):
    """One key. It is shown when it is made and never again; revoked, its row is gone."""

    __tablename__ = "api_keys"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    name: Mapped[str]
    name_key: Mapped[str] = mapped_column(unique=True)
    """The name as uniqueness compares it."""
    prefix: Mapped[str]
    """How the key begins, so that people know which of theirs it is."""
    digest: Mapped[Bytes] = mapped_column(unique=True)
    """What a call is looked up by (`tokens.api_key_digest`)."""
    scope: Mapped[str]
    """READ, or WRITE for reading and writing."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    """Who made it."""
    created_at: Mapped[Micros]
    last_used_at: Mapped[Micros | None]

    @property
    def may_write(self) -> bool:
        return self.scope == WRITE
