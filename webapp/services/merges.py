"""The verbs of merging: two customers become one, become two again, or are said not to be the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from webapp.domain.composing import groups
from webapp.models import Contact, Customer, DataSourceCustomer, Decision, Source, now
from webapp.models.merging import APART, MERGE
from webapp.services import decisions, following
from webapp.services.composing import tellers_of
from webapp.services.composing_contacts import compose_contacts
from webapp.services.merging import settle
from webapp.services.rows import select_in


class CannotMerge(ValueError):
    """The two cannot be one, or one of them is gone; the message is for the person who asked."""


@dataclass(frozen=True, slots=True)
class By:
    """Who decides: a user, an automation, or neither for the command line and the API.

    Attributes:
        user_id: the person.
        automation_id: the rule.
        why: what matched, by name: `{"keys": ["email"]}`.
    """

    user_id: int | None = None
    automation_id: int | None = None
    why: Mapping[str, Any] = field(default_factory=dict)


def merge(connection: Connection, pairs: Sequence[tuple[str, str]], by: By) -> None:
    """Make customers one, in the caller's transaction.

    Args:
        pairs: uuids of origins, (any of the primary customer, any of the other one). What was said not to be
            the same before is the same now.
        by: who decides.

    Raises:
        CannotMerge: an origin stands behind no customer, or both behind one already.
    """
    leaders = _leaders(connection, {origin for pair in pairs for origin in pair})
    rows = []
    for one, other in pairs:
        primary, second = leaders.get(one), leaders.get(other)
        if primary is None or second is None:
            raise CannotMerge("One of these customers is no longer there. Nothing was merged.")
        if primary.customer_id == second.customer_id:
            raise CannotMerge("These are one customer already.")
        rows.append((primary, second))
    _reunite(connection, rows)
    insert_decisions(connection, "customer", MERGE, rows, by)
    settle(connection, {row.origin_uuid for pair in rows for row in pair})


def unmerge(connection: Connection, decision_ids: Iterable[int], by: By, remember: bool = True) -> int:
    """Take merges back, in the caller's transaction; both sides are as if they had never been merged.

    Args:
        decision_ids: of merges of customers.
        by: who decides.
        remember: whether the two are held apart from now on, so that no automation merges them again.

    Returns:
        How many were taken back.
    """
    query = select(Decision.__table__).where(Decision.kind == MERGE, Decision.entity == "customer")
    rows = select_in(connection, query, Decision.id, decision_ids)
    connection.execute(delete(Decision).where(Decision.id.in_([row.id for row in rows])))
    if remember:
        _hold_apart(connection, rows, by)
    settle(connection, {end for row in rows for end in (row.primary_now, row.other_now)})
    return len(rows)


def split(connection: Connection, origins: Sequence[str], by: By) -> None:
    """Take data source customers out of their customer; together they are a customer of their own.

    Args:
        origins: of one customer, not all of it.
        by: who decides.

    Raises:
        CannotMerge: nothing would be left, or there is nothing to take out.
    """
    rows = _mates(connection, origins)
    out = [row for row in rows if row.origin_uuid in set(origins)]
    rest = [row for row in rows if row.origin_uuid not in set(origins)]
    if not out or not rest:
        raise CannotMerge(
            "This would leave nothing behind: choose some of the data source customers, not all."
        )
    crossing = [
        row
        for row in decisions.about(connection, "customer", [row.origin_uuid for row in rows])
        if row.kind == MERGE
    ]
    inside = {row.origin_uuid for row in out}
    cut = [row for row in crossing if (row.primary_now in inside) != (row.other_now in inside)]
    connection.execute(delete(Decision).where(Decision.id.in_([row.id for row in cut])))
    for side in (out, rest):
        tie(connection, side, by)
    ordered = [_first(side) for side in (rest, out)]
    insert_decisions(connection, "customer", APART, [(ordered[0], ordered[1])], by)
    settle(connection, {row.origin_uuid for row in rows})


def tie(connection: Connection, rows: Sequence[Any], by: By) -> None:
    """Let data source customers stay one customer whatever connected them before is gone."""
    by_origin = {row.origin_uuid: row for row in rows}
    _, pairs = decisions.reached(connection, "customer", by_origin)
    first = _first(rows)
    loose = [group for group in groups(by_origin, pairs) if first.origin_uuid not in group]
    others = [_first([by_origin[origin] for origin in group]) for group in loose]
    insert_decisions(connection, "customer", MERGE, [(first, other) for other in others], by)


def say_not_the_same(connection: Connection, pairs: Sequence[tuple[str, str]], by: By) -> None:
    """Remember that customers are not duplicates of one another, in the caller's transaction.

    Args:
        pairs: uuids of origins of the two.
        by: who decides.
    """
    leaders = _leaders(connection, {origin for pair in pairs for origin in pair})
    rows = [(leaders[a], leaders[b]) for a, b in pairs if a in leaders and b in leaders]
    insert_decisions(connection, "customer", APART, rows, by)


def merge_contacts(connection: Connection, into: Any, other: Any, by: By) -> None:
    """Show two contacts of one customer as one, in the caller's transaction.

    Args:
        into: the row of the contact that leads.
        other: the row of the one that stands within it from now on.

    Raises:
        CannotMerge: they are of different customers, or one already.
    """
    if into.customer_id != other.customer_id:
        raise CannotMerge("Only contacts of one customer can be merged. Nothing was changed.")
    if into.id == other.id or other.within_id == into.id:
        raise CannotMerge("These are one contact already.")
    ends = [_end_of_contact(connection, row) for row in (into, other)]
    insert_decisions(connection, "contact", MERGE, [(ends[0], ends[1])], by)
    compose_contacts(connection, [into.customer_id], [into.uuid, other.uuid])
    shown = select(func.count()).where(Contact.customer_id == into.customer_id, Contact.within_id.is_(None))
    counted = update(Customer).where(Customer.id == into.customer_id)
    connection.execute(counted.values(contacts=shown.scalar_subquery()))


@dataclass(frozen=True, slots=True)
class End:
    """One side of a decision, as its row keeps it."""

    source_id: int
    origin_uuid: str
    kind: str
    customer_id: int


def insert_decisions(
    connection: Connection, entity: str, kind: str, pairs: Iterable[tuple[Any, Any]], by: By
) -> None:
    """Write decisions; each pair has rows with `source_id, origin_uuid, kind`."""
    known = list(pairs)
    if not known:
        return
    ends = [row for pair in known for row in pair if row.kind == "person"]
    keys = following.keys_of(connection, {row.origin_uuid: row.source_id for row in ends})
    moment = now()
    connection.execute(
        insert(Decision),
        [
            {
                "entity": entity,
                "kind": kind,
                **_end("primary", primary, keys),
                **_end("other", other, keys),
                "automation_id": by.automation_id,
                "user_id": by.user_id,
                "why": dict(by.why),
                "created_at": moment,
            }
            for primary, other in known
        ],
    )


def _end(name: str, row: Any, keys: Mapping[str, bytes]) -> dict[str, Any]:
    return {
        f"{name}_source_id": row.source_id,
        f"{name}_uuid": row.origin_uuid,
        f"{name}_key": keys.get(row.origin_uuid),
        f"{name}_now": row.origin_uuid,
    }


def _end_of_contact(connection: Connection, row: Any) -> End:
    kind = connection.scalar(select(Source.kind).where(Source.id == row.source_id))
    return End(row.source_id, row.uuid, "billing" if kind == "billing" else "person", row.customer_id)


def _leaders(connection: Connection, origins: Iterable[str]) -> dict[str, Any]:
    """The data source customer that leads the customer of each origin."""
    query = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id)
    stands = select_in(connection, query, DataSourceCustomer.origin_uuid, origins)
    leading = select(DataSourceCustomer.__table__).where(DataSourceCustomer.leads)
    ids = {row.customer_id for row in stands}
    by_customer = {
        row.customer_id: row for row in select_in(connection, leading, DataSourceCustomer.customer_id, ids)
    }
    return {row.origin_uuid: by_customer[row.customer_id] for row in stands}


def _mates(connection: Connection, origins: Iterable[str]) -> list[Any]:
    ids = {row.customer_id for row in _leaders(connection, origins).values()}
    if len(ids) > 1:
        raise CannotMerge("These are of several customers. Nothing was changed.")
    return select_in(connection, select(DataSourceCustomer.__table__), DataSourceCustomer.customer_id, ids)


def _first(rows: Sequence[Any]) -> Any:
    leader = tellers_of(rows)[0].uuid
    return next(row for row in rows if row.origin_uuid == leader)


def _reunite(connection: Connection, pairs: Iterable[tuple[Any, Any]]) -> None:
    """Who is merged by hand is no longer held apart, whichever of their data source customers was."""
    for primary, second in pairs:
        behind = select(DataSourceCustomer.origin_uuid, DataSourceCustomer.customer_id)
        ids = (primary.customer_id, second.customer_id)
        rows = select_in(connection, behind, DataSourceCustomer.customer_id, ids)
        sides = [[row.origin_uuid for row in rows if row.customer_id == id] for id in ids]
        connection.execute(
            delete(Decision).where(
                Decision.kind == APART,
                or_(
                    Decision.primary_now.in_(sides[0]) & Decision.other_now.in_(sides[1]),
                    Decision.primary_now.in_(sides[1]) & Decision.other_now.in_(sides[0]),
                ),
            )
        )


def _hold_apart(connection: Connection, rows: Sequence[Any], by: By) -> None:
    moment = now()
    ends = ("source_id", "uuid", "key", "now")
    columns = [f"{side}_{name}" for side in ("primary", "other") for name in ends]
    again = [
        {name: getattr(row, name) for name in columns}
        | {"entity": "customer", "kind": APART, "automation_id": None, "user_id": by.user_id}
        | {"why": {}, "created_at": moment}
        for row in rows
    ]
    if again:
        connection.execute(insert(Decision), again)
