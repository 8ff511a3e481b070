"""Deleting a source: invisible at once, then erased in small steps until no row or freed page tells of it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, delete, func, select, update

from webapp.config import Settings
from webapp.database import BUSY_TIMEOUT
from webapp.models import (
    AttributeSighting,
    AuditLine,
    Company,
    Contact,
    CustomAttribute,
    Customer,
    DataSourceCustomer,
    Event,
    Identifier,
    Person,
    Rejection,
    Source,
    Sync,
    Tally,
    WebhookUrl,
)
from webapp.services import audit, trigrams
from webapp.services.placing import remove_origins
from webapp.services.rebuild import erase

# Rows a step: short, because the other sources' events wait meanwhile on SQLite.
ROWS = {"sqlite": 1000, "postgresql": 5000}

# In this order no row is left that points at one that is gone. A customer goes with its last data source
# customer.
TABLES = (
    Event,
    Contact,
    DataSourceCustomer,
    Person,
    Identifier,
    Company,
    AttributeSighting,
    Tally,
    Rejection,
)


# How often emptying the write-ahead log is tried, about half a second each, before the sweeper's turn.
SCRUBS = 10


@dataclass(slots=True, frozen=True)
class DeletionReport:
    """What deleting a source takes along and what stays, in rows."""

    events: int
    customers: int
    contacts: int
    merged_customers: int
    """Customers that stay, with the data of the other source."""
    mrr_adjustments: int = 0
    connected_subscriptions: int = 0


def deletion_report(connection: Connection, source: Source) -> DeletionReport:
    """Count what deleting a source would take along."""
    behind = select(DataSourceCustomer.customer_id).where(DataSourceCustomer.source_id == source.id)
    others = (
        select(DataSourceCustomer.id)
        .where(
            DataSourceCustomer.customer_id == Customer.id,
            DataSourceCustomer.source_id != source.id,
        )
        .exists()
    )
    customers = select(func.count()).select_from(Customer).where(Customer.id.in_(behind))
    return DeletionReport(
        events=_count(connection, Event, source.id),
        customers=connection.scalar(customers.where(~others)) or 0,
        contacts=_count(connection, Contact, source.id),
        merged_customers=connection.scalar(customers.where(others)) or 0,
    )


def _count(connection: Connection, model: Any, source_id: int) -> int:
    query = select(func.count()).select_from(model).where(model.source_id == source_id)
    return connection.scalar(query) or 0


def step(connection: Connection, sync: Any, settings: Settings) -> bool:
    """One step of an erasure, in the caller's transaction, which holds the source's lock.

    Returns:
        Whether the work is finished: the source's row is gone, and this work's own with it.
    """
    if not sync.phase:
        total = sum(_count(connection, model, sync.source_id) for model in TABLES)
        begun = {"phase": "rows", "total": total, "done": 0}
        connection.execute(update(Sync).where(Sync.id == sync.id).values(**begun))
        return False
    for model in TABLES:
        if gone := _erase_some(connection, model, sync.source_id):
            connection.execute(update(Sync).where(Sync.id == sync.id).values(done=sync.done + gone))
            return False
    if not trigrams.forget(connection):
        return False
    _close(connection, sync)
    return True


def _erase_some(connection: Connection, model: Any, source_id: int) -> int:
    limit = ROWS[connection.dialect.name]
    if model is not DataSourceCustomer:
        return erase(connection, model, limit, model.source_id == source_id)
    query = select(DataSourceCustomer.origin_uuid).where(DataSourceCustomer.source_id == source_id)
    origins = connection.scalars(query.order_by(DataSourceCustomer.id).limit(limit)).all()
    remove_origins(connection, origins)
    return len(origins)


def _close(connection: Connection, sync: Any) -> None:
    """Erase what the source itself was, and leave one line of the audit log."""
    source = connection.execute(select(Source.__table__).where(Source.id == sync.source_id)).one()
    connection.execute(delete(AuditLine).where(AuditLine.source_uuid == source.uuid))
    for model in (WebhookUrl, Sync):
        connection.execute(delete(model).where(model.source_id == source.id))
    connection.execute(delete(Source).where(Source.id == source.id))
    told = select(AttributeSighting.id).where(
        AttributeSighting.entity == CustomAttribute.entity, AttributeSighting.key == CustomAttribute.key
    )
    connection.execute(delete(CustomAttribute).where(~told.exists()))
    # `by=None`: this line outlives everything, so it links to the account and copies no address from it.
    audit.record(connection, "source.erased", sync.user_id, source.uuid, rows=sync.done, by=None)


def scrub(engine: Engine) -> bool:
    """Empty SQLite's write-ahead log, which still holds pages from before; freed pages are zeroed already.

    Returns:
        Whether it is empty now; readers in the middle of something can keep it a little longer.
    """
    if engine.dialect.name != "sqlite":
        return True
    for _ in range(SCRUBS):
        if _truncated(engine):
            return True
        time.sleep(0.25)
    return False


def _truncated(engine: Engine) -> bool:
    with engine.connect() as connection:
        raw: Any = connection.connection.driver_connection
        # A checkpoint asks the busy handler too; waiting here would hold up whoever waits for this work.
        raw.execute("PRAGMA busy_timeout = 250")
        try:
            busy, _, _ = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            raw.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT}")
    return not busy
