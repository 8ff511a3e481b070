"""What people and automations have decided about who is the same, and what must outlive it."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Bytes, Document, Id, Micros

MERGE, APART = "merge", "apart"


class Decision(Base):
    """One decision about two records: that they are the same, or that they are not.

    It names the records by their origins, which outlive customers: a re-sync, a rebuild or another policy may
    take a customer away and bring it back, and the decision holds again.
    """

    __tablename__ = "decisions"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    entity: Mapped[str]
    """`customer` or `contact`."""
    kind: Mapped[str]
    """MERGE, or APART: not a duplicate."""
    primary_source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    primary_uuid: Mapped[str]
    """The origin that leads (of APART: one of the two)."""
    primary_key: Mapped[Bytes | None]
    """Of a person: the key of the identifier that bears this uuid, by which whoever it joined is found."""
    primary_now: Mapped[str] = mapped_column(index=True)
    """The origin that `primary_uuid` is part of now: itself, or the person it has become one with."""
    other_source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    other_uuid: Mapped[str]
    other_key: Mapped[Bytes | None]
    other_now: Mapped[str] = mapped_column(index=True)
    automation_id: Mapped[int | None]
    """The automation that decided; None: a person did."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    why: Mapped[Document] = mapped_column(default=dict)
    """What matched, by name: `{"keys": ["email"]}`; never a value."""
    created_at: Mapped[Micros]


class KeptUuid(Base):
    """The uuid of a customer whose primary's source was deleted: whoever leads it now bears that one on."""

    __tablename__ = "kept_uuids"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    origin_uuid: Mapped[str] = mapped_column(unique=True)
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    uuid: Mapped[str] = mapped_column(unique=True)


Index("ix_decisions_primary_source_id", Decision.primary_source_id, Decision.primary_uuid)
Index("ix_decisions_other_source_id", Decision.other_source_id, Decision.other_uuid)
Index("ix_decisions_automation_id", Decision.automation_id)
