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
    Contact,
    DataSourceCustomer,
    Decision,
    Edit,
    Event,
    Identifier,
    Note,
    PathSighting,
    Person,
    Source,
    now,
)
from webapp.models.event import PENDING
from webapp.services import comparing, keeping, progress, reading, resync, walking
from webapp.services.erasing import erase
from webapp.services.projection import fold_next

GENERATIONS = (Identifier, Person, Company, AttributeSighting, PathSighting)

# Phases that go through pages of records, each with the phase that follows.
PAGED: dict[str, tuple[Callable[..., tuple[int, int]], str]] = {
    "compare identifiers": (comparing.identifiers, "compare companies"),
    "compare companies": (comparing.companies, "compare shown identifiers"),
    "compare shown identifiers": (comparing.shown_identifiers, "compare shown companies"),
    "compare shown companies": (comparing.shown_companies, "swap"),
    resync.ATTACHED: (resync.attached, resync.UNATTACHED),
    resync.UNATTACHED: (resync.unattached, "contacts"),
    "contacts": (resync.sweep_contacts, "customers"),
    "customers": (resync.sweep_customers, "decisions"),
    "decisions": (partial(keeping.catch_up, Decision), "edits"),
    "edits": (partial(keeping.catch_up, Edit), "notes"),
    "notes": (partial(keeping.catch_up, Note), "outcomes"),
    "outcomes": (reading.outcomes_again, "erase"),
}
# Phases whose rows are too few to be part of the total.
UNCOUNTED = ("decisions", "edits", "notes")
# Phases in which it can still be taken back, and in which events are folded into both generations.
BEFORE_SWAP = (
    *("events", "compare identifiers", "compare companies"),
    *("compare shown identifiers", "compare shown companies", "swap"),
)
MADE, SHOWN, EITHER = "made", "shown", ""
"""Of which generation: the one that the rebuild makes, or the one before, which is shown until the swap."""
# What the phases go through, in their order.
GONE_THROUGH: tuple[tuple[str, tuple[Any, ...], str], ...] = (
    ("events", (Event,), EITHER),
    ("compare identifiers", (Identifier,), MADE),
    ("compare companies", (Company,), MADE),
    ("compare shown identifiers", (Identifier,), SHOWN),
    ("compare shown companies", (Company,), SHOWN),
    (resync.ATTACHED, (Company, Person), MADE),  # and in the phase that follows
    ("contacts", (Contact,), EITHER),
    ("customers", (DataSourceCustomer,), EITHER),
    ("outcomes", (Event,), EITHER),
    ("erase", (Identifier, Company, Person), SHOWN),
)


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
        return _take_back(connection, sync)
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
    if count:
        return _move(connection, sync, last, count)
    if follow == "contacts":  # those that placing has added are known now
        return _enter_corrected(connection, sync, source.generation - 1, follow)
    return _enter(connection, sync, follow)


def is_past_swap(sync: Any) -> bool:
    """Whether the tables show what it made, so that it can no longer be taken back."""
    return bool(sync.phase) and sync.phase not in (*BEFORE_SWAP, "discard")


def _begin(connection: Connection, sync: Any) -> int | None:
    if sync.state == "cancelling":
        resync.finish(connection, sync, "cancelled")
        return None
    shown = connection.scalar(select(Source.generation).where(Source.id == sync.source_id)) or 0
    return _enter_corrected(connection, sync, shown, "events")


def _fold(connection: Connection, sync: Any, source: Any, settings: Settings, limit: int) -> int:
    events = reading.page(connection, source.id, sync.cursor, limit)
    if not events:
        return _enter_corrected(connection, sync, source.generation, "compare identifiers")
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
    return _enter_corrected(connection, sync, source.generation, resync.ATTACHED)


def _take_back(connection: Connection, sync: Any) -> int:
    """Cancelled before the swap: what was made is erased, which is counted for itself."""
    shown = connection.scalar(select(Source.generation).where(Source.id == sync.source_id)) or 0
    total = sum(_count(connection, sync, model, shown + 1) for model in GENERATIONS)
    told = {"done": 0, "total": total, "result": sync.result | {"back_since": now()}}
    progress.note(connection, sync.id, **told)
    return _enter(connection, sync, "discard")


def _erase(connection: Connection, sync: Any, generation: int, limit: int, state: str) -> int | None:
    for model in GENERATIONS:
        gone, _ = erase(connection, model, limit, source_id=sync.source_id, generation=generation)
        if gone:
            return _move(connection, sync, sync.cursor, gone)
    progress.note(connection, sync.id, done=sync.total)
    resync.finish(connection, sync, state)
    return None


def _enter_corrected(connection: Connection, sync: Any, shown: int, phase: str) -> int:
    """Enter a phase from which on it can be told better how much is left."""
    left = _rows_left(connection, sync, shown, phase)
    done, total = progress.corrected(sync.done, sync.total, left)
    progress.note(connection, sync.id, done=done, total=total)
    return _enter(connection, sync, phase)


def _rows_left(connection: Connection, sync: Any, shown: int, phase: str) -> int:
    """How many rows it goes through from a phase on, as well as that can be told.

    Args:
        shown: the generation before. Until the events are folded, the one to come is thought to be as large.
        phase: one of those of `GONE_THROUGH`.
    """
    names = [name for name, *_ in GONE_THROUGH]
    made = shown if phase == "events" else shown + 1
    left = 0
    for name, models, which in GONE_THROUGH[names.index(phase) :]:
        generation = {MADE: made, SHOWN: shown}.get(which)
        rows = sum(_count(connection, sync, model, generation) for model in models)
        if name == "outcomes" and not _remaps(sync):
            rows = 0
        elif name == "events" and not _count(connection, sync, Identifier, shown):
            rows *= 2  # nothing tells by how many people they are: at most, about, by as many
        left += rows
    return left


def _count(connection: Connection, sync: Any, model: Any, generation: int | None) -> int:
    query = select(func.count()).select_from(model).where(model.source_id == sync.source_id)
    if generation is not None:
        query = query.where(model.generation == generation)
    if model is Event:
        query = query.where(Event.state != PENDING)
    return connection.scalar(query) or 0


def _enter(connection: Connection, sync: Any, phase: str) -> int:
    progress.note(connection, sync.id, phase=phase, cursor=0)
    return 0


def _move(connection: Connection, sync: Any, cursor: int, count: int) -> int:
    done = sync.done if sync.phase in UNCOUNTED else min(sync.done + count, sync.total)
    progress.note(connection, sync.id, cursor=cursor, done=done)
    return count
