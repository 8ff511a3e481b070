"""Rows that somebody chose in a table: some by their ids, or all that a view has."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from webapp.services.tables.scope import Scope

MOST = 10_000
"""Rows that are changed at once; more would keep others waiting."""
_STEP = 500


class TooMany(Exception):
    """More rows than can be changed at once."""


def chosen(scope: Scope, public_ids: Iterable[str]) -> list[int]:
    """The ids of rows by their public ids, as far as the view's table shows them; in order, each once.

    Args:
        scope: of the view; its search and filters do not matter, since who chose a row saw it.
        public_ids: `cus_...` or `con_...`; anything else is passed over.

    Raises:
        TooMany: there are more than MOST.
    """
    table = scope.view.table
    uuids = sorted({id.removeprefix(table.prefix) for id in public_ids if id.startswith(table.prefix)})
    if len(uuids) > MOST:
        raise TooMany
    found: list[int] = []
    for at in range(0, len(uuids), _STEP):
        wanted = table.model.uuid.in_(uuids[at : at + _STEP])
        found += scope.connection.scalars(select(table.model.id).where(wanted, scope.seen))
    return sorted(found)


def all_of(scope: Scope) -> list[int]:
    """The ids of every row of a view, in order.

    Raises:
        TooMany: there are more than MOST.
    """
    id = scope.view.table.model.id
    found = list(scope.connection.scalars(select(id).where(scope.gathered).limit(MOST + 1)))
    if len(found) > MOST:
        raise TooMany
    return sorted(found)
