"""Which rows a view is about, and by which indexes they are reached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf

from sqlalchemy import ColumnElement, Connection, and_, case, column, select, table, true

from webapp.models import Customer
from webapp.models.base import folded
from webapp.models.search import FTS
from webapp.services import counting, trigrams, visibility
from webapp.services.tables import expressions, filters, values
from webapp.services.tables.filters import Filter
from webapp.services.tables.view import View

GATHERED = 40_000
"""Rows that are gathered without thinking twice."""
CERTAIN = 50
"""Rows of a sample that say enough: their number is true within a fifth or so."""


@dataclass(frozen=True, slots=True)
class Way:
    """One index that leads to rows among which all of a view's are.

    Attributes:
        condition: what holds for these rows, as a row is asked.
        reached: the same, or what it is there for, said so that the index is taken.
        exact: whether it leads to no others.
        filter: for a text that some of a column's values hold: these have to be found out first.
    """

    condition: ColumnElement[bool]
    reached: ColumnElement[bool]
    exact: bool = True
    filter: Filter | None = None


@dataclass(frozen=True)
class Scope:
    """Which rows a view is about.

    Attributes:
        connection: to read with.
        view: what is asked for.
        source_id: of the table of one source; None for the account's.
        seen: what may be seen at all, of the source.
        conditions: all that a row must meet.
        ways: the indexes that lead to its rows.
        whole: whether nothing is left out but other sources' rows.
    """

    connection: Connection
    view: View
    source_id: int | None
    seen: ColumnElement[bool]
    conditions: tuple[ColumnElement[bool], ...]
    ways: tuple[Way, ...]
    whole: bool

    @property
    def dialect(self) -> str:
        return self.connection.dialect.name

    @property
    def where(self) -> ColumnElement[bool]:
        """The condition that a row must meet."""
        return and_(*self.conditions)

    @property
    def within(self) -> ColumnElement[bool]:
        """The condition that a row is of the source, for indexes that begin with it."""
        model = self.view.table.model
        return (
            true() if self.source_id is None else visibility.of_source(self.connection, model, self.source_id)
        )

    @property
    def hidden(self) -> ColumnElement[bool]:
        """The condition, said so that no index answers to it: for a query that follows another one."""
        return _hidden(self.where)

    @cached_property
    def sample(self) -> counting.Sample:
        """What a look at some rows says: how many meet all conditions, then how many each way leads to."""
        reached = [way.condition for way in self.ways]
        others = [each for each in self.conditions if not any(each is way for way in reached)]
        return counting.sample(self.connection, self.view.table.model, [*reached, and_(true(), *others)])

    @cached_property
    def sifted(self) -> ColumnElement[bool]:
        """The condition, the strictest part of it first: most rows are done with then."""
        hits = {
            id(each): self.sample.hits[n]
            for n, way in enumerate(self.ways, 1)
            for each in (way.condition, way.reached)
        }
        return and_(true(), *sorted(self.conditions, key=lambda each: hits.get(id(each), self.sample.rows)))

    @cached_property
    def passable(self) -> list[tuple[float, Way]]:
        """The ways that lead to few enough rows to be gathered, and about how many each leads to."""
        found = [(self.sample.estimate(n), way) for n, way in enumerate(self.ways, 1)]
        ready = [(number, way) for number, way in found if way.filter is None]
        for number, way in found:
            fewer = number <= GATHERED and all(number < other for other, _ in ready)
            if fewer and way.filter is not None and (by_values := self._by_values(way, way.filter)):
                ready.append((number, by_values))
        return ready

    def _by_values(self, way: Way, filter: Filter) -> Way | None:
        table, dialect = self.view.table, self.dialect
        key = expressions.sort_key(table, filter.column, dialect)
        held = values.holding(
            self.connection, table.model, key, lambda value: filters.contains(value, filter.text, dialect)
        )
        return None if held is None else Way(way.condition, key.in_(held), exact=False)

    @cached_property
    def fewest(self) -> float:
        """About how many rows the best way leads to; without any, endlessly many."""
        return min((number for number, _ in self.passable), default=inf)

    @property
    def is_told_by_sample(self) -> bool:
        """Whether the sample alone says about how many rows there are."""
        return self.sample.hits[0] >= CERTAIN and self.sample.estimate() > 2 * counting.EXACT

    @property
    def is_looked_through(self) -> bool:
        """Whether all that the best way leads to is looked at for the number of rows."""
        if self.is_told_by_sample:
            return False
        return min(self.fewest, self.sample.rows * self.sample.weight) <= counting.LOOKED_AT

    def share(self, of_source: bool) -> float:
        """About which part of the rows, of all or of the source, are this view's; never 0."""
        met, *reached = self.sample.hits
        return max(met, 0.5) / max(reached[0] if of_source else self.sample.rows, 1)

    @cached_property
    def gathered(self) -> ColumnElement[bool]:
        """The condition, said so that the best way to its rows is taken, in whatever order."""
        if not self.passable:
            return self.where
        if self.dialect == "postgresql" and self.fewest > counting.LOOKED_AT:
            return self.where  # it lays the rows of several indexes over one another
        _, best = min(self.passable, key=lambda each: each[0])
        done = (best.condition, best.reached) if best.exact else ()
        rest = [each for each in self.conditions if not any(each is known for known in done)]
        return and_(best.reached, _hidden(and_(true(), *rest)))


def scope_of(connection: Connection, view: View, source_id: int | None = None) -> Scope:
    """The rows that a view is about.

    Args:
        connection: to read with.
        view: what is asked for.
        source_id: for the table of one source.
    """
    model, dialect = view.table.model, connection.dialect.name
    seen = visibility.seen(connection, model, source_id)
    conditions, ways = [seen], [] if source_id is None else [Way(seen, seen)]
    if view.table.statuses:
        status = filters.one_of(view.table, "lead_status", view.table.statuses)
        conditions.append(status)
        ways.append(Way(status, status))
    texts = [needle(view.search)] if view.search else []
    for each in view.filters:
        found = filters.condition(view.table, each, dialect)
        conditions.append(found)
        if filters.has_values(each):
            ways.append(Way(found, found, filter=each))
        elif filters.is_indexed(each):
            reached = filters.reached(view.table, each, dialect)
            ways.append(Way(found, reached, exact=each.operator not in filters.ALONE))
        if (text := filters.searched(each)) is not None:
            texts.append(text)
    if texts:
        held = and_(*(filters.holds(model.search, text, dialect) for text in texts))
        conditions.append(held)
        ways.append(_by_trigrams(view, texts, held, dialect))
    merged = model is Customer and source_id is not None
    mixed = merged and visibility.stands_behind_others(connection, source_id or 0)
    whole = not view.narrowed and not view.table.statuses and not mixed and not visibility.unseen(connection)
    return Scope(connection, view, source_id, seen, tuple(conditions), tuple(ways), whole)


def _hidden(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return case((condition, 1), else_=0) == 1


def _by_trigrams(view: View, texts: list[str], held: ColumnElement[bool], dialect: str) -> Way:
    """The way to the rows whose search column holds some texts."""
    if dialect == "sqlite":
        return Way(held, _matching(view, texts), exact=False)
    found = [filters.words_begin(view.table.model.search, text) for text in texts]
    short = [each for each in found if each is not None]
    return Way(and_(*short) if short else held, held)


def _matching(view: View, texts: list[str]) -> ColumnElement[bool]:
    """The rows that SQLite's trigrams lead to."""
    name = FTS[view.table.model.__tablename__]
    index = table(name, column("rowid"), column(name))
    found = select(index.c.rowid).where(index.c[name].match(trigrams.match(texts)))
    among: ColumnElement[bool] = view.table.model.id.in_(found)
    return among


def needle(search: str) -> str:
    """What the search column holds where a search finds a row: a text anywhere, a short one in front."""
    return folded(search).rjust(filters.SHORTEST, "\n")
