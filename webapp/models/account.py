"""People who use Tributary, their sessions, and the links that let them in for the first time."""

from __future__ import annotations

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.models.base import NEVER_REUSED, Base, Bytes, Id, Micros

ROLES = ("administrator", "viewer")


class User(Base):
    """Somebody who may sign in. A viewer sees tables, changes nothing, and never sees a webhook URL."""

    __tablename__ = "users"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    password_hash: Mapped[str]
    role: Mapped[str]
    created_at: Mapped[Micros]
    last_sign_in_at: Mapped[Micros | None]

    @property
    def is_administrator(self) -> bool:
        return self.role == "administrator"


class Login(Base):
    """A session on the server. It ends when this row goes, whatever the browser still holds."""

    __tablename__ = "logins"

    id: Mapped[Id]
    token_digest: Mapped[Bytes] = mapped_column(unique=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[Micros]
    last_seen_at: Mapped[Micros]
    confirmed_at: Mapped[Micros]
    """When the password was last typed in this session."""

    user: Mapped[User] = relationship()


class Invitation(Base):
    """A one-time link by which one account is created. Used, it is gone."""

    __tablename__ = "invitations"

    id: Mapped[Id]
    token_digest: Mapped[Bytes] = mapped_column(unique=True)
    role: Mapped[str]
    email: Mapped[str | None]
    created_at: Mapped[Micros]
    expires_at: Mapped[Micros]
