"""The rows of a view in its order, from any place on, both ways: each step is a range of an index.

A view that leaves rows out is walked in its order too, past what it leaves out, where a sample says that this
soon fills the page. Where it does not, what an index of the conditions leads to is gathered and sorted. A
sample can be wrong, since what is left out may all stand in front: so a walk is bounded, and what it did not
find is gathered then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, String, case, func, literal, null, select, tuple_

from webapp.models import Source
from webapp.models.base import folded
from webapp.services.tables import expressions
from webapp.services.tables.columns import JSON
from webapp.services.tables.cursor import Cursor, Key
from webapp.services.tables.scope import GATHERED, Scope

STRIDES = (2_000, 30_000)
"""Rows that a walk looks at before it is given up: four times what the sample lets expect, within these."""
LONGEST = 100_000
"""Rows that it looks at when there are too many to gather, too."""
COUNTED = 10_000
"""Rows that are counted along when they are gathered all at once."""

# Columns for which the rows of one source have an index of their own.
_BY_SOURCE = ("name", "first_seen", "last_seen", "updated_at", "source")


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows that follow one another along one index.

    Attributes:
        key: what each of them sorts by, or `...` where each has its own.
        where: which rows.
        order: what they are ordered by.
    """

    key: Any
    where: tuple[ColumnElement[bool], ...]
    order: tuple[ColumnElement[Any], ...]

    def holds(self, cursor: Cursor) -> bool:
        return cursor.key is not None if self.key is ... else bool(cursor.key == self.key)


@dataclass(slots=True)
class Walked:
    """Rows of a view in their order.

    Attributes:
        rows: id and sort key of each.
        total: how many rows the view has, where that came along.
    """

    rows: list[tuple[int, Key]] = field(default_factory=list)
    total: int | None = None


def walk(scope: Scope, cursor: Cursor | None, limit: int) -> Walked:
    """So many rows from a cursor on. Rows without a key stand at the end, whichever way it is sorted."""
    back = cursor is not None and cursor.back
    parts = _parts(scope)
    if back:
        parts.reverse()
    first = next((n for n, part in enumerate(parts) if cursor is not None and part.holds(cursor)), 0)
    found = Walked()
    uncounted = len(parts) == 1 and (cursor is None or cursor.total is None)
    for number, part in enumerate(parts[first:]):
        at = cursor if cursor is not None and number == 0 and part.holds(cursor) else None
        here = _Walk(scope, part, scope.view.descending != back, uncounted).rows(at, limit - len(found.rows))
        found.rows += here.rows
        if len(parts) == 1:
            found.total = here.total
        if len(found.rows) >= limit:
            break
    return found


def ids_of(scope: Scope, order: Sequence[ColumnElement[Any]] | None = None) -> Iterator[int]:
    """The ids of every row of a view, in its order, without ever holding them all.

    Args:
        scope: of the view.
        order: another order than the view's.
    """
    id = scope.view.table.model.id
    if order is not None:
        yield from _stream(scope, select(id).where(scope.where).order_by(*order))
        return
    for part in _parts(scope):
        keys = [key.desc() if scope.view.descending else key for key in part.order]
        query = select(id).where(scope.where, *part.where).order_by(*keys)
        yield from _stream(scope, expressions.joined(query, scope.view.table, scope.view.sort, scope.dialect))


def _stream(scope: Scope, query: Select[Any]) -> Iterator[int]:
    options = {"stream_results": True, "yield_per": 1000}
    yield from scope.connection.execute(query, execution_options=options).scalars()


def _parts(scope: Scope) -> list[_Part]:
    view, id = scope.view, scope.view.table.model.id
    if view.sort.key == "source":
        return _sources(scope)
    key = expressions.sort_key(view.table, view.sort, scope.dialect)
    if view.sort.required:
        return [_Part(..., (), (key, id))]
    # Both follow the same index; each database sees it in its own wording only.
    order = (id,) if scope.dialect == "sqlite" else (key, id)
    some = expressions.filled(key, scope.dialect)
    return [_Part(..., (some,), (key, id)), _Part(None, (key.is_(None),), order)]


def _sources(scope: Scope) -> list[_Part]:
    """A part a source, in the order of their names, so that nothing is sorted."""
    model = scope.view.table.model
    rows = scope.connection.execute(select(Source.id, Source.name))
    named = sorted(((folded(row.name), row.id) for row in rows), reverse=scope.view.descending)
    return [_Part(str(id), (model.source_id == id,), (model.id,)) for _, id in named]


@dataclass(frozen=True, slots=True)
class _Walk:
    scope: Scope
    part: _Part
    descending: bool
    uncounted: bool

    def rows(self, at: Cursor | None, limit: int) -> Walked:
        """The rows of this part from a cursor on."""
        here = None if at is None else self._place(at)
        if self._is_plain:
            # SQLite would take an index for it, and PostgreSQL think that few rows pass what it cannot see.
            all_pass = self.scope.hidden if self.scope.dialect == "sqlite" else self.scope.where
            query = self._query(self._behind(here)).where(all_pass)
            return Walked(self._along(query, limit))
        found: list[tuple[int, Key]] = []
        for stride in self._strides(limit):
            found += self._stretch(here, stride, limit - len(found))
            if len(found) >= limit:
                return Walked(found)
            here = self._bound(here, stride)
            if here is None:
                return Walked(found)
        rest = self._gathered(here, limit - len(found))
        return Walked(found + rest.rows, None if found or here is not None else rest.total)

    def _strides(self, limit: int) -> list[int]:
        """How far to walk, and how much further then, before the rest is gathered."""
        scope, (least, most) = self.scope, STRIDES
        if scope.view.sort.kind == JSON and not scope.view.sort.indexed:  # no index to walk along
            return []
        ahead = limit / scope.share(self._is_along_source)
        if self._is_counted_sooner(4 * ahead):
            return []
        if scope.fewest <= min(max(ahead, least), GATHERED):
            return []
        stride = int(min(max(4 * ahead, least), most))
        return [stride] if scope.fewest <= GATHERED else [stride, LONGEST]

    def _is_counted_sooner(self, stride: float) -> bool:
        """Whether fewer rows are looked at for their number than a walk may pass: then that is done once."""
        scope = self.scope
        if not self.uncounted or not scope.is_looked_through or scope.sample.estimate() > COUNTED:
            return False
        return scope.fewest < stride

    @property
    def _is_plain(self) -> bool:
        """Whether an index gives just the rows that are asked for, so that none is passed by."""
        return self.scope.whole and (self.scope.source_id is None or self._is_along_source)

    @property
    def _is_along_source(self) -> bool:
        """Whether no row of another source is met on the way."""
        return self.scope.source_id is not None and self.scope.view.sort.key in _BY_SOURCE

    def _query(self, where: Sequence[ColumnElement[bool]]) -> Select[Any]:
        query = select(self.scope.view.table.model.id, self._shown(self.part.order).label("key"))
        query = query.where(*self.part.where, *where)
        if self._is_along_source:
            query = query.where(self.scope.within)
        return expressions.joined(query, self.scope.view.table, self.scope.view.sort, self.scope.dialect)

    def _shown(self, keys: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
        return keys[0] if self.part.key is ... else literal(self.part.key, String)

    def _along(self, query: Select[Any], limit: int) -> list[tuple[int, Key]]:
        return _pairs(
            self.scope.connection.execute(query.order_by(*self._ordered(self.part.order)).limit(limit))
        )

    def _ordered(self, keys: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
        return [each.desc() if self.descending else each for each in keys]

    def _stretch(
        self, here: Sequence[ColumnElement[Any]] | None, stride: int, limit: int
    ) -> list[tuple[int, Key]]:
        """Those of the next so many rows in this order that are asked for; stops as soon as it has enough."""
        passed = self._query(self._behind(here)).add_columns(
            case((self.scope.sifted, 1), else_=0).label("ok")
        )
        near = passed.order_by(*self._ordered(self.part.order)).limit(stride).subquery()
        # Rows come out in the order in which they went in, so there is nothing to sort again.
        return _pairs(
            self.scope.connection.execute(select(near.c.id, near.c.key).where(near.c.ok == 1).limit(limit))
        )

    def _bound(
        self, here: Sequence[ColumnElement[Any]] | None, stride: int
    ) -> Sequence[ColumnElement[Any]] | None:
        """The last row of such a stretch; None when the part ends with it."""
        rows = self._along(self._query(self._behind(here)).offset(stride - 1), 2)
        return self._at(*rows[0]) if len(rows) == 2 else None

    def _gathered(self, bound: Sequence[ColumnElement[Any]] | None, limit: int) -> Walked:
        """What is left behind a place. The offset keeps the order's index from being taken all the same."""
        order = [each.label(f"o{n}") for n, each in enumerate(self.part.order)]
        query = select(self.scope.view.table.model.id, *order).where(self.scope.gathered, *self.part.where)
        query = expressions.joined(query, self.scope.view.table, self.scope.view.sort)
        apart = query.offset(0).subquery()
        keys = [apart.c[f"o{n}"] for n in range(len(order))]
        compared = [] if bound is None else self._compared(keys, bound)
        few = self.scope.sample.estimate() <= COUNTED
        total = func.count().over() if few else null()
        rest = select(apart.c.id, self._shown(keys).label("key"), total.label("total")).where(*compared)
        rows = self.scope.connection.execute(rest.order_by(*self._ordered(keys)).limit(limit)).all()
        return Walked(_pairs(rows), (rows[0].total if rows else 0) if few else None)

    def _behind(self, here: Sequence[ColumnElement[Any]] | None) -> list[ColumnElement[bool]]:
        return [] if here is None else self._compared(self.part.order, here)

    def _compared(
        self, keys: Sequence[ColumnElement[Any]], here: Sequence[ColumnElement[Any]]
    ) -> list[ColumnElement[bool]]:
        row, place = tuple_(*keys[-len(here) :]), tuple_(*here)
        found = [row < place if self.descending else row > place]
        if self.scope.view.sort.key == "customer":  # the two are of two tables, and no index holds both
            found.append(keys[0] <= here[0] if self.descending else keys[0] >= here[0])
        return found

    def _place(self, cursor: Cursor) -> Sequence[ColumnElement[Any]]:
        return self._at(cursor.id, cursor.key)

    def _at(self, id: int, key: Key) -> Sequence[ColumnElement[Any]]:
        """A row's place: its key and id, or its id where all have the same key."""
        if self.part.key is not ...:
            return [literal(id)]
        type_ = None if self.scope.dialect == "sqlite" else self.part.order[0].type
        return [literal(key, type_), literal(id)]


def _pairs(rows: Iterable[Any]) -> list[tuple[int, Key]]:
    return [(row.id, row.key) for row in rows]
