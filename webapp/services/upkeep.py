"""What has to be done from time to time: find what waits, forget what has expired, apply retention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import CursorResult, Engine, delete, exists, literal_column, select, update

from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event, Invitation, Login, Source, now
from webapp.models.event import PENDING

MICROS_PER_DAY = 86_400 * 1_000_000
STEP = 2000  # events deleted in one transaction


def waiting(engine: Engine) -> list[int]:
    """Ids of the sources that have pending events and may work on them."""
    # A literal lets both databases see that the small index of what waits will do.
    pending = exists().where(Event.source_id == Source.id, Event.state == literal_column(str(PENDING)))
    with engine.connect() as connection:
        wanted = select(Source.id).where(Source.state == "active", Source.pause == "", pending)
        return list(connection.scalars(wanted.order_by(Source.id)))


def forget_expired(engine: Engine, settings: Settings) -> int:
    """Delete sessions that nobody has used for `session_days`, and links that have ended; how many."""
    at = now()
    with engine.connect() as connection:
        old = Login.last_seen_at < at - settings.session_days * MICROS_PER_DAY
        logins = list(connection.scalars(select(Login.id).where(old)))
        links = list(connection.scalars(select(Invitation.id).where(Invitation.expires_at < at)))
    if not logins and not links:
        return 0
    with begin(engine) as connection:
        connection.execute(delete(Login).where(Login.id.in_(logins), old))
        connection.execute(delete(Invitation).where(Invitation.id.in_(links)))
    return len(logins) + len(links)


def drop_old(engine: Engine, settings: Settings, stop: Callable[[], bool] = lambda: False) -> int:
    """Delete the bodies of events that were received more than `retention_days` ago, in small steps.

    What they said stays in persons and companies, customers and contacts. An event that still waits is kept.

    Args:
        stop: asked between steps.

    Returns:
        How many were deleted; 0 where retention is off.
    """
    if not settings.retention_days:
        return 0
    before = now() - settings.retention_days * MICROS_PER_DAY
    with engine.connect() as connection:
        sources = list(connection.scalars(select(Source.id).where(Source.state == "active")))
    return sum(_drop(engine, source_id, before, stop) for source_id in sources)


def _drop(engine: Engine, source_id: int, before: int, stop: Callable[[], bool]) -> int:
    """Go through a source's events from the oldest on, as far as they are too old."""
    dropped = cursor = 0
    while not stop():
        with engine.connect() as connection:
            rows = connection.execute(
                select(Event.id, Event.received_at)
                .where(Event.source_id == source_id, Event.id > cursor)
                .order_by(Event.id)
                .limit(STEP)
            ).all()
        # Ids are the order of receipt, give or take calls that overlapped: no old event in a step is the end.
        if not any(row.received_at < before for row in rows):
            break
        doomed = delete(Event).where(
            Event.source_id == source_id,
            Event.id.between(rows[0].id, rows[-1].id),
            Event.received_at < before,
            Event.state != PENDING,
        )
        cursor = rows[-1].id
        with begin(engine) as connection:
            gone = cast(CursorResult[Any], connection.execute(doomed)).rowcount
            if gone:
                connection.execute(update(Source).where(Source.id == source_id).values(dropped_before=before))
        dropped += gone
    return dropped
