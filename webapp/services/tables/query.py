"""The rows of a view: one page of them by key, how many there are, and those that came since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Integer, case, func, select

from webapp.models import Contact, Customer, DataSourceCustomer
from webapp.services import counting, visibility
from webapp.services.counting import EXACT, Count
from webapp.services.tables.columns import Table
from webapp.services.tables.cursor import Cursor, Key
from webapp.services.tables.scope import Scope
from webapp.services.tables.walking import walk

Record = dict[str, Any]
MOST_NEWS = 1000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a view.

    Attributes:
        records: the rows, in the view's order.
        previous: where the page before ends; None on the first page.
        next: where the page after begins; None on the last page.
        moment: the instant up to which this page knows the table; what is newer is news.
        total: how many rows the view has, where that is known without counting.
    """

    records: list[Record]
    previous: Cursor | None
    next: Cursor | None
    moment: int
    total: int | None = None


@dataclass(frozen=True, slots=True)
class News:
    """Rows that came or changed since a page was made; at most MOST_NEWS are counted.

    Attributes:
        new: rows that were not there before.
        changed: rows that were, and are otherwise now.
    """

    new: int
    changed: int

    @property
    def sentence(self) -> str:
        """`12 new, show`."""
        parts = [f"{number:,}{'+' if number >= MOST_NEWS else ''} {word}" for number, word in self._parts]
        return f"{' and '.join(parts)}, show"

    @property
    def _parts(self) -> list[tuple[int, str]]:
        return [(number, word) for number, word in ((self.new, "new"), (self.changed, "changed")) if number]

    def __bool__(self) -> bool:
        return bool(self.new or self.changed)


def counted(scope: Scope, page: Page | None = None) -> Count:
    """How many rows the view has.

    Exact where the page has seen all of them, or the best way leads to few enough to be looked at; otherwise
    about what a sample says.
    """
    if page is not None and page.total is not None:
        return Count(page.total)
    model, found = scope.view.table.model, scope.sample
    if scope.is_told_by_sample:
        return Count(counting.rounded(round(found.estimate())), exact=False)
    if scope.is_looked_through:
        number = counting.number(scope.connection, select(model.id).where(scope.gathered), EXACT)
        if number <= EXACT:
            return Count(number)
    least = len(page.records) + 1 if page else 0
    return counting.about(scope.connection, model, scope.sifted, least, known=found)


def page(scope: Scope, cursor: Cursor | None = None) -> Page:
    """One page of a view.

    Args:
        scope: of the view.
        cursor: where it begins or ends; None for the first page. One of another order is passed over.
    """
    view = scope.view
    if cursor is not None and cursor.sort != view.ordering:
        cursor = None
    model = view.table.model
    moment = scope.connection.execute(select(func.max(model.updated_at))).scalar() or 0
    walked = walk(scope, cursor, view.size + 1)
    more = len(walked.rows) > view.size
    found = walked.rows[: view.size]
    back = cursor is not None and cursor.back
    if back:
        found.reverse()
    before = more if back else cursor is not None
    after = True if back else more
    total = len(found) if not before and not after else walked.total
    if total is None and cursor is not None:
        total = cursor.total

    def place(row: tuple[int, Key], back: bool) -> Cursor:
        return Cursor(view.ordering, row[1], row[0], back, total)

    return Page(
        records=records(scope.connection, view.table, [id for id, _ in found]),
        previous=place(found[0], back=True) if before and found else None,
        next=place(found[-1], back=False) if after and found else None,
        moment=moment,
        total=total,
    )


def records(connection: Connection, table: Table, ids: Sequence[int]) -> list[Record]:
    """Rows by their ids, in that order, with what they show of other tables: a few queries, however many.

    Returns:
        The row's columns by name; `source`, which names all that tell of it, and `source_public_id`, of the
        first; `public_id`; of a contact also `name` and `customer` (its shown name), `customer_public_id`,
        `customer_external_id`.
    """
    rows = connection.execute(select(table.model.__table__).where(table.model.id.in_(ids))).mappings()
    known = {row["id"]: dict(row) for row in rows}
    found = [known[id] for id in ids if id in known]
    sources = visibility.names(connection)
    customers = _customers(connection, found) if table.one == "contact" else {}
    others = _other_sources(connection, table, found)
    for record in found:
        told_by = dict.fromkeys((record["source_id"], *others.get(record["id"], ())))
        names = [sources[id] for id in told_by if id in sources]
        record |= {"source": ", ".join(name for _, name in names)}
        record |= {"source_public_id": names[0][0] if names else ""}
        record["public_id"] = table.prefix + record["uuid"]
        if table.one == "contact":
            record |= customers[record["customer_id"]]
            record["name"] = " ".join(filter(None, (record["first_name"], record["last_name"]))) or None
    return found


def _other_sources(connection: Connection, table: Table, records: Sequence[Record]) -> dict[int, list[int]]:
    """Ids of the sources that tell of merged records too, by the record's id."""
    if table.one == "customer":
        ids = [record["id"] for record in records if record["composed"]]
        of: Any = DataSourceCustomer.customer_id
    else:
        ids = [record["id"] for record in records if record["own"] is not None]
        of = Contact.within_id
    query = select(of.label("of"), of.class_.source_id.label("source_id")).where(of.in_(ids))
    found: dict[int, list[int]] = {}
    for row in connection.execute(query.order_by(of, of.class_.source_id)) if ids else ():
        found.setdefault(row.of, []).append(row.source_id)
    return found


def _customers(connection: Connection, contacts: Sequence[Mapping[str, Any]]) -> dict[int, Record]:
    query = select(Customer.id, Customer.uuid, Customer.name, Customer.external_id)
    query = query.where(Customer.id.in_({contact["customer_id"] for contact in contacts}))
    return {
        row.id: {
            "customer": row.name or row.external_id,
            "customer_public_id": f"cus_{row.uuid}",
            "customer_external_id": row.external_id,
        }
        for row in connection.execute(query)
    }


def news(scope: Scope, since: int) -> News:
    """What came or changed since a page was made, among the rows that came or changed last.

    Args:
        scope: of the view.
        since: the page's `moment`.
    """
    model = scope.view.table.model
    # In order, so that the index is taken, and not a few thousand rows are looked for in the whole table.
    latest = select(model.created_at, case((scope.where, 1), else_=0).label("ok"))
    latest = latest.where(model.updated_at > since, scope.within).order_by(model.updated_at.desc())
    passed = latest.limit(counting.LOOKED_AT).subquery()
    later = select(passed.c.created_at).where(passed.c.ok == 1).limit(MOST_NEWS).subquery()
    new = func.sum((later.c.created_at > since).cast(Integer))
    total, fresh = scope.connection.execute(select(func.count(), new).select_from(later)).one()
    return News(int(fresh or 0), total - int(fresh or 0))
