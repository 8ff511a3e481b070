"""The trigram index of the search: what a text must hold to be found by it, and that it forgets.

SQLite's FTS5 keeps what was deleted in older parts of its index until these are merged. So erasing a source
ends with merging everything, in steps, since the webhook's writers wait for each of them.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from webapp.models.search import FTS

_PAGES = 10
"""Pages of the index that one step of merging writes."""
_LENGTH = 3
_MOST = 12
"""Trigrams asked for of one text; more of them leave out hardly anything more."""


def match(texts: list[str]) -> str:
    """SQLite's query for the rows that may hold all of some texts; each row has to be looked at too.

    Args:
        texts: folded, each of three letters or more.
    """
    grams: dict[str, None] = {}
    for each in texts:
        found = [each[at : at + _LENGTH] for at in range(len(each) - _LENGTH + 1)]
        # Evenly over the whole text, since its beginning may be what all have in common.
        step = max(1, -(-len(found) // _MOST))
        grams |= dict.fromkeys([*found[::step], found[-1]])
    return " AND ".join('"{}"'.format(gram.replace('"', '""')) for gram in grams)


def forget(connection: Connection) -> bool:
    """One step towards an index that holds nothing of deleted rows.

    Returns:
        Whether it is there.
    """
    if connection.dialect.name != "sqlite":
        return True  # PostgreSQL's vacuum takes them out
    return all(_merged(connection, table) for table in FTS.values())


def _merged(connection: Connection, table: str) -> bool:
    before = connection.scalar(text("SELECT total_changes()"))
    # A negative number takes all parts, however large, which leaves nothing to be kept for.
    merge = f"INSERT INTO {table}({table}, rank) VALUES ('merge', :pages)"  # noqa: S608
    connection.execute(text(merge), {"pages": -_PAGES})
    # By its manual: fewer than two changes say that nothing was left to do.
    return int(connection.scalar(text("SELECT total_changes()")) or 0) - int(before or 0) < 2
