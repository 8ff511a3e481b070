"""What a billing source tells beside its customers: plans, subscriptions, and what people did to these."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from webapp.models.base import NEVER_REUSED, Base, Id, Micros, where

INTERVALS = ("day", "week", "month", "year")


class Plan(Base):
    """What is sold, and how often it is paid for."""

    __tablename__ = "plans"
    __table_args__ = (UniqueConstraint("source_id", "external_id"), NEVER_REUSED)

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    """Public as `pl_<uuid>`."""
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    external_id: Mapped[str]
    name: Mapped[str]
    interval_unit: Mapped[str]
    """One of INTERVALS."""
    interval_count: Mapped[int]
    created_at: Mapped[Micros]


class Subscription(Base):
    """One customer's subscription, as its billing source tells it."""

    __tablename__ = "subscriptions"
    __table_args__ = (UniqueConstraint("source_id", "external_id"), NEVER_REUSED)

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    """Public as `sub_<uuid>`."""
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    origin_uuid: Mapped[str] = mapped_column(index=True)
    """Of the data source customer who has it."""
    external_id: Mapped[str]
    plan_id: Mapped[int | None] = mapped_column(ForeignKey("plans.id"), index=True)
    amount: Mapped[str]
    """What is paid per interval, a plain decimal in units of the currency: `49.90`."""
    currency: Mapped[str]
    """ISO 4217, upper-case."""
    interval_unit: Mapped[str]
    interval_count: Mapped[int]
    start_at: Mapped[Micros]
    end_at: Mapped[Micros | None]
    """From this instant on it is cancelled; None: it goes on."""
    past_due: Mapped[bool] = mapped_column(default=False)
    due_at: Mapped[Micros | None]
    """When it next becomes another by itself, because it begins or ends; None: never."""
    connection_uuid: Mapped[str | None] = mapped_column(index=True)
    """Subscriptions that share it count as one that goes on; None: it stands alone."""
    created_at: Mapped[Micros]
    updated_at: Mapped[Micros]


class MrrAdjustment(Base):
    """What a person says a subscription's MRR is, in place of what is computed."""

    __tablename__ = "mrr_adjustments"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    subscription_id: Mapped[int] = mapped_column(ForeignKey("subscriptions.id"), unique=True)
    mrr: Mapped[str]
    """A plain decimal a month, in units of the subscription's currency."""
    reason: Mapped[str]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[Micros]


Index("ix_subscriptions_due_at", Subscription.due_at, **where("due_at IS NOT NULL"))
