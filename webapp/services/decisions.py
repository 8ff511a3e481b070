"""Decisions about who is the same: written and read. `following.py` keeps them at whom they now speak of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, insert, or_, select

from webapp.models import Decision, now
from webapp.models.merging import APART, MERGE
from webapp.services import following
from webapp.services.rows import select_in

Pair = tuple[str, str]
_ENDS = ("primary", "other")
_DECIDED = select(Decision.__table__).where(
    Decision.entity == bindparam("entity"), Decision.kind == bindparam("kind")
)


@dataclass(frozen=True, slots=True)
class By:
    """Who decides: a user, an automation, or neither for the command line and the API.

    Attributes:
        user_id: the person.
        automation_id: the rule.
        why: what matched, by name: `{"keys": ["email"]}`.
    """

    user_id: int | None = None
    automation_id: int | None = None
    why: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class End:
    """One of the two records that a decision is about.

    Attributes:
        source_id: whose record it is.
        uuid: its origin when it was decided.
        key: of a person, the key of the identifier whose uuid it bears.
        now: the origin that it is part of now.
    """

    source_id: int
    uuid: str
    key: bytes | None
    now: str


def of_source(source_id: int) -> ColumnElement[bool]:
    """The condition that a decision is about a record of a source."""
    return or_(Decision.primary_source_id == source_id, Decision.other_source_id == source_id)


def ends_of(row: Any) -> tuple[End, End]:
    """Both records of a decision's row."""
    names = ("source_id", "uuid", "key", "now")
    primary, other = (End(*(getattr(row, f"{end}_{name}") for name in names)) for end in _ENDS)
    return primary, other


def ends(connection: Connection, rows: Iterable[Any]) -> dict[str, End]:
    """Records as decisions name them.

    Args:
        rows: with `source_id, origin_uuid, kind`.

    Returns:
        By origin.
    """
    known = {row.origin_uuid: row for row in rows}
    persons = {origin: row.source_id for origin, row in known.items() if row.kind == "person"}
    keys = following.keys_of(connection, persons) if persons else {}
    return {origin: End(row.source_id, origin, keys.get(origin), origin) for origin, row in known.items()}


def write(
    connection: Connection,
    entity: str,
    kind: str,
    pairs: Iterable[tuple[End, End]],
    by: By,
) -> None:
    """Write decisions, in the caller's transaction.

    Args:
        entity: `customer` or `contact`.
        kind: MERGE or APART.
        pairs: the primary and the other one.
        by: who decides.
    """
    write_each(connection, entity, kind, [(primary, other, by) for primary, other in pairs])


def write_each(
    connection: Connection,
    entity: str,
    kind: str,
    decided: Iterable[tuple[End, End, By]],
) -> None:
    """As `write`: the primary and the other one of each, and who decides it."""
    said = {"entity": entity, "kind": kind, "created_at": now()}
    rows = [
        said
        | {"automation_id": by.automation_id, "user_id": by.user_id, "why": dict(by.why)}
        | _columns("primary", primary)
        | _columns("other", other)
        for primary, other, by in decided
    ]
    if rows:
        connection.execute(insert(Decision), rows)


def around(connection: Connection, entity: str, origins: Iterable[str]) -> list[Any]:
    """The merge decisions that lead on from some origins, however far, as rows.

    Args:
        entity: `customer` or `contact`.
        origins: where to begin.
    """
    seen, fresh = set(origins), set(origins)
    found: dict[int, Any] = {}
    while fresh:
        rows = _about(connection, entity, MERGE, fresh)
        found |= {row.id: row for row in rows}
        fresh = {end for row in rows for end in (row.primary_now, row.other_now)} - seen
        seen |= fresh
    return list(found.values())


def reached(connection: Connection, entity: str, origins: Iterable[str]) -> tuple[set[str], set[Pair]]:
    """Everything that merge decisions connect with some origins, however far.

    Returns:
        All origins on the way, those given included; the decided pairs, as (primary, other).
    """
    known = set(origins)
    pairs = {(row.primary_now, row.other_now) for row in around(connection, entity, known)}
    return known.union(*pairs), pairs


def apart(connection: Connection, entity: str, origins: Iterable[str]) -> set[Pair]:
    """Pairs, with one of some origins in each, of which somebody said that they are not the same."""
    return {(row.primary_now, row.other_now) for row in _about(connection, entity, APART, origins)}


def about(connection: Connection, entity: str, origins: Iterable[str], kind: str) -> list[Any]:
    """The decisions of a kind with one of some origins at either end, as rows, the oldest first."""
    found = {row.id: row for row in _about(connection, entity, kind, origins)}
    return [found[id] for id in sorted(found)]


def _about(connection: Connection, entity: str, kind: str, origins: Iterable[str]) -> list[Any]:
    wanted = sorted(origins)
    return [
        row
        for end in (Decision.primary_now, Decision.other_now)
        for row in select_in(connection, _DECIDED, end, wanted, entity=entity, kind=kind)
    ]


def _columns(name: str, end: End) -> dict[str, Any]:
    values = {"source_id": end.source_id, "uuid": end.uuid, "key": end.key, "now": end.now}
    return {f"{name}_{column}": value for column, value in values.items()}
