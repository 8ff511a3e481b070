"""The rows of a view in its order, from any place on, both ways: each step is a range of an index.

A view that leaves rows out is walked in its order too, past what it leaves out, since where many rows remain
the page is full at once. Where few remain that could go on for ever. So a walk is bounded, and what it did
not find is gathered by the indexes of the conditions and sorted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, String, literal, select, tuple_

from webapp.models import Source
from webapp.models.base import folded
from webapp.services.tables import expressions
from webapp.services.tables.columns import JSON
from webapp.services.tables.cursor import Cursor, Key
from webapp.services.tables.scope import Scope

STRIDE = 10_000
"""Rows that a walk looks at before it is given up."""
LONGER = 10
"""How many times as many when there are too many rows to gather."""

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


def walk(scope: Scope, cursor: Cursor | None, limit: int) -> list[tuple[int, Key]]:
    """Ids and sort keys from a cursor on. Rows without a key stand at the end, whichever way it is sorted."""
    back = cursor is not None and cursor.back
    parts = _parts(scope)
    if back:
        parts.reverse()
    first = next((n for n, part in enumerate(parts) if cursor is not None and part.holds(cursor)), 0)
    found: list[tuple[int, Key]] = []
    for number, part in enumerate(parts[first:]):
        at = cursor if cursor is not None and number == 0 and part.holds(cursor) else None
        found += _Walk(scope, part, scope.view.descending != back).rows(at, limit - len(found))
        if len(found) >= limit:
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
        yield from _stream(scope, expressions.joined(query, scope.view.table, scope.view.sort))


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
    return [_Part(..., (key.is_not(None),), (key, id)), _Part(None, (key.is_(None),), order)]


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

    def rows(self, at: Cursor | None, limit: int) -> list[tuple[int, Key]]:
        """The rows of this part from a cursor on."""
        here = None if at is None else self._place(at)
        if self._is_plain:
            return _pairs(self._along(self._query(self._behind(here)).where(self.scope.where), limit))
        if self.scope.view.sort.kind == JSON:  # no index to walk along
            return self._gathered(here, limit)
        found: list[tuple[int, Key]] = []
        for stride in (STRIDE, STRIDE * LONGER):
            bound = self._bound(here, stride)
            near = self._query(self._behind(here)).where(self.scope.hidden)
            if bound is not None:
                near = near.where(self._until(bound))
            found += _pairs(self._along(near, limit - len(found)))
            if bound is None or len(found) >= limit:
                return found
            here = bound
            if not self.scope.reaches_many:
                break
        return found + self._gathered(here, limit - len(found))

    @property
    def _is_plain(self) -> bool:
        """Whether an index gives just the rows that are asked for, so that none is passed by."""
        by_source = self.scope.view.sort.key in _BY_SOURCE
        return self.scope.whole and (self.scope.source_id is None or by_source)

    def _query(self, where: Sequence[ColumnElement[bool]]) -> Select[Any]:
        query = select(self.scope.view.table.model.id, self._shown(self.part.order).label("key"))
        query = query.where(*self.part.where, *where)
        if self.scope.view.sort.key in _BY_SOURCE:
            query = query.where(self.scope.within)
        return expressions.joined(query, self.scope.view.table, self.scope.view.sort)

    def _shown(self, keys: Sequence[ColumnElement[Any]]) -> ColumnElement[Any]:
        return keys[0] if self.part.key is ... else literal(self.part.key, String)

    def _along(self, query: Select[Any], limit: int) -> Sequence[Row[Any]]:
        order = [each.desc() if self.descending else each for each in self.part.order]
        return self.scope.connection.execute(query.order_by(*order).limit(limit)).all()

    def _bound(
        self, here: Sequence[ColumnElement[Any]] | None, stride: int
    ) -> Sequence[ColumnElement[Any]] | None:
        """The place at which the walk is given up; None when the part ends before."""
        rows = self._along(self._query(self._behind(here)).offset(stride), 1)
        return self._at(rows[0].id, rows[0].key) if rows else None

    def _gathered(self, bound: Sequence[ColumnElement[Any]] | None, limit: int) -> list[tuple[int, Key]]:
        """What is left behind a place. The offset keeps the order's index from being taken all the same."""
        order = [each.label(f"o{n}") for n, each in enumerate(self.part.order)]
        query = select(self.scope.view.table.model.id, *order).where(self.scope.gathered, *self.part.where)
        query = expressions.joined(query, self.scope.view.table, self.scope.view.sort)
        apart = query.offset(0).subquery()
        keys = [apart.c[f"o{n}"] for n in range(len(order))]
        compared = [] if bound is None else self._compared(keys, bound)
        rest = select(apart.c.id, self._shown(keys).label("key")).where(*compared).limit(limit)
        rest = rest.order_by(*[each.desc() if self.descending else each for each in keys])
        return _pairs(self.scope.connection.execute(rest).all())

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

    def _until(self, bound: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
        keys = self.part.order[-len(bound) :]
        row, place = tuple_(*keys), tuple_(*bound)
        whole = row >= place if self.descending else row <= place
        if self.scope.view.sort.key != "customer":
            return whole
        return whole & (keys[0] >= bound[0] if self.descending else keys[0] <= bound[0])

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
