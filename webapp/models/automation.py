"""Automations: rules that merge customers of Segment with matching customers of the billing system."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Document, Id, Json, Micros

OPEN = ("queued", "running")


class Automation(Base):
    """One rule. Of the matches that it finds the clear ones are merged, the others wait for a person."""

    __tablename__ = "automations"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    on: Mapped[bool] = mapped_column("switched_on", default=False)
    keys: Mapped[list[str]] = mapped_column(Json)
    """Any of them suffices: `email`, `external_id`, `domain`, `name`, `custom.<key>`."""
    conditions: Mapped[list[dict[str, Any]]] = mapped_column(Json)
    """All must hold of the customer of Segment: `{"field": ..., "operator": ..., "value": ...}`."""
    segment_source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"))
    """Only customers of this source; None: of every Segment source."""
    billing_source_id: Mapped[int | None] = mapped_column(ForeignKey("sources.id"))
    """Only into customers of this source; None: of every billing source."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Micros]
    updated_at: Mapped[Micros]


class FreeMailDomain(Base):
    """A domain at which anybody gets an address: it never matches."""

    __tablename__ = "free_mail_domains"

    id: Mapped[Id]
    domain: Mapped[str] = mapped_column(unique=True)


class MatchKey(Base):
    """What one data source customer can be matched by, in its comparable form."""

    __tablename__ = "match_keys"
    __table_args__ = (UniqueConstraint("data_source_customer_id", "kind"),)

    id: Mapped[Id]
    data_source_customer_id: Mapped[int] = mapped_column(
        ForeignKey("data_source_customers.id", ondelete="CASCADE")
    )
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    billing: Mapped[bool]
    kind: Mapped[str]
    value: Mapped[str]


class Match(Base):
    """What a rule found for one customer of Segment and did not merge, or would merge if it were on."""

    __tablename__ = "matches"
    __table_args__ = (UniqueConstraint("automation_id", "data_source_customer_id"), NEVER_REUSED)

    id: Mapped[Id]
    automation_id: Mapped[int] = mapped_column(ForeignKey("automations.id", ondelete="CASCADE"))
    data_source_customer_id: Mapped[int] = mapped_column(
        ForeignKey("data_source_customers.id", ondelete="CASCADE"), index=True
    )
    """Of the customer of Segment."""
    candidate_id: Mapped[int] = mapped_column(
        ForeignKey("data_source_customers.id", ondelete="CASCADE"), index=True
    )
    """Of the billing customer; of several the first."""
    candidates: Mapped[int]
    """How many billing customers match."""
    rivals: Mapped[int]
    """How many customers of the same Segment source match that billing customer, this one included."""
    keys: Mapped[list[str]] = mapped_column(Json)
    """What matches."""
    ambiguous: Mapped[bool]
    """Whether a person must decide; else the rule merges it, or would if it were on."""
    created_at: Mapped[Micros]


class AutomationRun(Base):
    """One pass of a rule over everything, with its progress: whoever picks it up goes on where it was."""

    __tablename__ = "automation_runs"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    automation_id: Mapped[int] = mapped_column(ForeignKey("automations.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str]
    """`test` (nothing is merged), `apply`, or `undo` (all merges of the rule are taken back)."""
    state: Mapped[str] = mapped_column(index=True)
    """`queued`, `running`, then `done` or `cancelled`."""
    phase: Mapped[str] = mapped_column(default="")
    cursor: Mapped[Micros] = mapped_column(default=0)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    result: Mapped[Document] = mapped_column(default=dict)
    """`pairs`, `ambiguous`, `undone`: counts."""
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Micros]
    heartbeat_at: Mapped[Micros | None]
    finished_at: Mapped[Micros | None]


Index(
    "ix_match_keys_value",
    MatchKey.kind,
    MatchKey.value,
    MatchKey.billing,
    MatchKey.data_source_customer_id,
)
Index("ix_match_keys_source_id", MatchKey.source_id)
Index("ix_matches_automation_id_ambiguous", Match.automation_id, Match.ambiguous, Match.id)
