"""Rebuild from events: the whole inbox folded again into a next generation of persons and companies.

While it folds, everybody goes on reading and filling the generation that is shown; events that are projected
meanwhile are folded into both where the rebuild has passed them. Then both are compared, so that the result
says whether they are equal or which records differ. The swap is one transaction; after it the customers and
contacts are placed again, as a re-sync does, and the generation before is erased.

It reads with the mapping that was chosen when it was asked for, which the swap makes the applied one; until
then what is shown, the outcomes of events too, follows the mapping before.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from sqlalchemy import Connection, func, select, update

from webapp.config import Settings
from webapp.domain import mapping
from webapp.domain.tally import Tally
from webapp.failpoints import reach
from webapp.models import (
    AttributeSighting,
    Company,
    Decision,
    Edit,
    Event,
    Identifier,
    Note,
    PathSighting,
    Person,
    Source,
)
from webapp.models.event import PENDING
from webapp.services import comparing, keeping, progress, reading, resync, walking
from webapp.services.erasing import erase
from webapp.services.projection import fold_next

GENERATIONS = (Identifier, Person, Company, AttributeSighting, PathSighting)

# Phases that go through pages of records, each with the phase that follows.
PAGED: dict[str, tuple[Callable[..., tuple[int, int]], str]] = {
    "compare identifiers": (comparing.identifiers, "compare companies"),
    "compare companies": (comparing.companies, "swap"),
    resync.ATTACHED: (resync.attached, resync.UNATTACHED),
    resync.UNATTACHED: (resync.unattached, "contacts"),
    "contacts": (resync.sweep_contacts, "customers"),
    "customers": (resync.sweep_customers, "decisions"),
    "decisions": (partial(keeping.catch_up, Decision), "edits"),
    "edits": (partial(keeping.catch_up, Edit), "notes"),
    "notes": (partial(keeping.catch_up, Note), "outcomes"),
    "outcomes": (reading.outcomes_again, "erase"),
}
# Phases whose rows are not part of the total that was promised.
UNCOUNTED = ("contacts", "customers", "decisions", "edits", "notes", "outcomes")
# Phases in which it can still be taken back, and in which events are folded into both generations.
BEFORE_SWAP = ("events", "compare identifiers", "compare companies", "swap")


def step(connection: Connection, sync: Any, settings: Settings, limit: int) -> int | None:
    """One step of a rebuild, in the caller's transaction, which holds the source's lock.

    Args:
        limit: rows to go through at most.

    Returns:
        How many rows it went through; None when the work is finished.
    """
    if not sync.phase:
        return _begin(connection, sync)
    if sync.state == "cancelling" and sync.phase in BEFORE_SWAP:
        return _enter(connection, sync, "discard")
    source = connection.execute(select(Source.__table__).where(Source.id == sync.source_id)).one()
    if sync.phase == "events":
        return _fold(connection, sync, source, settings, limit)
    if sync.phase == "swap":
        return _swap(connection, sync, source)
    if sync.phase == "discard":
        return _erase(connection, sync, source.generation + 1, limit, "cancelled")
    if sync.phase == "erase":
        return _erase(connection, sync, source.generation - 1, limit, "done")
    if sync.phase in resync.BEGUN_AGAIN:
        return _enter(connection, sync, resync.ATTACHED)
    if sync.phase == resync.ATTACHED and not sync.cursor:
        reach("rebuild.after_swap")
    page, follow = PAGED[walking.phase_of(sync)]
    last, count = page(connection, sync, source, limit)
    return _move(connection, sync, last, count) if count else _enter(connection, sync, follow)


def is_past_swap(sync: Any) -> bool:
    """Whether the tables show what it made, so that it can no longer be taken back."""
    return bool(sync.phase) and sync.phase not in (*BEFORE_SWAP, "discard")


def _begin(connection: Connection, sync: Any) -> int | None:
    if sync.state == "cancelling":
        resync.finish(connection, sync, "cancelled")
        return None
    progress.note(connection, sync.id, total=_count_events(connection, sync))
    return _enter(connection, sync, "events")


def _count_events(connection: Connection, sync: Any) -> int:
    query = select(func.count()).select_from(Event)
    return connection.scalar(query.where(Event.source_id == sync.source_id, Event.state != PENDING)) or 0


def _fold(connection: Connection, sync: Any, source: Any, settings: Settings, limit: int) -> int:
    events = reading.page(connection, source.id, sync.cursor, limit)
    if not events:
        total = sync.done + comparing.size(connection, source.id, source.generation + 1)
        progress.note(connection, sync.id, total=total)
        return _enter(connection, sync, "compare identifiers")
    tally = Tally()
    readings, parked = reading.read_all(source.id, events, mapping.of(sync.mapping), tally)
    fold_next(connection, source, readings, tally, settings)
    reach("rebuild.mid_batch")
    if not _remaps(sync):
        reading.write_changed(connection, events, readings, parked)
    return _move(connection, sync, events[-1].id, len(events))


def _remaps(sync: Any) -> bool:
    """Whether it applies another mapping than was applied before."""
    return not mapping.same(sync.mapping, sync.previous_mapping)


def _swap(connection: Connection, sync: Any, source: Any) -> int:
    reach("rebuild.before_swap")
    follow = source.generation + 1
    applied = {
        "generation": follow,
        "applied_policy": sync.policy,
        "applied_mapping": sync.mapping,
    }
    connection.execute(update(Source).where(Source.id == source.id).values(**applied))
    reach("rebuild.mid_swap")
    more = _count_events(connection, sync) if _remaps(sync) else 0
    for model in (Company, Person):
        query = select(func.count()).select_from(model)
        more += connection.scalar(query.where(model.source_id == source.id, model.generation == follow)) or 0
    differing = sync.result.get("differing", 0) + comparing.missing(connection, sync, source)
    told = {"total": sync.done + more, "result": sync.result | {"differing": differing}}
    progress.note(connection, sync.id, **told)
    return _enter(connection, sync, resync.ATTACHED)


def _erase(connection: Connection, sync: Any, generation: int, limit: int, state: str) -> int | None:
    for model in GENERATIONS:
        gone, _ = erase(connection, model, limit, source_id=sync.source_id, generation=generation)
        if gone:
            return gone
    resync.finish(connection, sync, state)
    return None


def _enter(connection: Connection, sync: Any, phase: str) -> int:
    progress.note(connection, sync.id, phase=phase, cursor=0)
    return 0


def _move(connection: Connection, sync: Any, cursor: int, count: int) -> int:
    uncounted = sync.phase in UNCOUNTED
    done = min(sync.done + count, sync.total) if uncounted else sync.done + count
    progress.note(connection, sync.id, cursor=cursor, done=done)
    return count
