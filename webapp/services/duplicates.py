"""Which customers may be the same as one: by e-mail, website domain or name, and not told apart before."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from webapp.domain.matching import KEYS, keys_of
from webapp.models import Customer
from webapp.models.search import sortable
from webapp.services import decisions, listing, tables, visibility
from webapp.services.automations import keys
from webapp.services.records import Record

KINDS = ("email", "domain", "name")
MOST = 10
"""Suggestions that are shown."""
_LOOKED_AT = 100
"""Customers that each way of finding some gives at most."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A customer that may be the same.

    Attributes:
        row: of `customers`, as the tables show it.
        why: what both have, in words.
    """

    row: tables.Record
    why: str


def suggested(connection: Connection, record: Record) -> list[Suggestion]:
    """Customers that may be the same as one; those with which it has most in common first."""
    free = keys.free_mail(connection)
    own = _keys(record.behind, free)
    ids = _candidates(connection, own) - {record.row.id}
    told_apart = decisions.apart(connection, "customer", record.sources)
    apart = {end for pair in told_apart for end in pair}
    found: dict[int, list[str]] = {}
    for id, rows in listing.behind(connection, ids).items():
        if apart.isdisjoint(row.origin_uuid for row in rows):
            theirs = _keys(rows, free)
            if common := [kind for kind in KINDS if own[kind] & theirs[kind]]:
                found[id] = common
    best = sorted(found, key=lambda id: (-len(found[id]), id))[:MOST]
    rows = tables.records(connection, tables.CUSTOMERS, best)
    return [Suggestion(row, ", ".join(KEYS[kind] for kind in found[row["id"]])) for row in rows]


def searched(connection: Connection, text: str, record: Record) -> list[tables.Record]:
    """Customers that the table's search finds, without the one that is looked for a double of."""
    return [row for row in _search(connection, text) if row["id"] != record.row.id]


def _search(connection: Connection, text: str) -> list[tables.Record]:
    columns = tables.columns_of(connection, tables.CUSTOMERS)
    view = tables.read_view(tables.CUSTOMERS, columns, {"q": [text], "size": ["25"], "sort": ["name"]})
    return tables.page(tables.scope_of(connection, view)).records


def _keys(rows: Iterable[Any], free_mail: Collection[str]) -> Mapping[str, set[str]]:
    found: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for row in rows:
        for kind, value in keys_of(row.external_id, row.told, KINDS, free_mail).items():
            found[kind].add(value)
    return found


def _candidates(connection: Connection, own: Mapping[str, set[str]]) -> set[int]:
    """Customers that an index finds; whether they have a key in common is looked at afterwards."""
    # Written as people write it, since it is the written text that the index has.
    sites = {
        f"{scheme}{www}{domain}{slash}"
        for domain in own["domain"]
        for scheme in ("", "http://", "https://")
        for www in ("", "www.")
        for slash in ("", "/")
    }
    ids = set(_equal(connection, Customer.email, own["email"]))
    ids |= set(_equal(connection, Customer.website_url, sites))
    for text in (*own["name"], *(f"@{domain}" for domain in own["domain"])):
        ids |= {row["id"] for row in _search(connection, text)}
    return ids


def _equal(connection: Connection, column: Any, texts: Collection[str]) -> list[int]:
    if not texts:
        return []
    query = select(Customer.id).where(sortable(column).in_(sorted(texts)))
    return list(connection.scalars(query.where(visibility.seen(connection, Customer)).limit(_LOOKED_AT)))
