"""Set-based reading and writing: many rows a statement, the same on SQLite and PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from itertools import accumulate, chain, islice
from operator import itemgetter
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy import (
    Connection,
    LargeBinary,
    Row,
    Select,
    Table,
    Text,
    any_,
    bindparam,
    delete,
    func,
    select,
    type_coerce,
)
from sqlalchemy.types import NULLTYPE

from webapp.database import json_dumps
from webapp.services import row_statements
from webapp.services.arrays import Packed, pack

CHUNK = 2048
"""Values that one statement looks for."""
PART = 1000
"""Rows that PostgreSQL is given to write at once."""
AT_ONCE = 64
"""Rows that SQLite is given to write at once."""
SEARCHED = "search"
"""The column that triggers of SQLite have their trigram tables follow."""
Item = TypeVar("Item")
_WANTED: Any = bindparam("wanted", type_=NULLTYPE)
_KNOWN: WeakKeyDictionary[Any, dict[tuple[Any, str], Any]] = WeakKeyDictionary()
"""Statements with what they became for columns; those that are no constants go as they came."""
_SPAN = 32  # bits of the length of a value among bytes


def chunks(values: Iterable[Any], size: int = CHUNK) -> Iterator[list[Any]]:
    """Cut a long list into lists that one statement can take."""
    iterator = iter(values)
    while chunk := list(islice(iterator, size)):
        yield chunk


def select_in(
    connection: Connection, statement: Any, column: Any, values: Iterable[Any], **given: Any
) -> list[Row[Any]]:
    """The rows of a query whose column is one of many values, in few statements.

    Args:
        statement: a constant, so that it is put together once: that takes longer than to run it.
        column: of the model.
        values: any number, in any order.
        given: the statement's own parameters.
    """
    rows: list[Row[Any]] = []
    for result in _executed(connection, statement, column, values, given):
        rows.extend(result.all())
    return rows


def _executed(
    connection: Connection, statement: Any, column: Any, values: Iterable[Any], given: Mapping[str, Any]
) -> Iterator[Any]:
    dialect = connection.dialect.name
    narrowed, told = _narrowed(statement, column, dialect), _TOLD[dialect]
    for chunk in chunks(sorted(set(values))):
        yield connection.execute(narrowed, {**told(column.type, chunk), **given})


def _narrowed(statement: Any, column: Any, dialect: str) -> Any:
    """The statement for rows whose column is one of `wanted`: one parameter, however many values."""
    known = _KNOWN.setdefault(statement, {})
    found = known.get((column, dialect))
    if found is None:
        condition = column == any_(_WANTED) if dialect == "postgresql" else column.in_(_unpacked(column))
        found = known[column, dialect] = statement.where(condition)
    return found


def _unpacked(column: Any) -> Select[Any]:
    """SQLite's way to have many values of one parameter: a JSON list; bytes lie one behind the other."""
    value = func.json_each(_WANTED).table_valued("value").c.value
    if not isinstance(column.type, LargeBinary):
        return select(value)
    begin, length = value.op(">>")(_SPAN) + 1, value.op("&")((1 << _SPAN) - 1)
    return select(func.substr(bindparam("bytes", type_=LargeBinary()), begin, length))


def _as_json(type_: Any, values: Sequence[Any]) -> dict[str, Any]:
    if not isinstance(type_, LargeBinary):
        return {"wanted": json_dumps(values)}
    ends = accumulate(map(len, values))
    spans = [(end - len(value)) << _SPAN | len(value) for value, end in zip(values, ends, strict=True)]
    return {"wanted": json_dumps(spans), "bytes": b"".join(values)}


_TOLD: dict[str, Callable[[Any, Sequence[Any]], dict[str, Any]]] = {
    "postgresql": lambda type_, values: {"wanted": pack(type_, values)},
    "sqlite": _as_json,
}


def upsert(
    connection: Connection,
    model: Any,
    rows: Iterable[dict[str, Any]],
    key: tuple[str, ...],
    keep: tuple[str, ...] = (),
    moment: str | None = None,
) -> None:
    """Insert rows, or update those whose key is there already.

    Args:
        model: the mapped class.
        rows: all with the same columns. An iterator gives them in the order of their key; they are made while
            PostgreSQL writes those before.
        key: the columns of a unique constraint.
        keep: columns that an update leaves as they are.
        moment: for a table of many indexes whose key is one column: its column that says when a row last
            became another. SQLite, which writes the index of every column set, then sets what differs only.
    """
    in_order = rows if isinstance(rows, Iterator) else sorted(rows, key=itemgetter(*key))
    if connection.dialect.name == "postgresql":
        _upsert_in_parts(connection, model, in_order, key, keep, moment)
        return
    ordered = list(in_order)
    if not ordered:
        return
    columns = tuple(ordered[0])
    if moment is not None:
        ordered = _update_changed(connection, model, ordered, key[0], (*keep, moment), moment)
    for some in parts_of(_as_tuples(model, columns, ordered) if ordered else ()):
        statement = row_statements.upsert(model, columns, key, keep, len(some))
        connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))


def parts_of(rows: Sequence[Item], few: int = 1, most: int = AT_ONCE) -> Iterator[Sequence[Item]]:
    """Rows for one statement of SQLite each, in few sizes, so that it knows the statements again.

    Args:
        few: so many go into one statement, whatever their number.
        most: rows of a statement, a power of two.

    Whenever another statement begins, FTS5 writes the trigrams it has of the last one to its index, as a part
    of its own. With a statement for each row these parts, and merging them, took longer than the row with all
    its other indexes.
    """
    begin = 0
    while left := len(rows) - begin:
        count = left if left <= few else min(most, 1 << (left.bit_length() - 1))
        yield rows[begin : begin + count]
        begin += count


def _upsert_in_parts(
    connection: Connection,
    model: Any,
    rows: Iterable[dict[str, Any]],
    key: tuple[str, ...],
    keep: tuple[str, ...],
    moment: str | None,
) -> None:
    """PostgreSQL writes a part of the rows while the next one is made and packed here."""
    parts = chunks(rows, PART)
    first = next(parts, None)
    if first is None:
        return
    columns = tuple(first[0])
    statement = row_statements.upsert_arrays(model, columns, key, keep, moment)
    packed = (_as_arrays(model, columns, part) for part in chain((first,), parts))
    for told in packed if len(first) < PART else ahead(packed):
        connection.execute(statement, told)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items, each made by a thread while what is done with the one before waits for the database."""
    with ThreadPoolExecutor(1) as aside:
        coming = aside.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = aside.submit(next, items, None)
            yield item


def _update_changed(
    connection: Connection,
    model: Any,
    rows: Sequence[dict[str, Any]],
    key: str,
    keep: tuple[str, ...],
    moment: str,
) -> list[dict[str, Any]]:
    """Update those rows that are there already, where they differ; the rows that are not there."""
    table: Table = model.__table__
    documents = row_statements.documents(model)
    compared = tuple(name for name in rows[0] if name != key and name not in keep)
    query, column = _compared(model, key, compared), table.c[key]
    known: dict[str, Sequence[Any]] = {
        row[0]: row[1:] for row in select_in(connection, query, column, [row[key] for row in rows])
    }
    new: list[dict[str, Any]] = []
    changed: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        before = known.get(row[key])
        if before is None:
            new.append(row)
            continue
        now = [_as_text(row[name]) if name in documents else row[name] for name in compared]
        differ = tuple(name for name, a, b in zip(compared, before, now, strict=True) if a != b)
        if differ:
            changed.setdefault((*differ, moment), []).append(row)
    for names, some in changed.items():
        _update_rows(connection, model, names, key, some)
    return new


@lru_cache(maxsize=64)
def _compared(model: Any, key: str, names: tuple[str, ...]) -> Select[Any]:
    """The columns of a key, and those of some names; documents as text: to Python `true` and 1 are the same,
    and they are not."""
    columns, documents = model.__table__.c, row_statements.documents(model)
    told = [type_coerce(columns[name], Text) if name in documents else columns[name] for name in names]
    return select(columns[key], *told)


def _as_text(document: Any) -> str | None:
    """A JSON column as SQLite holds it."""
    return None if document is None else json_dumps(document)


def update_by_id(connection: Connection, model: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Update rows by their `id`; all with the same columns."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        columns = tuple(rows[0])
        connection.execute(row_statements.update_arrays(model, columns), _as_arrays(model, columns, rows))
        return
    names = tuple(name for name in rows[0] if name != "id")
    _update_rows(connection, model, names, "id", rows)


def _update_rows(
    connection: Connection, model: Any, names: tuple[str, ...], key: str, rows: Sequence[dict[str, Any]]
) -> None:
    """Update rows of SQLite by a key; many at once where the search has to follow (see `parts_of`)."""
    values = _as_tuples(model, (*names, key), rows)
    if SEARCHED not in names:
        connection.exec_driver_sql(row_statements.update(model, names, key), values)
        return
    for some in parts_of(values):
        statement = row_statements.update_many(model, names, key, len(some))
        connection.exec_driver_sql(statement, tuple(chain.from_iterable(some)))


def _as_arrays(model: Any, columns: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> dict[str, Packed]:
    types = model.__table__.c
    return {name: pack(types[name].type, [row[name] for row in rows]) for name in columns}


def _as_tuples(model: Any, columns: tuple[str, ...], rows: Sequence[dict[str, Any]]) -> list[tuple[Any, ...]]:
    values = list(map(itemgetter(*columns), rows))
    for n in (n for n, name in enumerate(columns) if name in row_statements.documents(model)):
        values = [(*v[:n], _as_text(v[n]), *v[n + 1 :]) for v in values]
    return values


def delete_in(connection: Connection, model: Any, column: Any, values: Iterable[Any]) -> int:
    """Delete the rows whose column is one of many values; how many went."""
    done = _executed(connection, _delete(model), column, values, {})
    return sum(result.rowcount for result in done)


@cache
def _delete(model: Any) -> Any:
    return delete(model.__table__)
