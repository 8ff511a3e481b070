"""Long work on a source: asked for, previewed, run to its end by whoever picks it up, cancelled.

All progress stands in the `syncs` row and moves in the same transaction as the work, so a killed worker loses
at most one batch that was never committed, and the next one goes on where it was.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select
from sqlalchemy.orm import Session

from webapp.config import Settings
from webapp.database import CROWDED, Overtaken, begin, begin_work
from webapp.domain import mapping
from webapp.failpoints import reach
from webapp.models import Source, Sync, User, now
from webapp.models.sync import OPEN
from webapp.services import (
    attribute_changes,
    deletion,
    detaching,
    locks,
    packing,
    progress,
    rebuild,
    resync,
)
from webapp.services.deletion import DeletionReport, deletion_report
from webapp.services.heartbeats import silent
from webapp.services.neighbours import Neighbours
from webapp.services.pacing import Batch, Chances, Pace, collecting_later
from webapp.services.previews import Preview, preview, waiting
from webapp.services.projection import never

__all__ = [
    "CannotCancel",
    "CannotRebuild",
    "DeletionReport",
    "Preview",
    "brings",
    "deletion_report",
    "open_sync",
    "preview",
    "request",
    "request_cancel",
    "request_deletion",
    "run",
    "stalled",
    "waiting",
    "why_not_to_cancel",
]

# Of a step while others want to write to SQLite; of one that places half is reading, without the lock.
STEP_SECONDS = 0.009
NOT_READY = 0.5  # seconds until what is in the way of a deletion's end is looked at again

STEPS: dict[str, Callable[[Connection, Any, Settings, int], int | None]] = {
    "resync": resync.step,
    "rebuild": rebuild.step,
    "deletion": deletion.step,
}

# What every step runs.
_SYNC = select(Sync.__table__).where(Sync.id == bindparam("id"))
_SOURCE_ID = select(Sync.source_id).where(Sync.id == bindparam("id"))


class CannotRebuild(ValueError):
    """The inbox no longer holds all that was told; the message is for the person who asked."""


class CannotCancel(ValueError):
    """It is too late, or there is no way back; the message is for the person who asked."""


def request(session: Session, source: Source, kind: str = "resync", user_id: int | None = None) -> Sync:
    """Ask for a re-sync or a rebuild; a second request joins the one under way.

    Args:
        session: the caller commits, then rings the queue.
        kind: `resync` or `rebuild`.

    Returns:
        The work to follow: a new one, or the one of this source that is under way.

    Raises:
        CannotRebuild: retention has dropped events.
        LookupError: the source is being deleted.
    """
    # The source's row is the lock under which everything about its long work is decided.
    session.execute(select(Source.id).where(Source.id == source.id).with_for_update())
    session.refresh(source)
    if source.state != "active":
        raise LookupError("This source is being deleted.")
    if kind == "rebuild" and source.dropped_before is not None:
        raise CannotRebuild(
            "Old events of this source were dropped, as its retention says. A rebuild would forget what they "
            "told, so it is refused; a re-sync keeps everything."
        )
    running = open_sync(session, source.id)
    if running is not None:
        return running
    changed = _changed_attributes(session, source)
    sync = Sync(
        source_id=source.id,
        kind=kind,
        state="queued",
        policy=source.policy,
        previous_policy=source.applied_policy,
        mapping=source.mapping,
        previous_mapping=source.applied_mapping,
        user_id=user_id,
        asked_by=session.scalar(select(User.email).where(User.id == user_id)) if user_id else None,
        created_at=now(),
        result={"attributes": changed} if changed else {},
    )
    session.add(sync)
    session.flush()
    return sync


def _changed_attributes(session: Session, source: Source) -> list[str]:
    return [each.key for each in attribute_changes.pending(session, source)]


def brings(session: Session, sync: Sync, source: Source, kind: str) -> bool:
    """Whether the end of work that is under way is what a request for a kind would bring now."""
    if sync.kind != kind or sync.state == "cancelling" or sync.policy != source.policy:
        return False
    if kind == "rebuild" and not mapping.same(sync.mapping, source.mapping):
        return False
    return set(_changed_attributes(session, source)) <= set((sync.result or {}).get("attributes", ()))


def open_sync(session: Session, source_id: int) -> Sync | None:
    """The long work of a source that is under way, if any."""
    query = select(Sync).where(Sync.source_id == source_id, Sync.state.in_(OPEN))
    return session.scalars(query.order_by(Sync.id.desc())).first()


def why_not_to_cancel(sync: Any) -> str:
    """In words why a piece of work cannot be taken back; empty when it can."""
    if sync.state not in OPEN:
        return "This has ended already, so nothing was cancelled."
    if sync.kind == "deletion":
        return "A deletion cannot be cancelled."
    if sync.kind == "rebuild" and rebuild.is_past_swap(sync):
        return "The tables show what was rebuilt by now, so this can no longer be taken back."
    return ""


def request_cancel(session: Session, sync: Sync) -> bool:
    """Ask that a re-sync or rebuild be taken back.

    Args:
        session: the caller commits.

    Returns:
        False when that had been asked already.

    Raises:
        CannotCancel: it has ended, or has no way back.
    """
    # Who holds the source's row knows which step was the last: none can be under way.
    session.execute(select(Source.id).where(Source.id == sync.source_id).with_for_update(key_share=True))
    session.refresh(sync)
    if why_not := why_not_to_cancel(sync):
        raise CannotCancel(why_not)
    asked, sync.state = sync.state, "cancelling"
    session.flush()
    return asked != "cancelling"


def request_deletion(session: Session, source: Source, user_id: int | None = None) -> Sync:
    """Hide a source at once and ask for its erasure. The caller commits, then rings the queue."""
    locks.lock_one(session, source.id)
    session.execute(select(Source.id).where(Source.id == source.id).with_for_update())
    session.refresh(source)
    running = open_sync(session, source.id)
    if running is not None:
        if running.kind == "deletion":
            return running
        running.state = "failed"
        running.finished_at = now()
        running.result = running.result | {"error": "The source was deleted."}
    source.state = "deleting"
    source.name_key = None
    sync = Sync(
        source_id=source.id, kind="deletion", state="queued", user_id=user_id, created_at=now(), result={}
    )
    session.add(sync)
    session.flush()
    # Few merged customers show what the other sources tell at once; many are out of sight until the work,
    # which begins with them, has come by.
    detaching.detach(session.connection(), source.id)
    return sync


def run(
    engine: Engine,
    sync_id: int,
    *,
    settings: Settings,
    stop: Callable[[], bool] = never,
    give_way: Callable[[], bool] = never,
) -> None:
    """Do a piece of long work to its end. May be run again, and by two at once: each step locks the source.

    Args:
        stop: asked between steps; True leaves the rest to the next run.
        give_way: asked while a deletion waits for somebody who reads; True leaves the rest to the next run.
    """
    with engine.connect() as connection:
        kind = connection.scalar(select(Sync.kind).where(Sync.id == sync_id))
    deleting = kind == "deletion"
    pace, chances = Pace(engine.dialect.name, gentle=STEP_SECONDS), Chances()
    with Neighbours(engine) as neighbours:
        while not stop():
            if deleting and not deletion.ready(engine, sync_id):
                with begin(engine) as connection:
                    _beat(connection, sync_id)
                if give_way():
                    break
                time.sleep(NOT_READY)
                continue
            with pace.batch() as batch, collecting_later():
                worked = _step(engine, sync_id, settings, batch, neighbours, chances)
            if worked is None:
                break
            if not worked:
                pace.begin_anew()
            pace.rest()
    if deleting:
        packing.empty_log(engine)


def _step(
    engine: Engine, sync_id: int, settings: Settings, batch: Batch, neighbours: Neighbours, chances: Chances
) -> int | None:
    """One transaction of the work; how many rows it went through, None when nothing is left to do.

    On SQLite it reads without the lock that everybody needs, unless others write so often that one of them
    always does meanwhile.
    """
    if chances.are_good():
        try:
            worked = _tried(engine, sync_id, settings, batch, neighbours, late=True)
        except Overtaken:
            chances.learn(spoiled=True)
        else:
            chances.learn(spoiled=False)
            return worked
    return _tried(engine, sync_id, settings, batch, neighbours, late=False)


def _tried(
    engine: Engine, sync_id: int, settings: Settings, batch: Batch, neighbours: Neighbours, *, late: bool
) -> int | None:
    with begin_work(engine, late) as connection:
        batch.begun(neighbours.look() or connection.info.get(CROWDED, False))
        sync = _claimed(connection, sync_id)
        if sync is None:
            return None
        reach(f"{sync.kind}.after_claim")
        step = STEPS[sync.kind] if sync.started_at else _start
        worked = step(connection, sync, settings, batch.size)
        if worked is not None:
            batch.worked = worked
            _beat(connection, sync_id)
        reach(f"{sync.kind}.before_commit")
    neighbours.look()  # at our own commit
    reach(f"{sync.kind}.after_commit")
    return worked


def _claimed(connection: Connection, sync_id: int) -> Any | None:
    """The work's row with its source locked; None when there is nothing left to do."""
    this = {"id": sync_id}
    source_id = connection.scalar(_SOURCE_ID, this)
    if source_id is None:
        return None
    locks.lock_one(connection, source_id)
    sync = connection.execute(_SYNC, this).first()
    return sync if sync is not None and sync.state in OPEN else None


def _start(connection: Connection, sync: Any, _settings: Settings, _limit: int) -> int:
    """A step by itself: the next one counts everything before it writes, and nobody need wait for that."""
    state = "running" if sync.state == "queued" else sync.state
    progress.note(connection, sync.id, started_at=now(), state=state)
    return 0


def _beat(connection: Connection, sync_id: int) -> None:
    progress.note(connection, sync_id, heartbeat_at=now())


def stalled(engine: Engine) -> list[int]:
    """Ids of long work that nobody works on: just asked for, or silent for eight seconds."""
    with engine.connect() as connection:
        query = select(Sync.id).where(Sync.state.in_(OPEN), silent(Sync.heartbeat_at))
        return list(connection.scalars(query.order_by(Sync.id)))
