"""Which rows a view is about, and by which indexes they are reached."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, column, select, table, true

from webapp.models import Customer
from webapp.models.base import folded
from webapp.models.search import FTS
from webapp.services import counting, trigrams, visibility
from webapp.services.tables import filters
from webapp.services.tables.view import View


@dataclass(frozen=True)
class Scope:
    """Which rows a view is about.

    Attributes:
        connection: to read with.
        view: what is asked for.
        source_id: of the table of one source; None for the account's.
        conditions: all that a row must meet.
        texts: what its search column must hold, of three letters or more each.
        indexed: those of the conditions that an index leads to.
        whole: whether nothing is left out but other sources' rows.
    """

    connection: Connection
    view: View
    source_id: int | None
    conditions: tuple[ColumnElement[bool], ...]
    texts: tuple[str, ...]
    indexed: tuple[ColumnElement[bool], ...]
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
        return case((self.where, 1), else_=0) == 1

    @cached_property
    def gathered(self) -> ColumnElement[bool]:
        """The condition, said so that the best index for its rows is taken, in whatever order."""
        if not self.texts or self.dialect != "sqlite":
            return self.where
        return and_(self.view.table.model.id.in_(self._matching()), self.hidden)

    @cached_property
    def candidates(self) -> Select[Any]:
        """The rows that an index leads to, among which all of this view's are."""
        if self.texts and self.dialect == "sqlite":
            return self._matching()
        return select(self.view.table.model.id).where(*self.indexed)

    @cached_property
    def reaches_many(self) -> bool:
        """Whether the indexes lead to so many rows that these are better met on the way than gathered."""
        if len(self.indexed) == 1:
            return False
        return counting.number(self.connection, self.candidates, counting.LOOKED_AT) > counting.LOOKED_AT

    def _matching(self) -> Select[Any]:
        name = FTS[self.view.table.noun]
        index = table(name, column("rowid"), column(name))
        return select(index.c.rowid).where(index.c[name].match(trigrams.match(list(self.texts))))


def scope_of(connection: Connection, view: View, source_id: int | None = None) -> Scope:
    """The rows that a view is about.

    Args:
        connection: to read with.
        view: what is asked for.
        source_id: for the table of one source.
    """
    model, dialect = view.table.model, connection.dialect.name
    seen = visibility.seen(connection, model, source_id)
    conditions, indexed = [seen], [seen]
    texts = [needle(view.search)] if view.search else []
    for each in view.filters:
        found = filters.condition(view.table, each, dialect)
        conditions.append(found)
        if filters.is_indexed(each):
            indexed.append(found)
        if (text := filters.searched(each)) is not None:
            texts.append(text)
    held = [filters.holds(model.search, text, dialect) for text in texts]
    merged = model is Customer and source_id is not None
    mixed = merged and visibility.stands_behind_others(connection, source_id or 0)
    whole = not view.narrowed and not mixed and not visibility.unseen(connection)
    return Scope(connection, view, source_id, (*conditions, *held), tuple(texts), (*indexed, *held), whole)


def needle(search: str) -> str:
    """What the search column holds where a search finds a row: a text anywhere, a short one in front."""
    return folded(search).rjust(filters.SHORTEST, "\n")
