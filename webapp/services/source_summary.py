"""Sources in words and numbers, for the Sources page and the head of a source's page: one query a number.

The head is asked for every five seconds by every page that is open, so no number reads a large table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, case, func, literal, select, true
from sqlalchemy.orm import Session

from webapp.models import Contact, DataSourceCustomer, Event, Person, Source, Sync, Tally, now
from webapp.models.source import MICROS_PER_HOUR
from webapp.models.sync import OPEN
from webapp.services import event_list, outcomes
from webapp.services.counting import EXACT, Count, about

KINDS = {"segment": "Segment", "billing": "Billing system"}
NONE = Count(0)
ALL = 2**53
"""More rows than there are, to have them all counted."""
_VERBS = {"resync": "Re-syncing", "rebuild": "Rebuilding", "deletion": "Deleting"}


@dataclass(frozen=True, slots=True)
class Summary:
    """One source as a row of the Sources page.

    Attributes:
        source: the row of the table `sources`.
        status: in words, such as `Re-syncing 41 %`.
        tone: how the words are coloured: `ok`, `waiting`, `working`, `paused`, `failing` or `deleting`.
        sync: the work that is open on it, if any.
        events_24h: events stored in the last 24 hours, to the hour.
        customers: customers that it stands behind.
        contacts: its contacts.
        failed: events that could not be folded and are parked.
        waiting: people who are imported once a company comes.
    """

    source: Source
    status: str
    tone: str
    sync: Sync | None = None
    events_24h: int = 0
    customers: Count = NONE
    contacts: Count = NONE
    failed: Count = NONE
    waiting: Count = NONE

    @property
    def kind(self) -> str:
        """What kind of source it is, in words."""
        return KINDS.get(self.source.kind, self.source.kind)

    @property
    def deleting(self) -> bool:
        """Whether it is on its way out, so that nothing of it is shown any more."""
        return self.source.state != "active"


def every(session: Session, most: int = EXACT) -> list[Summary]:
    """All sources by name, those being deleted last; what is more than `most` is told only about."""
    ordered = select(Source).order_by(Source.state, Source.name_key, Source.id)
    return _summaries(session, session.scalars(ordered).all(), most)


def of(session: Session, source: Source) -> Summary:
    """One source, as `every` tells it."""
    return _summaries(session, [source], EXACT)[0]


def status(source: Source, sync: Sync | None) -> tuple[str, str]:
    """What a source is doing, in words, and the tone of the words (see `Summary`)."""
    if source.state != "active":
        return _with_percent("Deleting", sync), "deleting"
    if sync is not None:
        return _with_percent(_VERBS[sync.kind], sync), "working"
    if source.pause:
        return "Paused", "paused"
    if source.kind == "billing":
        return "Ready", "ok"
    if source.failing_since is not None:
        return "Failing", "failing"
    if source.first_event_at is None:
        return "Waiting for the first event", "waiting"
    return "Receiving", "ok"


def _with_percent(verb: str, sync: Sync | None) -> str:
    return f"{verb} {sync.percent} %" if sync is not None and sync.total else verb


def _summaries(session: Session, sources: Sequence[Source], most: int) -> list[Summary]:
    active = [source for source in sources if source.state == "active"]
    syncs = _open_syncs(session, [source.id for source in sources])
    since = now() // MICROS_PER_HOUR * MICROS_PER_HOUR - 23 * MICROS_PER_HOUR
    received = select(Tally.source_id, func.sum(Tally.received - Tally.duplicates)).where(Tally.hour >= since)
    received = received.where(Tally.source_id.in_([source.id for source in active])).group_by(Tally.source_id)
    events = dict(session.execute(received).all())
    numbers = {name: _numbers(session, active, each, most) for name, each in _COUNTED.items()}
    rows = []
    for source in sources:
        sync = syncs.get(source.id)
        words, tone = status(source, sync)
        counts = {name: of_source.get(source.id, NONE) for name, of_source in numbers.items()}
        rows.append(Summary(source, words, tone, sync, int(events.get(source.id) or 0), **counts))
    return rows


@dataclass(frozen=True, slots=True)
class _Counted:
    """What is counted of a source.

    Attributes:
        model: the rows.
        among: a condition by a source, or by the columns of its table, that an index answers to.
        which: what has to hold for those; all of them unless given.
        what: rows in which it is the same are counted once.
        has: whether a source has any.
    """

    model: Any
    among: Callable[[Any], ColumnElement[bool]]
    which: ColumnElement[bool] | None = None
    what: ColumnElement[int] | None = None
    has: Callable[[Source], bool] = lambda _: True


_COUNTED = {
    # A source that stands behind a merged customer twice counts it once.
    "customers": _Counted(
        DataSourceCustomer,
        lambda source: DataSourceCustomer.source_id == source.id,
        what=DataSourceCustomer.__table__.c.customer_id,
    ),
    "contacts": _Counted(Contact, lambda source: Contact.source_id == source.id),
    "failed": _Counted(Event, event_list.parked),
    "waiting": _Counted(
        Person,
        lambda source: and_(
            Person.source_id == source.id, Person.generation == source.generation, Person.company.is_(None)
        ),
        which=outcomes.NAMED,
        has=lambda source: source.applied_policy == "company",
    ),
}


def _numbers(session: Session, sources: Sequence[Source], counted: _Counted, most: int) -> dict[int, Count]:
    """The number of each source, for which so many rows of it are looked at; a sample, where it has more."""
    by_id = {source.id: source for source in sources if counted.has(source)}
    what = literal(1) if counted.what is None else counted.what
    met: ColumnElement[Any] = what if counted.which is None else case((counted.which, what))
    few = select(met.label("met")).where(counted.among(Source)).limit(most + 1).correlate(Source).subquery()
    number = func.count(few.c.met if counted.what is None else few.c.met.distinct())
    both = (select(each).select_from(few).scalar_subquery() for each in (func.count(), number))
    rows = session.execute(select(Source.id, *both).where(Source.id.in_(by_id)))
    return {
        id: Count(number) if looked_at <= most else _about(session, by_id[id], counted, number)
        for id, looked_at, number in rows.all()
    }


def _about(session: Session, source: Source, counted: _Counted, least: int) -> Count:
    which = true() if counted.which is None else counted.which
    return about(session, counted.model, and_(counted.among(source), which), least)


def _open_syncs(session: Session, ids: list[int]) -> dict[int, Sync]:
    wanted = select(Sync).where(Sync.source_id.in_(ids), Sync.state.in_(OPEN)).order_by(Sync.id)
    return {sync.source_id: sync for sync in session.scalars(wanted)}
