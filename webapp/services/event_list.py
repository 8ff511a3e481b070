"""A source's inbox as a list: newest first, by outcome, type and time, by message id, user id or e-mail."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
)
from sqlalchemy.orm import Session

from webapp.domain.clock import read_time, timestamp_form
from webapp.domain.identity import anonymous_key, company_key, user_key
from webapp.models import Contact, Event, Identifier, Person, Rejection, Source, Tally, WebhookUrl
from webapp.models.event import APPLIED, IGNORED, PARKED, PENDING
from webapp.services import outcomes
from webapp.services.counting import Count, count

PAGE = 50
NEAR = 2000
"""Events that are looked at before all are."""
_COLUMNS = (
    *(Event.id, Event.state, Event.type, Event.subject, Event.company, Event.reason, Event.warnings),
    *(Event.message_id, Event.occurred_at, Event.received_at),
)
_DAY = timedelta(days=1) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody wants to see.

    Attributes:
        outcome: a key of `outcomes.KINDS`; empty for all.
        type: as told; empty for all.
        since, until: days or moments as typed; empty for any time. A day includes itself.
        search: a message id, user id, anonymous id, group id or e-mail, in full.
        problems: what was asked for and cannot be had, in sentences.
    """

    outcome: str = ""
    type: str = ""
    since: str = ""
    until: str = ""
    search: str = ""
    problems: tuple[str, ...] = ()

    @property
    def args(self) -> dict[str, str]:
        """The arguments of the address that asks for this."""
        named = (
            ("outcome", self.outcome),
            ("type", self.type),
            ("since", self.since),
            ("until", self.until),
            ("q", self.search),
        )
        return {name: value for name, value in named if value}


@dataclass(frozen=True, slots=True)
class Line:
    """One event of the list: its row, and what became of it."""

    event: Any
    outcome: outcomes.Outcome


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the list.

    Attributes:
        lines: the events, newest first.
        newer: the id behind which the newer page begins; None on the first page.
        older: the id before which the older page begins; None on the last page.
    """

    lines: list[Line]
    newer: int | None
    older: int | None


def wanted(args: Mapping[str, str]) -> Wanted:
    """Read what an address asks for; what cannot be had is said and left out."""
    texts = {
        name: args.get(name, "").replace("\0", "").strip()[:300] for name in ("type", "since", "until", "q")
    }
    asked = Wanted(args.get("outcome", ""), texts["type"], texts["since"], texts["until"], texts["q"])
    problems = []
    if asked.outcome and asked.outcome not in outcomes.KINDS:
        problems.append(f"“{asked.outcome[:60]}” is no outcome, so events of every outcome are shown.")
        asked = replace(asked, outcome="")
    for name in ("since", "until"):
        text = texts[name]
        if text and _instant(text) is None:
            problems.append(
                f"“{text[:60]}” is not a day or a moment. Write it as 2026-09-24 or 2026-09-24T13:30."
            )
            asked = replace(asked, since="" if name == "since" else asked.since)
            asked = replace(asked, until="" if name == "until" else asked.until)
    return replace(asked, problems=tuple(problems))


def parked(source: Any) -> ColumnElement[bool]:
    """Which events of a source, or of the row of `Source`, are parked; a literal leads to their index."""
    return _in_state(source, PARKED)


def pending(source: Any) -> ColumnElement[bool]:
    """Which events of a source, or of the row of `Source`, wait to be processed, said as `parked` is."""
    return _in_state(source, PENDING)


def _in_state(source: Any, state: int) -> ColumnElement[bool]:
    return and_(Event.source_id == source.id, Event.state == literal_column(str(state)))


_PLACES = {"parked": parked, "pending": pending}
"""Outcomes that have an index of their own."""


def _place(source: Source, outcome: str) -> ColumnElement[bool]:
    """Among which events of a source those of an outcome are looked for."""
    return _PLACES[outcome](source) if outcome in _PLACES else Event.source_id == source.id


def page(
    session: Session, source: Source, asked: Wanted, before: int | None = None, after: int | None = None
) -> Page:
    """One page of a source's events.

    Args:
        session: to read with.
        source: whose events.
        asked: which of them.
        before: only those older than this id.
        after: only those newer than this id, the nearest of them.
    """
    connection = session.connection()
    place = _place(source, asked.outcome)
    if after is not None or before is not None:
        place &= Event.id > after if after is not None else Event.id < before
    order = Event.id.desc() if after is None else Event.id
    conditions = _conditions(session, source, asked)
    query = select(*_COLUMNS).where(place, *conditions).order_by(order).limit(PAGE + 1)
    if conditions and not asked.search:  # no index leads to them
        rows = _filled(
            connection, query, select(Event.id).where(place).order_by(order), newer=after is not None
        )
    else:
        rows = list(connection.execute(query))
    more, rows = len(rows) > PAGE, rows[:PAGE]
    if after is not None:
        rows.reverse()
    has_newer, has_older = (more, True) if after is not None else (before is not None, more)
    became = outcomes.of(connection, source, rows)
    return Page(
        [Line(row, became[row.id]) for row in rows],
        rows[0].id if rows and has_newer else None,
        rows[-1].id if rows and has_older else None,
    )


def _filled(connection: Connection, query: Any, ids: Select[int], *, newer: bool) -> list[Any]:
    """The rows of a query, from the nearest events where these fill the page.

    PostgreSQL, asked for all, may join every event to every person for the fifty that it returns.
    """
    end = connection.scalar(ids.offset(NEAR).limit(1))
    if end is not None:
        near = list(connection.execute(query.where(Event.id <= end if newer else Event.id >= end)))
        if len(near) > PAGE:
            return near
    return list(connection.execute(query))


def newest(session: Session, source: Source) -> int:
    """The id of the last event received; 0 while there is none."""
    return session.scalar(select(func.max(Event.id)).where(Event.source_id == source.id)) or 0


def arrived(session: Session, source: Source, asked: Wanted, since: int) -> int:
    """How many events that are asked for came after an id; at most 1,000 are counted."""
    which = (_place(source, asked.outcome), *_conditions(session, source, asked))
    found = select(literal(1)).where(*which, Event.id > since).limit(1000)
    return session.scalar(select(func.count()).select_from(found.subquery())) or 0


def types(session: Session, source: Source) -> list[str]:
    """The types among the latest thousand events, for the filter."""
    latest = select(Event.type).where(Event.source_id == source.id).order_by(Event.id.desc()).limit(1000)
    found = session.scalars(select(latest.subquery().c.type).distinct())
    return sorted(each for each in found if each)


def counts(session: Session, source: Source) -> dict[str, Count]:
    """How many events came to each outcome, and `duplicates`; past ten thousand only "about"."""
    numbers = {kind: _count(session, source, kind) for kind in outcomes.KINDS}
    numbers["duplicates"] = Count(
        int(session.scalar(select(func.sum(Tally.duplicates)).where(Tally.source_id == source.id)) or 0)
    )
    return numbers


def rejections(session: Session, source: Source) -> list[Rejection]:
    """The calls that were turned away, the latest first."""
    found = select(Rejection).where(Rejection.source_id == source.id).order_by(Rejection.last_at.desc())
    return list(session.scalars(found.limit(20)))


def late_calls(session: Session, source: Source) -> int:
    """Calls to URLs that were replaced."""
    found = select(func.sum(WebhookUrl.late_calls)).where(WebhookUrl.source_id == source.id)
    return int(session.scalar(found) or 0)


def waiting(session: Session, source: Source) -> Count:
    """How many events wait to be processed."""
    return _count(session, source, "pending")


def _count(session: Session, source: Source, kind: str) -> Count:
    among = _place(source, kind)
    wanted = among if kind in _PLACES else and_(among, outcome_condition(source, kind))
    return count(session, Event, wanted, select(Event.id).where(among))


def outcome_condition(source: Source, kind: str) -> ColumnElement[bool]:
    """The condition that an event came to an outcome without a place, as `outcomes.of` tells it."""
    if kind == "ignored":
        return Event.state == IGNORED
    names_company = Event.company.is_not(None) & (
        Event.subject.is_(None) | Event.type.in_(outcomes.GROUP_TYPES)
    )
    person = (
        select(literal(1))
        .select_from(Identifier)
        .join(Person, _now(Person, source) & (Person.uuid == Identifier.person_uuid))
        .where(_now(Identifier, source), Identifier.key == Event.subject)
    )
    if kind == "waits":
        is_waiting = exists(person.where(outcomes.waiting(source)))
        return and_(Event.state == APPLIED, ~names_company, is_waiting)
    contact = (
        select(literal(1))
        .select_from(Identifier)
        .join(Contact, (Contact.source_id == source.id) & (Contact.uuid == Identifier.person_uuid))
        .where(_now(Identifier, source), Identifier.key == Event.subject)
    )
    imported = or_(names_company, exists(contact))
    if kind == "imported":
        return and_(Event.state == APPLIED, imported)
    return and_(Event.state == APPLIED, ~imported, ~exists(person.where(outcomes.waiting(source))))


def _now(model: Any, source: Source) -> ColumnElement[bool]:
    return and_(model.source_id == source.id, model.generation == source.generation)


def _conditions(session: Session, source: Source, asked: Wanted) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if asked.outcome and asked.outcome not in _PLACES:
        found.append(outcome_condition(source, asked.outcome))
    if asked.type:
        found.append(Event.type == asked.type)
    since, until = _instant(asked.since), _instant(asked.until)
    time = func.coalesce(Event.occurred_at, Event.received_at)
    if since is not None:
        found.append(time >= since)
    if until is not None:
        whole_day = _DAY if len(asked.until) == len("2026-09-24") else 1
        found.append(time < until + whole_day)
    if asked.search:
        found.append(_search(session, source, asked.search))
    return found


def _search(session: Session, source: Source, text: str) -> ColumnElement[bool]:
    """Events with this message id, of this user id, anonymous id, company, or of who has this e-mail."""
    keys = {user_key(text), anonymous_key(text)}
    if "@" in text:
        uuids = select(Identifier.person_uuid).where(
            _now(Identifier, source), Identifier.email == text.lower()
        )
        known = select(Identifier.key).where(_now(Identifier, source), Identifier.person_uuid.in_(uuids))
        keys.update(session.scalars(known.limit(1000)))
    return or_(Event.message_id == text, Event.subject.in_(keys), Event.company == company_key(text))


def _instant(text: str) -> int | None:
    return read_time(text) if timestamp_form(text.replace(" ", "T", 1)) else None
