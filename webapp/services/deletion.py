"""Deleting a source: invisible at once, then erased in small steps until no row or freed page tells of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, delete, func, or_, select, update

from webapp.config import Settings
from webapp.database import begin
from webapp.failpoints import reach
from webapp.models import (
    AttributeSighting,
    AuditLine,
    Automation,
    Company,
    Contact,
    CustomAttribute,
    Customer,
    DataSourceCustomer,
    Decision,
    Edit,
    Event,
    Identifier,
    KeptUuid,
    MrrAdjustment,
    Note,
    PathSighting,
    Person,
    Plan,
    Rejection,
    Source,
    Subscription,
    Sync,
    Tally,
    WebhookUrl,
)
from webapp.services import (
    attribute_indexes,
    audit,
    detaching,
    packing,
    progress,
    saved_views,
    trigrams,
    visibility,
)
from webapp.services.billing import files as billing_files
from webapp.services.billing.subscriptions import disconnect_source
from webapp.services.erasing import erase, passing
from webapp.services.imports import files as imports
from webapp.services.merging import leave
from webapp.services.rows import delete_in

# In this order no row is left that points at one that is gone. A customer goes with its last data source
# customer.
TABLES = (
    Event,
    Contact,
    DataSourceCustomer,
    MrrAdjustment,
    Subscription,
    Plan,
    Edit,
    Note,
    KeptUuid,
    Person,
    Identifier,
    Company,
    AttributeSighting,
    PathSighting,
    Tally,
    Rejection,
)


# First merged customers become what the other sources tell. What follows when no row is left: the file is
# wiped, its log is emptied, the source's own row goes. The first two stand outside the work's transactions
# (`ready`); on PostgreSQL there is nothing to do.
DETACHING, ROWS_LEFT, WIPING, EMPTYING, WIPED = "detaching", "rows", "wiping", "emptying", "wiped"


@dataclass(slots=True, frozen=True)
class DeletionReport:
    """What deleting a source takes along and what stays, in rows."""

    events: int
    customers: int
    contacts: int
    merged_customers: int
    """Customers that stay, with the data of the other source."""
    mrr_adjustments: int
    connected_subscriptions: int
    plans: int = 0
    subscriptions: int = 0


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
        mrr_adjustments=_count(connection, MrrAdjustment, source.id),
        connected_subscriptions=_connected(connection, source.id),
        plans=_count(connection, Plan, source.id),
        subscriptions=_count(connection, Subscription, source.id),
    )


def _connected(connection: Connection, source_id: int) -> int:
    query = select(func.count()).where(
        Subscription.source_id == source_id, Subscription.connection_uuid.is_not(None)
    )
    return connection.scalar(query) or 0


def _count(connection: Connection, model: Any, source_id: int) -> int:
    query = select(func.count()).select_from(model).where(model.source_id == source_id)
    return connection.scalar(query) or 0


def step(connection: Connection, sync: Any, settings: Settings, limit: int) -> int | None:
    """One step of an erasure, in the caller's transaction, which holds the source's lock.

    Args:
        limit: rows to erase at most.

    Returns:
        How many rows it erased; None when the work is finished: the source's row is gone, and this work's own
        with it.
    """
    if not sync.phase:
        total = sum(_count(connection, model, sync.source_id) for model in TABLES)
        disconnect_source(connection, sync.source_id)
        begun = {"phase": DETACHING, "total": total, "done": 0}
        return _note(connection, sync, 0, **begun)
    if sync.phase == DETACHING:
        gone = detaching.detach(connection, sync.source_id, max(1, limit // 5))
        return _note(connection, sync, gone, phase=DETACHING if gone else f"{ROWS_LEFT} 0")
    if sync.phase.startswith(f"{ROWS_LEFT} "):
        return _erase_next(connection, sync, limit)
    # What was in flight when its table was gone through.
    for model in TABLES:
        gone, _ = _erase_some(connection, model, sync.source_id, limit)
        if gone:
            return _note(connection, sync, gone, phase=ROWS_LEFT)
    uploaded = (imports, billing_files)
    if any(each.erase(connection, settings, sync.source_id) for each in uploaded) or not trigrams.forget(
        connection
    ):
        return 0
    if sync.phase == WIPED:
        _close(connection, sync)
        return None
    if sync.phase == ROWS_LEFT:
        return _note(connection, sync, 0, phase=WIPING, result=_forget(connection, sync))
    return 0


def _note(connection: Connection, sync: Any, gone: int, **columns: Any) -> int:
    progress.note(connection, sync.id, **{"done": sync.done + gone} | columns)
    return gone


def _erase_next(connection: Connection, sync: Any, limit: int) -> int:
    """Go on in the table that the phase names by its place, then to the next."""
    place = int(sync.phase.rpartition(" ")[2])
    gone, last = _erase_some(connection, TABLES[place], sync.source_id, limit, sync.cursor)
    reach("deletion.mid_erase")
    if gone:
        return _note(connection, sync, gone, cursor=last)
    follow = f"{ROWS_LEFT} {place + 1}" if place + 1 < len(TABLES) else ROWS_LEFT
    return _note(connection, sync, 0, phase=follow, cursor=0)


def ready(engine: Engine, sync_id: int) -> bool:
    """Do what the next step stands on and no step can: wipe the gaps of the file's pages, empty its log.

    Returns:
        Whether the next step can be taken; else this is to be asked again a little later.
    """
    with engine.connect() as connection:
        phase = connection.scalar(select(Sync.phase).where(Sync.id == sync_id))
    if phase == WIPING:
        reach("deletion.before_wiping")
        return packing.wipe_gaps(engine, sync_id) and _enter(engine, sync_id, EMPTYING)
    if phase == EMPTYING:
        reach("deletion.after_wiping")
        return packing.empty_log(engine) and _enter(engine, sync_id, WIPED)
    return True


def _enter(engine: Engine, sync_id: int, phase: str) -> bool:
    with begin(engine) as connection:
        progress.note(connection, sync_id, phase=phase)
    return True


def _erase_some(
    connection: Connection, model: Any, source_id: int, limit: int, after: int = 0
) -> tuple[int, int]:
    if model is not DataSourceCustomer:
        return erase(connection, model, limit, after, source_id=source_id)
    told = {"source": source_id, "after": after, "most": limit}
    rows = connection.execute(_standing(connection.dialect.name), told).all()
    leave(connection, [row.origin_uuid for row in rows])
    return len(rows), max((row.id for row in rows), default=after)


@cache
def _standing(dialect: str) -> Any:
    query = select(DataSourceCustomer.id, DataSourceCustomer.origin_uuid)
    query = query.where(DataSourceCustomer.source_id == bindparam("source"))
    return passing(query, DataSourceCustomer, dialect).limit(bindparam("most"))


def _forget(connection: Connection, sync: Any) -> dict[str, Any]:
    """Erase what is known of the source itself but its uuid, before the file is wiped.

    Returns:
        The program that asked for this, if one did, for the work's own row.
    """
    uuid, name = connection.execute(select(Source.uuid, Source.name).where(Source.id == sync.source_id)).one()
    told = connection.execute(
        select(AuditLine.action, AuditLine.user_id, AuditLine.details).where(AuditLine.source_uuid == uuid)
    ).all()
    names = {name} | {row.details.get("old") for row in told if row.action == "source.renamed"}
    staying = connection.scalars(select(Source.name).where(Source.state == visibility.ACTIVE))
    saved_views.forget_source(connection, [each for each in names if each], staying)
    audit.forget(connection, uuid)
    connection.execute(delete(WebhookUrl).where(WebhookUrl.source_id == sync.source_id))
    connection.execute(delete(Sync).where(Sync.source_id == sync.source_id, Sync.id != sync.id))
    # A rule about this source alone is about nothing now; it must not become one about all.
    ours = or_(Automation.segment_source_id == sync.source_id, Automation.billing_source_id == sync.source_id)
    connection.execute(delete(Automation).where(ours))
    ends = or_(Decision.primary_source_id == sync.source_id, Decision.other_source_id == sync.source_id)
    connection.execute(delete(Decision).where(ends))
    forgotten = {"name": "Deleted source", "mapping": None, "applied_mapping": None}
    connection.execute(update(Source).where(Source.id == sync.source_id).values(**forgotten))
    _forget_attributes(connection)
    asked = (row.details.get("by") for row in told if row.action == "source.deleted" and row.user_id is None)
    program = next((by for by in asked if by and by.startswith(audit.API_KEY)), None)
    return sync.result | {"by": program}


def _forget_attributes(connection: Connection) -> None:
    """Erase the custom attributes that no source tells any more."""
    told = select(AttributeSighting.id).where(
        AttributeSighting.entity == CustomAttribute.entity, AttributeSighting.key == CustomAttribute.key
    )
    rows = connection.execute(
        select(CustomAttribute.id, CustomAttribute.entity, CustomAttribute.key).where(~told.exists())
    ).all()
    delete_in(connection, CustomAttribute, CustomAttribute.id, [row.id for row in rows])
    audit.forget_attributes(connection, {(row.entity, row.key) for row in rows})
    attribute_indexes.forget(connection)


def _close(connection: Connection, sync: Any) -> None:
    """Erase the last rows, and leave one line of the audit log."""
    uuid = connection.scalar(select(Source.uuid).where(Source.id == sync.source_id))
    connection.execute(delete(Sync).where(Sync.source_id == sync.source_id))
    connection.execute(delete(Source).where(Source.id == sync.source_id))
    # This line outlives everything, so it links to an account and copies no address from it.
    by = None if sync.user_id is not None else sync.result.get("by")
    audit.record(connection, "source.erased", sync.user_id, uuid, rows=sync.done, by=by)
