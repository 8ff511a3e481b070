"""Draining a source: the inbox becomes persons and companies, and these customers and contacts.

One transaction a batch, begun by locking the source's row, so exactly one projector works on a source and a
killed one leaves nothing behind. What is pending is found by its state, never by `id > cursor`: events commit
in another order than their ids are given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row, Select, bindparam, func, select, update

from webapp.config import Settings
from webapp.database import CROWDED, begin, begin_work, is_away
from webapp.domain import mapping
from webapp.domain.batch import Heard, Said, Sent, hear, say
from webapp.domain.digests import digest_of
from webapp.domain.segment import Reading
from webapp.domain.tally import Tally
from webapp.failpoints import reach
from webapp.models import (
    Company,
    Contact,
    Customer,
    DataSourceCustomer,
    Identifier,
    Person,
    Source,
    Sync,
    now,
)
from webapp.models.event import APPLIED, IGNORED, PARKED
from webapp.services import locks, path_counts, pending, repeats, sightings
from webapp.services.ahead import WORTH, Ahead, Asked, is_next
from webapp.services.folding import Folded, fold_into, join
from webapp.services.growing import look_at_unseen
from webapp.services.momentum import Momentum
from webapp.services.pacing import Batch, collecting_later
from webapp.services.placing import Placing
from webapp.services.reading import read_all, write_outcomes

log = structlog.get_logger(__name__)

ALL_EVENTS = 2**62
MANY = 100  # events of a batch from which on it pays to see whether a table is new to PostgreSQL
WRITTEN = (Identifier, Person, Company, Customer, DataSourceCustomer, Contact)

# Put together once: that takes longer than to run them.
_SOURCE: Select[Any] = select(Source.__table__).where(Source.id == bindparam("source"))
_REBUILD = select(Sync.phase, Sync.cursor, Sync.mapping).where(
    Sync.source_id == bindparam("source"), Sync.kind == "rebuild", Sync.state == "running"
)


@dataclass(slots=True)
class Drained:
    """What draining did, in events."""

    applied: int = 0
    ignored: int = 0
    parked: int = 0
    duplicates: int = 0

    @property
    def total(self) -> int:
        return self.applied + self.ignored + self.parked + self.duplicates


def never() -> bool:
    """The `stop` of work that nobody stops."""
    return False


def drain(
    engine: Engine,
    source_id: int,
    *,
    settings: Settings,
    stop: Callable[[], bool] = never,
    momentum: Momentum | None = None,
) -> Drained:
    """Project everything that waits in a source's inbox. May be run twice, and at once by several.

    Args:
        stop: asked between batches; True ends the work early, with nothing half done.
        momentum: that of the slices before, for work that is done in slices; it is the caller's to end.

    Returns:
        How many events were applied, ignored and parked, and how many were duplicates.
    """
    if momentum is None:
        with Momentum() as own:
            return drain(engine, source_id, settings=settings, stop=stop, momentum=own)
    drained, pace, stopped = Drained(), momentum.take(source_id, engine.dialect.name), False
    try:
        while not (stopped := stop()):
            if drained.total and not pending.is_more(engine, source_id):
                break
            with pace.batch() as batch, collecting_later():
                if not _batch(engine, source_id, settings, batch, drained, momentum.ahead):
                    break
            pace.rest()
    finally:
        momentum.leave(source_id, pace, more=stopped)
    return drained


def _batch(
    engine: Engine, source_id: int, settings: Settings, batch: Batch, drained: Drained, ahead: Ahead
) -> int:
    """One transaction; how many events it took."""
    asked = ahead.answer(source_id)
    try:
        with begin_work(engine) as connection:
            batch.begun(connection.info.get(CROWDED, False))
            source = lock(connection, source_id)
            if source is None or source.pause:
                return 0
            reach("drain.after_claim")
            size = batch.size
            if asked is not None and not is_next(connection, source, asked, size):
                ahead.forget()
                asked = None
            if asked is None:
                events: Sequence[Any] = pending.first(connection, source_id, size)
            else:
                events = asked.events
                batch.size = len(events)
            batch.worked = len(events)
            if batch.worked >= WORTH:
                ahead.ask_behind(connection, source, events[-1].id, size)
            folded = project(connection, source, events, settings, drained, asked)
            batch.stored = folded.stored if folded is not None else 0
            if batch.worked >= MANY:
                look_at_unseen(connection, *WRITTEN)
            if events and source.failing_since is not None:
                connection.execute(update(Source).where(Source.id == source_id).values(failing_since=None))
            reach("drain.before_commit")
        reach("drain.after_commit")
        return len(events)
    except Exception as error:
        if is_away(error):
            raise
        log.warning(
            "batch_failed", source_id=source_id, error=type(error).__name__, exc_info=settings.testing
        )
    return _one_by_one(engine, source_id, settings, batch.size, drained)


def _one_by_one(engine: Engine, source_id: int, settings: Settings, size: int, drained: Drained) -> int:
    """After a batch that cannot be written: each event alone, so that one never stops its neighbours."""
    with begin(engine) as connection:
        ids = [row.id for row in pending.first(connection, source_id, min(size, 500))]
    before = _went_through(drained)
    parked = sum(_alone(engine, source_id, event_id, settings, drained) for event_id in ids)
    went_through = _went_through(drained) > before
    if parked or went_through:
        since = None if went_through else func.coalesce(Source.failing_since, now())
        with begin(engine) as connection:
            connection.execute(update(Source).where(Source.id == source_id).values(failing_since=since))
    return len(ids)


def _went_through(drained: Drained) -> int:
    return drained.total - drained.parked


def _alone(engine: Engine, source_id: int, event_id: int, settings: Settings, drained: Drained) -> bool:
    """Project one event; True when it had to be parked."""
    try:
        with begin(engine) as connection:
            source = lock(connection, source_id)
            if source is not None and not source.pause:
                events = pending.one(connection, source_id, event_id)
                project(connection, source, events, settings, drained)
        return False
    except Exception as error:
        if is_away(error):
            raise
        return _park(engine, source_id, event_id, type(error).__name__, drained)


def _park(engine: Engine, source_id: int, event_id: int, error: str, drained: Drained) -> bool:
    """Park an event that cannot be applied, unless it is a duplicate, or waits no more."""
    with begin(engine) as connection:
        if lock(connection, source_id) is None:
            return False
        events = pending.one(connection, source_id, event_id)
        digests = _digests(events)
        gone = repeats.leave_out(connection, source_id, events, digests)
        row = {"state": PARKED, "reason": f"could not be applied ({error})"}
        parked = [row | {"id": id, "digest": digests[id]} for id in digests.keys() - gone]
        write_outcomes(connection, parked)
    drained.duplicates += len(gone)
    drained.parked += len(parked)
    if parked:
        log.error("event_parked", source_id=source_id, event_id=event_id, error=error)
    return bool(parked)


def lock(connection: Connection, source_id: int) -> Row[Any] | None:
    """The source's row, locked until the transaction ends; None when it is gone or being deleted."""
    locks.lock_one(connection, source_id)
    row = connection.execute(_SOURCE, {"source": source_id}).first()
    return row if row is not None and row.state == "active" else None


def project(
    connection: Connection,
    source: Row[Any],
    events: Sequence[Row[Any]],
    settings: Settings,
    drained: Drained,
    asked: Asked | None = None,
) -> Folded | None:
    """Fold some events into a source and write what became of them, in the caller's transaction.

    Args:
        source: its row, locked (`lock`).
        events: rows of `id, received_at, body, digest`, in this order.
        drained: counts what was done.
        asked: the same events as they were read ahead, if they were.

    Returns:
        What it changed; None when no event says anything.
    """
    answer = asked.answer if asked is not None else None
    digests = answer[0].digests if answer else _digests(events)
    gone = repeats.leave_out(connection, source.id, events, digests)
    if gone:
        events = [event for event in events if event.id not in gone]
    if answer and answer[0].repeats != gone:  # what was read ahead knows lately's repeats, not all of them
        answer = None
    said = _said(connection, source, events, digests, settings, answer)
    folded = _join_and_place(connection, source, said)
    _fold_again(connection, source, events, settings)
    write_outcomes(connection, said.outcomes)
    drained.duplicates += len(gone)
    for row in said.outcomes:
        if row["state"] == APPLIED:
            drained.applied += 1
        elif row["state"] == IGNORED:
            drained.ignored += 1
        else:
            drained.parked += 1
    return folded


def _said(
    connection: Connection,
    source: Row[Any],
    events: Sequence[Row[Any]],
    digests: Mapping[int, bytes | None],
    settings: Settings,
    answer: tuple[Heard, Said] | None,
) -> Said:
    """What some events come to, without custom attributes over the limit; which were told is noted."""
    rules = mapping.of(source.applied_mapping)
    heard, said = answer or (hear(_sent(events, digests), rules), None)
    for event_id, error in heard.broken:
        log.error("event_parked", source_id=source.id, event_id=event_id, error=error)
    path_counts.note(connection, source.id, source.generation, heard.paths)
    limit = settings.max_custom_attributes
    over = sightings.note(connection, source.id, source.generation, heard.attributes, limit)
    if said is None:
        return say(heard, over)
    return said if not over else say(hear(_sent(events, digests), rules), over)


def _sent(events: Sequence[Row[Any]], digests: Mapping[int, bytes | None]) -> list[Sent]:
    return [(event.id, event.received_at, event.body, digests[event.id]) for event in events]


def _digests(events: Sequence[Row[Any]]) -> dict[int, bytes | None]:
    return {event.id: event.digest or digest_of(event.body) for event in events}


def _join_and_place(connection: Connection, source: Row[Any], said: Said) -> Folded | None:
    if not said.people and not said.companies:
        return None
    folded = join(connection, source.id, source.generation, said.people, said.companies)
    reach("drain.mid_batch")
    placing = Placing(connection, source.id, source.generation, source.applied_policy)
    placing.place(folded.people.persons, folded.companies, folded.people.gone)
    return folded


def _fold_again(
    connection: Connection, source: Row[Any], events: Sequence[Row[Any]], settings: Settings
) -> None:
    """Tell the next generation of events that a rebuild under way has gone past, read by its own mapping.

    After the generation that is shown, because the next one calls everybody what that one calls them.
    """
    passed, chosen = _rebuilt_up_to(connection, source.id)
    again = [event for event in events if event.id <= passed]
    if not again:
        return
    tally = Tally()
    readings, _ = read_all(source.id, again, mapping.of(chosen), tally)
    fold_next(connection, source, readings, tally, settings)


def fold_next(
    connection: Connection,
    source: Any,
    readings: list[tuple[int, Reading]],
    tally: Tally,
    settings: Settings,
) -> None:
    """Fold readings into the generation that a rebuild is making."""
    path_counts.note(connection, source.id, source.generation + 1, tally.seen())
    fold_into(
        connection,
        source.id,
        source.generation + 1,
        [(event_id, reading) for event_id, reading in readings if reading.reason is None],
        attribute_limit=settings.max_custom_attributes,
        rebuilding=True,
    )


def _rebuilt_up_to(connection: Connection, source_id: int) -> tuple[int, Any]:
    """The last event id that a rebuild under way has folded, and its mapping; 0 without one."""
    row = connection.execute(_REBUILD, {"source": source_id}).first()
    if row is None:
        return 0, None
    if row.phase == "events":
        return int(row.cursor), row.mapping
    over = row.phase.startswith("compare") or row.phase == "swap"
    return (ALL_EVENTS if over else 0), row.mapping
