"""Passes of one rule over everything: a test before it is switched on, its application, and its undoing.

Progress stands in the run's row and moves in the transaction of the work, so a killed worker loses one page
that was never committed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, select, update
from sqlalchemy.orm import Session

from webapp.database import CROWDED, begin
from webapp.failpoints import reach
from webapp.models import Automation, AutomationRun, DataSourceCustomer, Decision, Match, MatchKey, now
from webapp.models.automation import OPEN
from webapp.models.merging import MERGE
from webapp.services import audit, merges
from webapp.services.automations import keys, working
from webapp.services.growing import Growing
from webapp.services.heartbeats import silent
from webapp.services.locks import lock_sources
from webapp.services.pacing import Batch, Pace, collecting_later
from webapp.services.projection import never

TEST, APPLY, UNDO = "test", "apply", "undo"
KEYS, MATCHING, UNDOING = "keys", "matching", "undoing"


def request(session: Session, automation: Automation, kind: str, user_id: int | None = None) -> AutomationRun:
    """Ask for a pass; one that is under way is taken back. The caller commits, then rings the queue.

    Args:
        kind: TEST, APPLY or UNDO.
        user_id: who asks.
    """
    session.execute(select(Automation.id).where(Automation.id == automation.id).with_for_update())
    end_open(session, automation.id)
    run = AutomationRun(
        automation_id=automation.id, kind=kind, state="queued", user_id=user_id, created_at=now(), result={}
    )
    session.add(run)
    session.flush()
    return run


def end_open(session: Session, automation_id: int) -> None:
    """End the pass of a rule that is under way, if there is one. What it merged stays merged."""
    _end(session, AutomationRun.automation_id == automation_id)


def cancel(session: Session, run: AutomationRun) -> None:
    """End a pass where it is. What it merged stays merged and can be undone."""
    _end(session, AutomationRun.id == run.id)


def _end(session: Session, which: ColumnElement[bool]) -> None:
    query = select(AutomationRun.__table__).where(which, AutomationRun.state.in_(OPEN))
    for row in session.execute(query.with_for_update()).all():
        ended = update(AutomationRun).where(AutomationRun.id == row.id)
        session.execute(ended.values(state="cancelled", finished_at=now()))
        _log(session.connection(), row)


def latest(session: Session | Connection, automation_id: int) -> Any | None:
    """The newest pass of a rule."""
    query = select(AutomationRun.__table__).where(AutomationRun.automation_id == automation_id)
    return session.execute(query.order_by(AutomationRun.id.desc()).limit(1)).first()


def stalled(engine: Engine) -> list[int]:
    """Ids of passes that nobody works on."""
    query = select(AutomationRun.id).where(AutomationRun.state.in_(OPEN), silent(AutomationRun.heartbeat_at))
    with engine.connect() as connection:
        return list(connection.scalars(query.order_by(AutomationRun.id)))


def run(engine: Engine, run_id: int, *, stop: Callable[[], bool] = never) -> None:
    """Do a pass to its end. May be run again, and by two at once: each page locks the sources.

    Args:
        stop: asked between pages; True leaves the rest to the next call.
    """
    pace = Pace(engine.dialect.name)
    growing = {KEYS: Growing(MatchKey), MATCHING: Growing(Match, Decision)}
    while not stop():
        with pace.batch() as batch, collecting_later(), begin(engine) as connection:
            batch.begun(connection.info.get(CROWDED, False))
            lock_sources(connection)
            row = connection.execute(
                select(AutomationRun.__table__).where(AutomationRun.id == run_id).with_for_update()
            ).first()
            if row is None or row.state not in OPEN or _step(connection, row, batch):
                return
            if row.phase in growing:
                growing[row.phase].by(connection, batch.worked)
            reach("automation.before_commit")
        reach("automation.after_commit")
        pace.rest()


def _step(connection: Connection, run: Any, batch: Batch) -> bool:
    """One page; whether the pass is finished."""
    automation = connection.execute(
        select(Automation.__table__).where(Automation.id == run.automation_id)
    ).one()
    if not run.phase:
        _begin(connection, run)
        return False
    if run.phase == UNDOING:
        return _undo(connection, run, batch)
    rows = _page(connection, run, batch.size)
    batch.worked = len(rows)
    if not rows and run.phase == KEYS:
        _move(connection, run, phase=MATCHING, cursor=0)
        return False
    if not rows:
        _move(connection, run, result=_counted(connection, run))
        _log(connection, run)
        _finish(connection, run)
        return True
    if run.phase == KEYS:
        keys.refresh(connection, rows, automation.keys)
        result = run.result
    else:
        looked = working.apply(connection, automation, [row.id for row in rows], merging=run.kind == APPLY)
        result = {
            "pairs": run.result.get("pairs", 0) + looked.merged + looked.clear,
            "ambiguous": run.result.get("ambiguous", 0) + looked.ambiguous,
        }
    reach("automation.mid_batch")
    _move(connection, run, cursor=rows[-1].id, done=run.done + len(rows), result=result)
    return False


def _begin(connection: Connection, run: Any) -> None:
    if run.kind == UNDO:
        total = connection.scalar(select(func.count()).where(*_of_rule(run.automation_id))) or 0
        _move(connection, run, phase=UNDOING, total=total, result={"undone": 0})
        return
    connection.execute(delete(Match).where(Match.automation_id == run.automation_id))
    query = select(func.count()).select_from(DataSourceCustomer)
    everybody = connection.scalar(query) or 0
    segment = connection.scalar(query.where(DataSourceCustomer.kind != "billing")) or 0
    _move(connection, run, phase=KEYS, total=everybody + segment, result={"pairs": 0, "ambiguous": 0})


def _page(connection: Connection, run: Any, limit: int) -> list[Any]:
    query = select(DataSourceCustomer.__table__)
    if run.phase == MATCHING:
        query = select(DataSourceCustomer.id).where(DataSourceCustomer.kind != "billing")
    query = query.where(DataSourceCustomer.id > run.cursor)
    return list(connection.execute(query.order_by(DataSourceCustomer.id).limit(limit)).all())


def _counted(connection: Connection, run: Any) -> dict[str, int]:
    """Counts of what a pass leaves noted. On the way it adds up, and others may take from it meanwhile."""
    noted = select(func.count()).where(Match.automation_id == run.automation_id)
    counts = {"ambiguous": connection.scalar(noted.where(Match.ambiguous)) or 0}
    if run.kind == TEST:
        counts["pairs"] = connection.scalar(noted.where(~Match.ambiguous)) or 0
    return run.result | counts


def _of_rule(automation_id: int) -> tuple[Any, ...]:
    return (Decision.automation_id == automation_id, Decision.kind == MERGE, Decision.entity == "customer")


def _undo(connection: Connection, run: Any, batch: Batch) -> bool:
    query = select(Decision.id).where(*_of_rule(run.automation_id)).order_by(Decision.id).limit(batch.size)
    ids = connection.scalars(query).all()
    batch.worked = len(ids)
    if not ids:
        _finish(connection, run)
        return True
    # Nobody said that they are not the same: switched on again, the rule merges them again.
    merges.unmerge(connection, ids, merges.By(user_id=run.user_id), remember=False)
    reach("automation.mid_batch")
    done = run.done + len(ids)
    _move(connection, run, done=done, result={"undone": done})
    return False


def _move(connection: Connection, run: Any, **columns: Any) -> None:
    moved = {"state": "running", "heartbeat_at": now()} | columns
    connection.execute(update(AutomationRun).where(AutomationRun.id == run.id).values(**moved))


def _finish(connection: Connection, run: Any) -> None:
    ended = {"state": "done", "finished_at": now(), "heartbeat_at": now()}
    connection.execute(update(AutomationRun).where(AutomationRun.id == run.id).values(**ended))


def _log(connection: Connection, run: Any) -> None:
    """Write one line of the audit log on what a pass merged, however many pairs."""
    merged = run.result.get("pairs", 0)
    if run.kind != APPLY or not merged:
        return
    rule = connection.execute(select(Automation.__table__).where(Automation.id == run.automation_id)).one()
    number = f"{merged:,} {'pair' if merged == 1 else 'pairs'} of customers"
    sources = (rule.segment_source_id, rule.billing_source_id)
    audit.record_on(connection, "automation.merged", run.user_id, sources, rule=rule.name, number=number)
