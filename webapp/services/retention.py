"""How long a source's raw events are kept, and what dropping them costs.

By default they are kept. An installation may limit that for all sources (RETENTION_DAYS); a source may keep
its events for fewer days, never for more. `services/upkeep.py` erases what is too old.
"""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.models import Event, Source, now
from webapp.services import audit, counting
from webapp.services.counting import Count
from webapp.services.sources import Refused
from webapp.services.transactions import write

MICROS_PER_DAY = 86_400 * 1_000_000
LEAST, MOST = 1, 36_500


def days(own: int | None, settings: Settings) -> int:
    """For how many days events are kept, 0 for always: the smaller of the source's number and the limit.

    Args:
        own: the source's `retention_days`.
        settings: of the installation.
    """
    return min((limit for limit in (own or 0, settings.retention_days) if limit), default=0)


def choose(
    session: Session, settings: Settings, source: Source, chosen: int | None, by: int | None = None
) -> bool:
    """Save for how long a source's raw events are kept; False when it was so already.

    Args:
        session: committed here.
        settings: of the installation, which may have a limit.
        source: whose events.
        chosen: days; None: as long as the installation keeps events, which is always unless it has a limit.
        by: the id of the user who asks; None for the command line.

    Raises:
        Refused: no number that can be kept, or more than the installation's limit.
    """
    if chosen is not None and not LEAST <= chosen <= MOST:
        raise Refused("days", f"Type a number of days from {LEAST} to {MOST:,}.")
    limit = settings.retention_days
    if chosen is not None and limit and chosen > limit:
        raise Refused("days", f"This installation keeps events for {limit:,} days at most.")
    with write(session):
        session.refresh(source, with_for_update={"key_share": True})
        if source.state != "active":
            raise Refused("", "This source is being deleted, so nothing about it can be changed any more.")
        if source.retention_days == chosen:
            return False
        source.retention_days = chosen
        kept = f"for {chosen:,} days" if chosen is not None else "always"
        audit.record(session, "source.retention_changed", by, source.uuid, name=source.name, kept=kept)
    return True


def older(connection: Connection | Session, source: Source, kept_days: int) -> Count:
    """How many events of a source are older than so many days."""
    of_source = Event.source_id == source.id
    before = now() - kept_days * MICROS_PER_DAY
    candidates = select(Event.id).where(of_source)
    return counting.count(connection, Event, of_source & (Event.received_at < before), candidates)
