"""Sources, the URLs that Segment posts to, and what is counted of the calls."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from webapp.domain import mapping as mappings
from webapp.models.base import NEVER_REUSED, Base, Bytes, Id, Json, Micros

POLICIES = {
    "user": "The email or UserID is created",
    "company": "A user is added to a company",
}
MICROS_PER_HOUR = 3600 * 1_000_000


class Source(Base):
    """Where data comes from. `policy` is what was chosen, `applied_policy` what the tables show."""

    __tablename__ = "sources"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    uuid: Mapped[str] = mapped_column(unique=True)
    """Without its prefix; `public_id` has it."""
    name: Mapped[str]
    name_key: Mapped[str | None] = mapped_column(unique=True)
    """The name as uniqueness compares it; None once deletion began, so that the name is free again."""
    kind: Mapped[str] = mapped_column(default="segment")
    policy: Mapped[str]
    applied_policy: Mapped[str]
    mapping: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """Where people want its traits to go (`domain/mapping.py`); None: where they go by default."""
    applied_mapping: Mapped[dict[str, Any] | None] = mapped_column(Json)
    """What the tables show and new events follow, until a rebuild applies `mapping`."""
    state: Mapped[str] = mapped_column(default="active")
    """`active` or `deleting`."""
    pause: Mapped[str] = mapped_column(default="")
    """Empty, `keep` (events are received and wait) or `refuse` (the webhook answers 503)."""
    generation: Mapped[int] = mapped_column(default=1)
    """Which of the generations of persons and companies is shown; a rebuild makes the next."""
    created_at: Mapped[Micros]
    connection_tested_at: Mapped[Micros | None]
    first_event_at: Mapped[Micros | None]
    last_event_at: Mapped[Micros | None]
    retention_days: Mapped[int | None]
    """Days after which its events leave the inbox; None: they stay, unless the installation limits them."""
    dropped_before: Mapped[Micros | None]
    """Retention has dropped events received before this instant."""
    attributes_applied_at: Mapped[Micros | None]
    """Records heed what was ignored or imported again before this instant; None: since the source is."""
    failing_since: Mapped[Micros | None]
    """Since when draining this source has failed; None while it works."""
    signing_sealed: Mapped[Bytes | None]
    """The secret that Segment signs its calls with, encrypted; None: calls need no signature."""

    urls: Mapped[list[WebhookUrl]] = relationship(back_populates="source", order_by="WebhookUrl.id")

    @property
    def public_id(self) -> str:
        return f"ds_{self.uuid}"

    @property
    def needs_resync(self) -> bool:
        """Another policy was saved than the tables show."""
        return self.policy != self.applied_policy

    @property
    def needs_rebuild(self) -> bool:
        """Another mapping was saved than the tables show."""
        return not mappings.same(self.mapping, self.applied_mapping)


URL, KEY = "url", "key"


class WebhookUrl(Base):
    """One secret URL or write key of a source: the live one, one in its grace period, or one that ended."""

    __tablename__ = "webhook_urls"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"), index=True)
    kind: Mapped[str] = mapped_column(default=URL, server_default=URL)
    """`url`, or `key` for a write key. Each is replaced for itself."""
    token_digest: Mapped[Bytes] = mapped_column(unique=True)
    """What a call is looked up by: SHA-256 of the token, for a write key in a form of its own."""
    token_sealed: Mapped[Bytes | None]
    """The token, encrypted, so that the page can show it again; None once it was replaced."""
    created_at: Mapped[Micros]
    replaced_at: Mapped[Micros | None]
    ends_at: Mapped[Micros | None]
    """From this instant on calls are refused; None: the live one."""
    late_calls: Mapped[int] = mapped_column(default=0)
    """Calls since it was replaced, in the grace period and after."""
    last_late_call_at: Mapped[Micros | None]

    source: Mapped[Source] = relationship(back_populates="urls")


class Tally(Base):
    """What was received in one hour. Several rows an hour, so that several writers never wait for one."""

    __tablename__ = "tallies"
    __table_args__ = (UniqueConstraint("source_id", "hour", "writer"),)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    hour: Mapped[Micros]
    """The hour's first microsecond."""
    writer: Mapped[int]
    """A number from 0 to 15 that a writing process picks for itself; 16 is the drain's."""
    received: Mapped[int] = mapped_column(default=0)
    """Events that came, duplicates among them."""
    duplicates: Mapped[int] = mapped_column(default=0)
    """Those that were the very same as one before: known when they are drained."""


class Rejection(Base):
    """Calls that were turned away, per answer and reason, so that the source page can say so."""

    __tablename__ = "rejections"
    __table_args__ = (UniqueConstraint("source_id", "status", "reason"),)

    id: Mapped[Id]
    source_id: Mapped[int] = mapped_column(ForeignKey("sources.id"))
    status: Mapped[int]
    reason: Mapped[str]
    """The message of the answer; never anything of the body."""
    count: Mapped[int] = mapped_column(default=0)
    last_at: Mapped[Micros]


Index("ix_tallies_source_id_hour", Tally.source_id, Tally.hour)
