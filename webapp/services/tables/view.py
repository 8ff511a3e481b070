"""A view of a table: search, filters, sort, columns and size, as an address bears them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from webapp.services.tables import filters
from webapp.services.tables.columns import JSON, Column, Table
from webapp.services.tables.filters import Filter

SIZES = (25, 50, 100)
LONGEST_SEARCH = 200
MOST_FILTERS = 20

Args = Mapping[str, Sequence[str]]
"""An address's arguments: every value of each name."""


@dataclass(frozen=True, slots=True)
class View:
    """What somebody wants to see of a table.

    Attributes:
        table: of which table.
        available: every column that it has, by key.
        columns: the columns that are shown.
        search: what is searched for; empty for nothing.
        filters: the conditions that a row must meet, all of them.
        sort: the column that it is sorted by.
        descending: the greatest first.
        size: rows a page.
        problems: what the address asked for and cannot be had, in sentences.
    """

    table: Table
    available: Mapping[str, Column]
    columns: tuple[Column, ...]
    sort: Column
    descending: bool
    search: str = ""
    filters: tuple[Filter, ...] = ()
    size: int = SIZES[0]
    problems: tuple[str, ...] = ()

    @property
    def order(self) -> str:
        """The sort as an address bears it."""
        return ("-" if self.descending else "") + self.sort.key

    @property
    def ordering(self) -> str:
        """The sort and the type it goes by, which a cursor must have been made for."""
        return f"{self.order} {self.sort.type}"

    @property
    def narrowed(self) -> bool:
        """Whether a search or a filter leaves rows out."""
        return bool(self.search or self.filters)

    @property
    def custom(self) -> list[str]:
        """Keys of the custom attributes that it sorts or filters by."""
        used = (self.sort, *(each.column for each in self.filters))
        return [column.name for column in used if column.kind == JSON]

    @property
    def shown(self) -> list[str]:
        """Keys of the custom attributes that are columns of it."""
        return [column.name for column in self.columns if column.kind == JSON]

    @property
    def args(self) -> dict[str, list[str]]:
        """The arguments of this view's address; what is as preset is left out."""
        args: dict[str, list[str]] = {}
        if self.search:
            args["q"] = [self.search]
        if self.filters:
            args["f"] = [each.written for each in self.filters]
        if self.order != self.table.sort:
            args["sort"] = [self.order]
        if self.columns != preset(self.available):
            args["c"] = [column.key for column in self.columns]
        if self.size != SIZES[0]:
            args["size"] = [str(self.size)]
        return args

    def sorted_by(self, column: Column) -> View:
        """This view sorted by a column; the other way round when it is sorted by it already."""
        first = column.type == "Timestamp" or column.numeric
        descending = not self.descending if column == self.sort else first
        return replace(self, sort=column, descending=descending)

    def without(self, unwanted: Filter) -> View:
        """This view without one of its filters."""
        return replace(self, filters=tuple(each for each in self.filters if each != unwanted))

    def cleared(self) -> View:
        """This view without search and filters."""
        return replace(self, search="", filters=())

    def moved(self, column: Column, by: int) -> View:
        """This view with one of its columns nearer to the front (-1) or to the end (1)."""
        others = [each for each in self.columns if each != column]
        at = max(0, min(len(others), self.columns.index(column) + by))
        return replace(self, columns=(*others[:at], column, *others[at:]))

    @property
    def choice(self) -> tuple[Column, ...]:
        """Every column: those that are shown in their order, then the others."""
        return (*self.columns, *(each for each in self.available.values() if each not in self.columns))

    def showing(self, columns: Sequence[Column]) -> View:
        """This view with other columns."""
        return replace(self, columns=tuple(columns))


def preset(available: Mapping[str, Column]) -> tuple[Column, ...]:
    """The columns shown until somebody chooses."""
    return tuple(column for column in available.values() if column.preset)


def read_view(table: Table, available: Mapping[str, Column], args: Args) -> View:
    """The view that an address asks for. Whatever it holds, there is a view; what cannot be had is said.

    Args:
        table: of which table.
        available: every column that it has, by key.
        args: `q`, `f` (`column:operator:value`, any number), `sort`, `c` (columns, any number), `size`; and
            of the form that adds a filter `field`, `operator`, `value`.
    """
    problems: list[str] = []
    sort, descending = _sort(table, available, _first(args, "sort"), problems)
    return View(
        table=table,
        available=available,
        columns=_columns(available, args.get("c", ())),
        sort=sort,
        descending=descending,
        search=" ".join(_first(args, "q").replace("\0", "").split())[:LONGEST_SEARCH],
        filters=_filters(available, args, problems),
        size=next((size for size in SIZES if str(size) == _first(args, "size")), SIZES[0]),
        problems=tuple(problems),
    )


def _first(args: Args, name: str) -> str:
    values = args.get(name) or ("",)
    return values[0]


def _columns(available: Mapping[str, Column], keys: Sequence[str]) -> tuple[Column, ...]:
    """The columns asked for, each once, in the order in which they are asked for."""
    return tuple(available[key] for key in dict.fromkeys(keys) if key in available) or preset(available)


def _sort(
    table: Table, available: Mapping[str, Column], asked: str, problems: list[str]
) -> tuple[Column, bool]:
    column = available.get(asked.removeprefix("-"))
    if column is not None:
        return column, asked.startswith("-")
    if asked:
        problems.append(f"There is no column “{asked.removeprefix('-')[:60]}” to sort by any more.")
    return available[table.sort.removeprefix("-")], table.sort.startswith("-")


def _filters(available: Mapping[str, Column], args: Args, problems: list[str]) -> tuple[Filter, ...]:
    asked = [parts(written) for written in args.get("f", ())[:MOST_FILTERS]]
    if _first(args, "field"):
        asked.append((_first(args, "field"), _first(args, "operator"), _first(args, "value")))
    found: dict[Filter, None] = {}
    for key, operator, value in asked:
        try:
            found[filters.make(available, key, operator, value)] = None
        except filters.Unreadable as problem:
            problems.append(str(problem))
    return tuple(found)


def parts(written: str) -> tuple[str, str, str]:
    """A filter as an address has it: its column, its operator, and the value."""
    key, _, rest = written.partition(":")
    operator, _, value = rest.partition(":")
    return key, operator, value
