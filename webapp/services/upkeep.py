"""What has to be done from time to time: find what waits, forget what has expired, apply retention."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Engine, delete, exists, literal_column, select, update

from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event, Invitation, Login, Source, Subscription, Sync, now
from webapp.models.event import PENDING
from webapp.models.sync import OPEN
from webapp.services import retention
from webapp.services.billing import subscriptions
from webapp.services.locks import lock_sources
from webapp.services.retention import MICROS_PER_DAY

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
    """Delete events that are older than their source keeps them (`services/retention.py`), in small steps.

    What they said stays in persons and companies, customers and contacts. An event that still waits is kept,
    and so are all of a source that is being rebuilt from them.

    Args:
        stop: asked between steps.

    Returns:
        How many were deleted.
    """
    with engine.connect() as connection:
        active = select(Source.id, Source.retention_days).where(Source.state == "active")
        kept = [(row.id, retention.days(row.retention_days, settings)) for row in connection.execute(active)]
    at = now()
    return sum(_drop(engine, source_id, at - days * MICROS_PER_DAY, stop) for source_id, days in kept if days)


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
            if not _may_drop(connection, source_id):
                break
            gone = cast(CursorResult[Any], connection.execute(doomed)).rowcount
            if gone:
                connection.execute(update(Source).where(Source.id == source_id).values(dropped_before=before))
        dropped += gone
    return dropped


def _may_drop(connection: Connection, source_id: int) -> bool:
    """Whether nobody folds this source's events again; holds the source, so that nobody begins to."""
    locked = select(Source.id).where(Source.id == source_id).with_for_update(key_share=True)
    rebuild = exists().where(Sync.source_id == source_id, Sync.kind == "rebuild", Sync.state.in_(OPEN))
    return connection.scalar(locked) is not None and not connection.scalar(select(rebuild))


def turn_subscriptions(engine: Engine) -> int:
    """Let subscriptions that have begun or ended by themselves show; how many there were."""
    turned = 0
    query = select(Subscription.id).where(Subscription.due_at <= now()).limit(1)
    while True:
        with engine.connect() as connection:
            if connection.scalar(query) is None:
                return turned
        with begin(engine) as connection:
            lock_sources(connection)
            turned += subscriptions.turn(connection)
