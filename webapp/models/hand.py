"""What people write by hand on customers and contacts. No source and no re-sync ever touches it."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Bytes, Document, Id, Micros


class Edit(Base):
    """What people set on one record, kept with its origin: a customer that comes back has it again."""

    __tablename__ = "edits"
    __table_args__ = (UniqueConstraint("entity", "said_of"), NEVER_REUSED)

    id: Mapped[Id]
    entity: Mapped[str]
    """`customer` or `contact`."""
    said_of: Mapped[str]
    """The origin when it was set: of the data source customer that led the customer, or of the contact."""
    said_key: Mapped[Bytes | None]
    """Of a person: the key of the identifier that bears this uuid, by which whoever it joined is found."""
    origin_uuid: Mapped[str]
    """The origin that it speaks of now: the same, or the person that one has become one with."""
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    fields: Mapped[Document]
    """`{field: {"value": ..., "at": micros, "by": user id}}`. Fields: `lead_status`, `owner`, `tags`
    (a list), `lead_created_at`, `free_trial_started_at`, a standard attribute, or `custom.<key>`."""
    updated_at: Mapped[Micros]


class Note(Base):
    """What somebody wrote down about a customer or a contact."""

    __tablename__ = "notes"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    entity: Mapped[str]
    said_of: Mapped[str]
    said_key: Mapped[Bytes | None]
    origin_uuid: Mapped[str]
    """As in `Edit`."""
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    text: Mapped[str]
    created_at: Mapped[Micros]
    updated_at: Mapped[Micros]


Index("ix_edits_origin_uuid", Edit.origin_uuid, Edit.entity)
Index("ix_notes_said_of", Note.said_of)
Index("ix_notes_origin_uuid", Note.origin_uuid, Note.entity, Note.id)
