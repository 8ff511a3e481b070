"""Views of the tables that people keep by name."""

from __future__ import annotations

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.account import User
from webapp.models.base import NEVER_REUSED, Base, Document, Id, Micros


class SavedView(Base):
    """Search, filters, sort, columns and size of a table under a name; its owner's, or everybody's to use."""

    __tablename__ = "saved_views"
    __table_args__ = (UniqueConstraint("user_id", "noun", "name"), NEVER_REUSED)

    id: Mapped[Id]
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    noun: Mapped[str]
    """Of which table: `customers` or `contacts`."""
    name: Mapped[str]
    shared: Mapped[bool]
    args: Mapped[Document]
    """The arguments of its address: every value of each name."""
    created_at: Mapped[Micros]

    user: Mapped[User] = relationship()
