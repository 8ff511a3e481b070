"""The first event of a source, for the guide that waits for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.models import Event, Import, Source
from webapp.models.event import PENDING
from webapp.services import outcomes


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is known of a source's first event.

    Attributes:
        first: the event, or None while nothing has arrived.
        outcome: what became of it, such as `imported contact Ada Lovelace into Acme`.
    """

    first: Event | None = None
    outcome: str = ""

    @property
    def complete(self) -> bool:
        """Whether it has arrived and was read."""
        return self.first is not None and self.first.state != PENDING


def first(session: Session, source: Source) -> Arrival:
    """The first event that a source was sent and still has; what was imported shows no connection."""
    wanted = select(Event).where(Event.source_id == source.id).limit(1)
    event = session.scalars(wanted.order_by(Event.id)).first()
    if event is None:
        return Arrival()
    if session.scalar(select(Import.id).where(Import.source_id == source.id).limit(1)):
        if source.first_event_at is None:
            return Arrival()
        if event.received_at < source.first_event_at:  # it was imported; of those sent the last will do
            event = session.scalars(wanted.order_by(Event.id.desc())).one()
    return Arrival(event, outcomes.of(session.connection(), source, [event])[event.id].sentence)
