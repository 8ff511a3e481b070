"""What stored events say, read by their source's mapping, and what their rows say became of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog
from sqlalchemy import Connection, bindparam, func, select

from webapp.domain import batch
from webapp.domain import mapping as mappings
from webapp.domain.batch import Readings
from webapp.domain.mapping import Mapping
from webapp.domain.outcome import outcome_of, unreadable
from webapp.domain.tally import Tally
from webapp.models import Event
from webapp.models.event import PENDING
from webapp.services import pending, sightings
from webapp.services.rows import update_by_id

log = structlog.get_logger(__name__)

_READ = (Event.source_id == bindparam("source"), Event.id > bindparam("after"), Event.state != PENDING)
_SIZES = select(Event.id, func.length(Event.body)).where(*_READ).order_by(Event.id).limit(bindparam("size"))
_PAGE = (
    select(Event.id, Event.received_at, Event.body, Event.state, Event.reason, Event.warnings)
    .where(*_READ, Event.id <= bindparam("last"))
    .order_by(Event.id)
)


def read_all(
    source_id: int, events: Iterable[Any], mapping: Mapping, tally: Tally | None = None
) -> tuple[Readings, list[dict[str, Any]]]:
    """What stored events say. One that cannot be read is a fault of ours; it stays, its neighbours go on.

    Args:
        source_id: for the log.
        events: rows with `id, body, received_at`, by id.
        mapping: of their source.
        tally: counts the paths that they tell, if given.

    Returns:
        Pairs of event id and reading, and the outcomes of those that are parked.
    """
    sent = ((event.id, event.received_at, event.body, None) for event in events)
    readings, broken = batch.read(sent, mapping, tally)
    for event_id, error in broken:
        log.error("event_parked", source_id=source_id, event_id=event_id, error=error)
    parked = [unreadable(event_id, error) for event_id, error in broken]
    return readings, parked


def write_outcomes(connection: Connection, outcomes: list[dict[str, Any]]) -> None:
    """Write what became of events that waited, with their digests.

    On PostgreSQL in the order of these, in which an archive's rows go in, too: so two who bring the same
    events never wait for each other in a circle.
    """
    if connection.dialect.name == "postgresql":
        outcomes = sorted(outcomes, key=lambda row: row["digest"] or b"")
    update_by_id(connection, Event, outcomes)


def page(connection: Connection, source_id: int, after: int, limit: int) -> list[Any]:
    """The next events of a source that have been read before, by id, with the outcomes they have.

    No more than fit into memory; one always does.
    """
    return pending.fitting(connection, _SIZES, _PAGE, {"source": source_id, "after": after}, limit)


def write_changed(
    connection: Connection, events: Iterable[Any], readings: Readings, parked: list[dict[str, Any]]
) -> None:
    """Write the outcomes that differ from those of `page`, as after an upgrade or with another mapping."""
    stored = {event.id: event for event in events}
    rows = [*parked, *(outcome_of(event_id, reading) for event_id, reading in readings)]
    update_by_id(connection, Event, [row for row in rows if _differs(stored[row["id"]], row)])


def _differs(event: Any, outcome: dict[str, Any]) -> bool:
    return any(getattr(event, name) != outcome[name] for name in ("state", "reason", "warnings"))


def outcomes_again(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Write what the mapping now applied makes of the next events: the last id, and how many there were.

    The phase of a rebuild that follows its swap; nothing is to be done when the mapping is as it was.
    """
    if mappings.same(sync.mapping, sync.previous_mapping):
        return 0, 0
    events = page(connection, source.id, sync.cursor, limit)
    readings, parked = read_all(source.id, events, mappings.of(source.applied_mapping))
    sightings.take_out_unkept(connection, source.id, source.generation, readings)
    write_changed(connection, events, readings, parked)
    return (events[-1].id if events else 0), len(events)
