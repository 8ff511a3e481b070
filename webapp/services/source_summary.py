"""Sources in words and numbers, for the Sources page and the head of a source's page: one query a number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Select, func, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from webapp.models import Contact, DataSourceCustomer, Event, Person, Source, Sync, Tally, now
from webapp.models.event import PARKED
from webapp.models.source import MICROS_PER_HOUR
from webapp.models.sync import OPEN

KINDS = {"segment": "Segment", "billing": "Billing system"}
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
    customers: int = 0
    contacts: int = 0
    failed: int = 0
    waiting: int = 0

    @property
    def kind(self) -> str:
        """What kind of source it is, in words."""
        return KINDS.get(self.source.kind, self.source.kind)

    @property
    def deleting(self) -> bool:
        """Whether it is on its way out, so that nothing of it is shown any more."""
        return self.source.state != "active"


def every(session: Session) -> list[Summary]:
    """All sources by name, those being deleted last."""
    return _summaries(
        session, session.scalars(select(Source).order_by(Source.state, Source.name_key, Source.id)).all()
    )


def of(session: Session, source: Source) -> Summary:
    """One source."""
    return _summaries(session, [source])[0]


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


def waits() -> ColumnElement[bool]:
    """Whether a person waits for a company; for queries that join `Person` to its `Source`."""
    return (
        (Person.generation == Source.generation)
        & (Source.applied_policy == "company")
        & Person.company.is_(None)
        & or_(Person.user_id.is_not(None), Person.email.is_not(None))
    )


def _with_percent(verb: str, sync: Sync | None) -> str:
    return f"{verb} {sync.percent} %" if sync is not None and sync.total else verb


def _summaries(session: Session, sources: Sequence[Source]) -> list[Summary]:
    shown = [source.id for source in sources if source.state == "active"]
    syncs = _open_syncs(session, [source.id for source in sources])
    since = now() // MICROS_PER_HOUR * MICROS_PER_HOUR - 23 * MICROS_PER_HOUR
    # A source that stands behind a merged customer twice counts it once.
    numbers = {
        "events_24h": _count(Tally.source_id, func.sum(Tally.received), shown).where(Tally.hour >= since),
        "customers": _count(
            DataSourceCustomer.source_id, func.count(DataSourceCustomer.customer_id.distinct()), shown
        ),
        "contacts": _count(Contact.source_id, func.count(), shown),
        "failed": _count(Event.source_id, func.count(), shown).where(Event.state == PARKED),
        "waiting": _count(Person.source_id, func.count(), shown)
        .join(Source, Source.id == Person.source_id)
        .where(waits()),
    }
    found = {name: {row[0]: row[1] for row in session.execute(query)} for name, query in numbers.items()}
    rows = []
    for source in sources:
        sync = syncs.get(source.id)
        words, tone = status(source, sync)
        counts = {name: int(of_source.get(source.id) or 0) for name, of_source in found.items()}
        rows.append(Summary(source, words, tone, sync, **counts))
    return rows


def _count(by: InstrumentedAttribute[int], what: ColumnElement[int], ids: list[int]) -> Select[int, int]:
    return select(by, what).where(by.in_(ids)).group_by(by)


def _open_syncs(session: Session, ids: list[int]) -> dict[int, Sync]:
    wanted = select(Sync).where(Sync.source_id.in_(ids), Sync.state.in_(OPEN)).order_by(Sync.id)
    return {sync.source_id: sync for sync in session.scalars(wanted)}
