"""Finding matches, set by set: which billing customers some customers of Segment could be.

A match is clear when one billing customer matches and that one matches no other customer of the same Segment
source. Everything else is ambiguous: nothing is merged, and a person is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.orm import aliased

from webapp.domain.matching import Condition, meets
from webapp.models import DataSourceCustomer
from webapp.services import decisions, visibility
from webapp.services.automations.sharing import Shared, sharing
from webapp.services.rows import select_in

_WHO = select(
    DataSourceCustomer.id,
    DataSourceCustomer.customer_id,
    DataSourceCustomer.source_id,
    DataSourceCustomer.origin_uuid,
)


class Rival(NamedTuple):
    """A customer of Segment that a billing customer could be, and the data source customer that says so."""

    customer_id: int
    rival_id: int
    source_id: int
    origin_uuid: str


@dataclass(slots=True)
class Found:
    """What was found for one customer of Segment.

    Attributes:
        row: its data source customer.
        candidates: billing customers, by id: a data source customer of each, and what matches.
        rivals: how many customers of the same source match the first of them, this one included.
    """

    row: Any
    candidates: dict[int, tuple[int, set[str]]] = field(default_factory=dict)
    rivals: int = 1

    @property
    def ambiguous(self) -> bool:
        return len(self.candidates) > 1 or self.rivals > 1

    @property
    def candidate(self) -> tuple[int, list[str]]:
        """The data source customer that leads the list, and what matches with any of them."""
        first = min(self.candidates)
        return self.candidates[first][0], sorted(set().union(*(keys for _, keys in self.candidates.values())))


def find(connection: Connection, automation: Any, ids: Iterable[int]) -> list[Found]:
    """The matches of a rule for some customers of Segment.

    Args:
        automation: its row.
        ids: of data source customers. Those of billing sources, and those that stand behind a customer
            together with a billing source, are passed over.
    """
    rows = {row.id: row for row in _eligible(connection, automation, ids)}
    found = {id: Found(row) for id, row in rows.items()}
    for shared, customer_id in _candidates(connection, automation, rows):
        _, kinds = found[shared.id].candidates.setdefault(customer_id, (shared.other_id, set()))
        kinds.add(shared.kind)
    _drop_those_apart(connection, found)
    matched = [each for each in found.values() if each.candidates]
    _count_rivals(connection, automation, matched)
    return matched


def _eligible(connection: Connection, automation: Any, ids: Iterable[int]) -> list[Any]:
    mate = aliased(DataSourceCustomer)
    billed = select(mate.id).where(mate.customer_id == DataSourceCustomer.customer_id, mate.kind == "billing")
    query = select(DataSourceCustomer.__table__).where(
        DataSourceCustomer.kind != "billing",
        visibility.seen(connection, DataSourceCustomer),
        ~billed.exists(),
    )
    if automation.segment_source_id is not None:
        query = query.where(DataSourceCustomer.source_id == automation.segment_source_id)
    conditions = [Condition(**each) for each in automation.conditions]
    rows = select_in(connection, query, DataSourceCustomer.id, ids)
    return [row for row in rows if meets(conditions, row.external_id, row.told)]


def _candidates(
    connection: Connection, automation: Any, rows: Mapping[int, Any]
) -> Iterator[tuple[Shared, int]]:
    """Who shares a value with some customers of Segment, each with the id of the billing customer."""
    shared = sharing(connection, rows, automation.keys, True, automation.billing_source_id)
    query = select(DataSourceCustomer.id, DataSourceCustomer.customer_id)
    query = query.where(visibility.seen(connection, DataSourceCustomer))
    wanted = {each.other_id for each in shared}
    customers = {
        row.id: row.customer_id for row in select_in(connection, query, DataSourceCustomer.id, wanted)
    }
    return ((each, customers[each.other_id]) for each in shared if each.other_id in customers)


def _drop_those_apart(connection: Connection, found: Mapping[int, Found]) -> None:
    """Leave out who was said not to be the same, by whichever data source customers of the two."""
    matched = [each for each in found.values() if each.candidates]
    ids = {each.row.customer_id for each in matched} | {id for each in matched for id in each.candidates}
    query = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id)
    customer = {
        row.origin_uuid: row.customer_id
        for row in select_in(connection, query, DataSourceCustomer.customer_id, ids)
    }
    apart = {
        frozenset((customer[one], customer[other]))
        for one, other in decisions.apart(connection, "customer", customer)
        if one in customer and other in customer
    }
    for each in matched if apart else ():
        for id in list(each.candidates):
            if frozenset((each.row.customer_id, id)) in apart:
                del each.candidates[id]


def _count_rivals(connection: Connection, automation: Any, matched: Sequence[Found]) -> None:
    """How many customers of the same Segment source the billing customer could be, or is already."""
    clear = [each for each in matched if len(each.candidates) == 1]
    ids = {next(iter(each.candidates)) for each in clear}
    rivals = _rivals(connection, automation, ids)
    apart = decisions.apart(connection, "customer", [row.origin_uuid for row in rivals])
    held = {origin for pair in apart for origin in pair}
    origins = _origins(connection, ids) if held else {}
    others: dict[tuple[int, int], set[int]] = {}
    for row in rivals:
        theirs = origins.get(row.customer_id, ())
        if not any((row.origin_uuid, one) in apart or (one, row.origin_uuid) in apart for one in theirs):
            others.setdefault((row.customer_id, row.source_id), set()).add(row.rival_id)
    standing = _standing(connection, ids)
    for each in clear:
        place = (next(iter(each.candidates)), each.row.source_id)
        each.rivals = len(others.get(place, set()) | {each.row.customer_id}) + (place in standing)


def _rivals(connection: Connection, automation: Any, customer_ids: Iterable[int]) -> list[Rival]:
    """Customers of Segment that share a value with some billing customers."""
    query = select(DataSourceCustomer.id, DataSourceCustomer.customer_id)
    theirs = select_in(
        connection,
        query.where(DataSourceCustomer.kind == "billing"),
        DataSourceCustomer.customer_id,
        customer_ids,
    )
    behind = {row.id: row.customer_id for row in theirs}
    shared = sharing(connection, behind, automation.keys, False)
    pairs = {(behind[each.id], each.other_id) for each in shared}
    wanted = {other_id for _, other_id in pairs}
    others = {row.id: row for row in select_in(connection, _WHO, DataSourceCustomer.id, wanted)}
    return [
        Rival(customer_id, row.customer_id, row.source_id, row.origin_uuid)
        for customer_id, other_id in sorted(pairs)
        if (row := others.get(other_id)) is not None and row.customer_id != customer_id
    ]


def _origins(connection: Connection, customer_ids: Iterable[int]) -> dict[int, list[str]]:
    query = select(DataSourceCustomer.customer_id, DataSourceCustomer.origin_uuid)
    found: dict[int, list[str]] = {}
    for row in select_in(connection, query, DataSourceCustomer.customer_id, customer_ids):
        found.setdefault(row.customer_id, []).append(row.origin_uuid)
    return found


def _standing(connection: Connection, customer_ids: Iterable[int]) -> set[tuple[int, int]]:
    """Which sources of Segment stand behind some billing customers already: pairs of customer and source."""
    query = select(DataSourceCustomer.customer_id, DataSourceCustomer.source_id)
    query = query.where(DataSourceCustomer.kind != "billing")
    rows = select_in(connection, query, DataSourceCustomer.customer_id, customer_ids)
    return {(row.customer_id, row.source_id) for row in rows}
