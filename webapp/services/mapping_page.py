"""What the mapping page shows: every path that a source's calls told, how often, and where it goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from webapp.domain import wire
from webapp.domain.mapping import Rule
from webapp.domain.paths import CALLS, OF_COMPANIES, Call, call_of, fixed, split
from webapp.domain.text import clean, compact, written
from webapp.domain.tracing import Spot, trace
from webapp.models import CustomAttribute, Event, PathSighting, Source, User
from webapp.models.event import PENDING
from webapp.models.mapping import OTHERS
from webapp.services import attributes
from webapp.services import mapping as mappings

PAGE = 50
RECENT = 200
"""Latest events in which values are looked for."""
SAMPLES = 3
_LONGEST_SAMPLE = 60


@dataclass(slots=True)
class Place:
    """One place at which the values of a path end up, as shown.

    Attributes:
        spot: which.
        type: of a custom attribute, over all sources; empty for a standard one.
        hidden, ignored: whether the account hides or ignores this custom attribute.
    """

    spot: Spot
    type: str = ""
    hidden: bool = False
    ignored: bool = False


@dataclass(slots=True)
class Line:
    """One path of one type of call.

    Attributes:
        count: calls that told it; 0 when only a rule speaks of it.
        last_at: when the last of them was received, in microseconds.
        samples: values of recent calls, as text.
        holds: whether it is an object, whose values go their own ways.
        places: where it goes now.
        alone: the same for a call that names no company, where that differs; else None.
        rule: the rule that is chosen.
        author: whose rule that is.
        under: the path of an object that holds it, where the rule is about that; else empty.
        fixed: why no rule can be about it; empty when one can.
        coming: where it goes after the rebuild, where that differs; else None.
    """

    call: str
    path: str
    count: int = 0
    last_at: int | None = None
    samples: list[str] = field(default_factory=list)
    holds: bool = False
    places: list[Place] = field(default_factory=list)
    alone: list[Place] | None = None
    rule: Rule | None = None
    author: str = ""
    under: str = ""
    fixed: str = ""
    coming: list[Place] | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which paths somebody wants to see: of this type of call, with this text, only those with a rule."""

    call: str = ""
    search: str = ""
    ruled: bool = False


@dataclass(slots=True)
class Totals:
    """What was counted of a source's calls.

    Attributes:
        calls: by type.
        tracks: track calls by name, the most frequent first.
        others: tellings of paths past the limit, by type of call.
        older: whether events were read before counting began; a rebuild counts them.
    """

    calls: dict[str, int]
    tracks: list[tuple[str, int]]
    others: dict[str, int]
    older: bool


def totals(session: Session, source: Source) -> Totals:
    """How many calls of each type were counted, and of each track name."""
    query = select(PathSighting).where(
        _now(source), or_(PathSighting.path == "", PathSighting.path == OTHERS)
    )
    rows = session.scalars(query).all()
    calls = {row.call: row.count for row in rows if not row.path and not row.name}
    tracks = sorted(((row.name, row.count) for row in rows if row.name), key=lambda each: (-each[1], each[0]))
    others = {row.call: row.count for row in rows if row.path == OTHERS}
    first = min((row.first_event_id for row in rows if not row.path), default=None)
    read = (Event.source_id == source.id, Event.state != PENDING)
    older = exists().where(*read, *([Event.id < first] if first is not None else []))
    return Totals({call: calls[call] for call in CALLS if call in calls}, tracks, others, _is(session, older))


def arrived(session: Session, source: Source) -> dict[tuple[str, str], int]:
    """How many calls of Segment's ChartMogul destination told each path; empty when none came."""
    calls = ("Send Contact", "Send Customer")
    rows = session.scalars(select(PathSighting).where(_now(source), PathSighting.call.in_(calls)))
    return {(row.call, row.path): row.count for row in rows if not row.name}


def _is(session: Session, condition: Any) -> bool:
    return bool(session.scalar(select(condition)))


def lines(session: Session, source: Source, asked: Asked, page: int = 1) -> tuple[list[Line], int]:
    """One page of the paths, by call and path; the lines, and how many there are on all pages."""
    chosen = mappings.chosen(source)
    query = select(PathSighting).where(_now(source), PathSighting.path.not_in(("", OTHERS)))
    found = {(row.call, row.path): row for row in session.scalars(query)}
    rules = {(rule.call, rule.path): rule for rule in chosen.rules}
    keys = [key for key in (rules if asked.ruled else found.keys() | rules.keys()) if _wanted(key, asked)]
    order = list(CALLS)
    keys.sort(key=lambda key: (order.index(key[0]), key[1]))
    some = keys[(page - 1) * PAGE : page * PAGE]
    return _filled(session, source, [(key, found.get(key), rules.get(key)) for key in some]), len(keys)


def line(session: Session, source: Source, call: str, path: str) -> Line | None:
    """One path; None when no call told it and no rule is about it."""
    if split(call, path) is None:
        return None
    query = select(PathSighting).where(_now(source), PathSighting.call == call, PathSighting.path == path)
    row = session.scalars(query).one_or_none()
    rule = mappings.chosen(source).rule(call, path)
    if row is None and rule is None:
        return None
    return _filled(session, source, [((call, path), row, rule)])[0]


def siblings(session: Session, source: Source, call: str, path: str) -> list[tuple[str, str, int]]:
    """Paths of other calls, or elsewhere in this one, that bear the same trait: (call, path, calls)."""
    tail = _tail(call, path)
    query = select(PathSighting).where(_now(source), PathSighting.path.not_in(("", OTHERS)))
    alike = [
        (row.call, row.path, row.count)
        for row in session.scalars(query.order_by(PathSighting.call, PathSighting.path))
        if _tail(row.call, row.path) == tail and (row.call in OF_COMPANIES) == (call in OF_COMPANIES)
    ]
    return [each for each in alike if each[:2] != (call, path) and fixed(*each[:2]) is None]


def _tail(call: str, path: str) -> str:
    places = [f"{place}." for place in CALLS.get(call, ()) if place and path.startswith(f"{place}.")]
    return path.removeprefix(places[0]) if places else path


def _wanted(key: tuple[str, str], asked: Asked) -> bool:
    call, path = key
    return (not asked.call or call == asked.call) and asked.search.lower().replace(" ", "_") in path


def _now(source: Source) -> Any:
    return (PathSighting.source_id == source.id) & (PathSighting.generation == source.generation)


Row = tuple[tuple[str, str], PathSighting | None, Rule | None]


def _filled(session: Session, source: Source, rows: Sequence[Row]) -> list[Line]:
    places = _Places(session, source)
    samples = _samples(session, source, rows)
    authors = _authors(session, (rule for _, _, rule in rows if rule is not None))
    made = []
    for (call, path), row, rule in rows:
        shown, holds = samples.get((call, path), ([], False))
        made.append(
            Line(
                call=call,
                path=path,
                count=row.count if row is not None else 0,
                last_at=row.last_at if row is not None else None,
                samples=shown,
                holds=holds,
                rule=rule,
                author=authors.get(rule.by, "") if rule is not None else "",
                under=_under(places.chosen, call, path) if rule is None else "",
                fixed=fixed(call, path) or "",
            )
        )
        places.fill(made[-1])
    return made


def _under(mapping: Any, call: str, path: str) -> str:
    """The nearest object around a path that a rule is about; empty when there is none."""
    outer = path.rpartition(".")[0]
    while outer and mapping.rule(call, outer) is None:
        outer = outer.rpartition(".")[0]
    return outer


class _Places:
    """Where paths go, now and after the rebuild, with what the registry knows of custom attributes."""

    def __init__(self, session: Session, source: Source) -> None:
        # Which track calls are imported is shown elsewhere; here it is about their values.
        self.applied = mappings.applied(source).with_tracks(None)
        self.chosen = mappings.chosen(source).with_tracks(None)
        connection = session.connection()
        self.types = {entity: attributes.types(connection, entity) for entity in ("contact", "customer")}
        settings = session.scalars(select(CustomAttribute))
        self.settings = {(row.entity, row.key): row for row in settings}

    def fill(self, line: Line) -> None:
        """Say of a line where it goes."""
        now, alone = self._both(line, self.applied)
        line.places = [self._place(spot) for spot in now]
        line.alone = None if alone == now else [self._place(spot) for spot in alone]
        coming, coming_alone = self._both(line, self.chosen)
        if (coming, coming_alone) != (now, alone):
            line.coming = [self._place(spot) for spot in coming]

    def _both(self, line: Line, mapping: Any) -> tuple[list[Spot], list[Spot]]:
        named = trace(line.call, line.path, mapping)
        if line.call in OF_COMPANIES:
            return named, named
        return named, trace(line.call, line.path, mapping, company=False)

    def _place(self, spot: Spot) -> Place:
        if not spot.custom:
            return Place(spot)
        row = self.settings.get((spot.entity, spot.name))
        kind = self.types[spot.entity].get(spot.name, "")
        return Place(spot, kind, bool(row and row.hidden), bool(row and row.ignored))


def _authors(session: Session, rules: Iterable[Rule]) -> dict[int | None, str]:
    ids = {rule.by for rule in rules if rule.by is not None}
    users = session.scalars(select(User).where(User.id.in_(ids))) if ids else ()
    found: dict[int | None, str] = dict.fromkeys(ids, "somebody who has been removed")
    return found | {user.id: user.name or user.email for user in users} | {None: "the command line"}


def _samples(
    session: Session, source: Source, rows: Sequence[Row]
) -> Mapping[tuple[str, str], tuple[list[str], bool]]:
    """Values of recent calls by call and path, and whether they are objects."""
    wanted = {key for key, _, _ in rows}
    if not wanted:
        return {}
    query = select(Event.body).where(Event.source_id == source.id, Event.state != PENDING)
    recent = session.scalars(query.order_by(Event.id.desc()).limit(RECENT)).all()
    found: dict[tuple[str, str], tuple[list[str], bool]] = {}
    _look(recent, wanted, found)
    last = {row.last_event_id for key, row, _ in rows if row is not None and key not in found}
    if last:
        _look(session.scalars(query.where(Event.id.in_(last))), wanted, found)
    return found


def _look(
    bodies: Iterable[bytes],
    wanted: set[tuple[str, str]],
    found: dict[tuple[str, str], tuple[list[str], bool]],
) -> None:
    for body in bodies:
        call = _call(body)
        if call is None:
            continue
        for path, value in call.told.items():
            key = (call.type, path)
            if key not in wanted:
                continue
            shown, _ = found.setdefault(key, ([], isinstance(value, dict)))
            text = _shown(value)
            if len(shown) < SAMPLES and text not in shown and not isinstance(value, dict):
                shown.append(text)


def _call(body: bytes) -> Call | None:
    try:
        return call_of(wire.decode(body))
    except ValueError:
        return None


def _shown(value: object) -> str:
    text = written(value)
    text = clean(compact(value)) if text is None else text
    return text if len(text) <= _LONGEST_SAMPLE else f"{text[: _LONGEST_SAMPLE - 1]}…"
