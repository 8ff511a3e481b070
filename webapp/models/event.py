"""The inbox: every call as it came, append-only until the source is deleted or retention ends."""

from __future__ import annotations

from sqlalchemy import Index, SmallInteger
from sqlalchemy.orm import Mapped, mapped_column

from webapp.domain.outcome import APPLIED as APPLIED
from webapp.domain.outcome import IGNORED as IGNORED
from webapp.domain.outcome import PARKED as PARKED
from webapp.domain.outcome import PENDING as PENDING
from webapp.models.base import NEVER_REUSED, Base, BigId, Bytes, Id, Json, Micros, where

STATES = {PENDING: "pending", APPLIED: "applied", IGNORED: "ignored", PARKED: "parked"}


class Event(Base):
    """One event. The webhook writes the upper half; the projection the digest and the lower half, once."""

    __tablename__ = "events"
    __table_args__ = NEVER_REUSED

    id: Mapped[Id]
    """Also the order of receipt."""
    source_id: Mapped[int] = mapped_column(BigId)
    """No foreign key: who stores events holds their source's row (`inbox.standing`), once for all of a
    transaction. PostgreSQL would look at it for each of them, which took two fifths of storing them.
    """
    digest: Mapped[Bytes | None]
    """Of the event without `sent_at`: the very same event is kept once (`domain/digests.py`). The drain works
    it out, so None while the event waits; archives bring theirs."""
    received_at: Mapped[Micros]
    body: Mapped[Bytes]
    """The bytes as received."""
    state: Mapped[int] = mapped_column(SmallInteger, default=PENDING)

    type: Mapped[str | None]
    message_id: Mapped[str | None]
    occurred_at: Mapped[Micros | None]
    """The event's own time."""
    subject: Mapped[Bytes | None]
    """Key of the identifier it speaks of (`domain/identity.py`), for "the events that made this"."""
    company: Mapped[Bytes | None]
    """Key of the company it names."""
    reason: Mapped[str | None]
    """Why nothing was imported (a code of `domain/segment.py`), or why it was parked."""
    warnings: Mapped[list[list[str]] | None] = mapped_column(Json)
    """Pairs of code and detail."""


Index("ix_events_waiting", Event.source_id, Event.id, **where("state = 0"))
Index("ix_events_parked", Event.source_id, Event.id, **where("state = 3"))
Index("ix_events_source_id_id", Event.source_id, Event.id)
Index("ix_events_digest", Event.source_id, Event.digest, unique=True, **where("digest IS NOT NULL"))
Index("ix_events_subject", Event.source_id, Event.subject, Event.id, **where("subject IS NOT NULL"))
Index("ix_events_company", Event.source_id, Event.company, Event.id, **where("company IS NOT NULL"))
Index("ix_events_message_id", Event.source_id, Event.message_id, **where("message_id IS NOT NULL"))
