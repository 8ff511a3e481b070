"""The verbs of merging: two customers become one, become two again, or are said not to be the same.

All work in the caller's transaction, which holds the locks of all sources involved.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, case, or_, select

from webapp.domain.composing import groups
from webapp.models import Contact, DataSourceCustomer, Decision, Source
from webapp.models.merging import APART, MERGE
from webapp.services import decisions
from webapp.services.billing.subscriptions import part_connections
from webapp.services.composing import behind_customers, tellers_of
from webapp.services.composing_contacts import compose_contacts
from webapp.services.decisions import By as By
from webapp.services.decisions import End
from webapp.services.merging import settle
from webapp.services.rows import delete_in, select_in
from webapp.services.standing import customer_ids


class CannotMerge(ValueError):
    """The two cannot be one, or one of them is gone; the message is for the person who asked."""


def merge(connection: Connection, pairs: Sequence[tuple[str, str]], by: By) -> None:
    """Make customers one; what was said not to be the same before is the same now.

    Args:
        pairs: uuids of origins, (any of the primary customer, any of the other one), as if one after another.
        by: who decides.

    Raises:
        CannotMerge: an origin stands behind no customer, or both behind one already.
    """
    merge_each(connection, dict.fromkeys(pairs, by))


def merge_each(connection: Connection, pairs: Mapping[tuple[str, str], By]) -> None:
    """As `merge`, each pair with who decides it.

    Args:
        pairs: uuids of origins, (any of the primary customer, any of the other one), as if one after another.
    """
    leaders = _leaders(connection, {origin for pair in pairs for origin in pair})
    rows, together = _chosen(leaders, pairs)
    ends = decisions.ends(connection, leaders.values())
    decided = [(ends[one.origin_uuid], ends[other.origin_uuid], by) for one, other, by in rows]
    decisions.write_each(connection, "customer", MERGE, decided)
    _reunite(connection, together)
    settle(connection, {row.origin_uuid for one, other, _ in rows for row in (one, other)})


def _chosen(
    leaders: dict[str, Any], pairs: Mapping[tuple[str, str], By]
) -> tuple[list[tuple[Any, Any, By]], dict[int, int]]:
    """Which data source customers decisions are to name, and whom each customer goes to.

    Returns:
        Rows of the primary and the other one, and who decides; by the id of a customer that of the one which
        leads it then.
    """
    goes_to: dict[int, int] = {}
    leading = {row.customer_id: row for row in leaders.values()}

    def head(customer_id: int) -> int:
        while customer_id in goes_to:
            customer_id = goes_to[customer_id]
        return customer_id

    rows = []
    for (one, other), by in pairs.items():
        if one not in leaders or other not in leaders:
            raise CannotMerge("One of these customers is no longer there. Nothing was merged.")
        if leaders[one].customer_id == leaders[other].customer_id:
            raise CannotMerge("These are one customer already.")
        primary, second = head(leaders[one].customer_id), head(leaders[other].customer_id)
        if primary != second:  # else an earlier pair has brought them together
            rows.append((leading[primary], leading[second], by))
            goes_to[second] = primary
    return rows, {id: head(id) for id in leading}


def unmerge(connection: Connection, decision_ids: Iterable[int], by: By, remember: bool = True) -> int:
    """Take merges back; both sides are as if they had never been merged.

    Args:
        decision_ids: of merges of customers.
        by: who decides.
        remember: whether the two are held apart from now on, so that no automation merges them again.

    Returns:
        How many were taken back.
    """
    query = select(Decision.__table__).where(Decision.kind == MERGE, Decision.entity == "customer")
    rows = select_in(connection, query, Decision.id, decision_ids)
    ends = {end for row in rows for end in (row.primary_now, row.other_now)}
    together = behind_customers(connection, customer_ids(connection, ends).values())
    delete_in(connection, Decision, Decision.id, [row.id for row in rows])
    if remember:
        decisions.write(connection, "customer", APART, [decisions.ends_of(row) for row in rows], by)
    settle(connection, ends)
    part_connections(connection, [row.origin_uuid for behind in together.values() for row in behind])
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
    inside = set(origins)
    out = [row for row in rows if row.origin_uuid in inside]
    rest = [row for row in rows if row.origin_uuid not in inside]
    if not out or not rest:
        raise CannotMerge(
            "This would leave nothing behind: choose some of the data source customers, not all."
        )
    decided = decisions.around(connection, "customer", [row.origin_uuid for row in rows])
    cut = [row.id for row in decided if (row.primary_now in inside) != (row.other_now in inside)]
    delete_in(connection, Decision, Decision.id, cut)
    ends = decisions.ends(connection, rows)
    for side in (out, rest):
        _tie(connection, side, ends, by)
    apart = [(ends[_first(rest).origin_uuid], ends[_first(out).origin_uuid])]
    decisions.write(connection, "customer", APART, apart, by)
    settle(connection, ends)
    part_connections(connection, ends)


def _tie(connection: Connection, rows: Sequence[Any], ends: dict[str, End], by: By) -> None:
    """Let data source customers stay one customer whatever connected them before is gone."""
    by_origin = {row.origin_uuid: row for row in rows}
    _, pairs = decisions.reached(connection, "customer", by_origin)
    first = _first(rows).origin_uuid
    loose = [group for group in groups(by_origin, pairs) if first not in group]
    others = sorted(_first([by_origin[origin] for origin in group]).origin_uuid for group in loose)
    decisions.write(connection, "customer", MERGE, [(ends[first], ends[other]) for other in others], by)


def say_not_the_same(connection: Connection, pairs: Sequence[tuple[str, str]], by: By) -> None:
    """Remember that customers are not duplicates of one another.

    Args:
        pairs: uuids of origins of the two; those that stand behind no customer are passed over.
        by: who decides.
    """
    leaders = _leaders(connection, {origin for pair in pairs for origin in pair})
    ends = decisions.ends(connection, leaders.values())
    there = [
        (leaders[one].origin_uuid, leaders[other].origin_uuid)
        for one, other in pairs
        if {one, other} <= leaders.keys()
    ]
    said = {frozenset(pair) for pair in decisions.apart(connection, "customer", ends)}
    fresh = {frozenset(pair): pair for pair in there if frozenset(pair) not in said and pair[0] != pair[1]}
    apart = [(ends[one], ends[other]) for one, other in fresh.values()]
    decisions.write(connection, "customer", APART, apart, by)


def merge_contacts(connection: Connection, into: Any, other: Any, by: By) -> None:
    """Show two contacts of one customer as one.

    Args:
        into: the row of the contact that leads.
        other: the row of the one that stands within it from now on.

    Raises:
        CannotMerge: they are of different customers, or one already.
    """
    if into.customer_id != other.customer_id:
        raise CannotMerge("Only contacts of one customer can be merged. Nothing was changed.")
    if _shown_by(into) == _shown_by(other):
        raise CannotMerge("These are one contact already.")
    ends = _contact_ends(connection, [into, other])
    _forget_apart(connection, ends)
    pair = (ends[into.uuid], ends[other.uuid])
    decisions.write(connection, "contact", MERGE, [pair], by)
    compose_contacts(connection, [into.customer_id], ends)


def split_contact(connection: Connection, row: Any, by: By) -> None:
    """Take a contact out of the one that it is shown with; it is not joined with any of them by itself again.

    Args:
        row: of the contact.
        by: who decides.

    Raises:
        CannotMerge: it stands alone.
    """
    head = _shown_by(row)
    together = select(Contact.__table__).where(or_(Contact.id == head, Contact.within_id == head))
    rows = connection.execute(together).all()
    others = [each for each in rows if each.id != row.id]
    if not others:
        raise CannotMerge("This contact is shown alone already. Nothing was changed.")
    ends = _contact_ends(connection, rows)
    decided = decisions.about(connection, "contact", [row.uuid], MERGE)
    delete_in(connection, Decision, Decision.id, [each.id for each in decided])
    apart = [(ends[each.uuid], ends[row.uuid]) for each in others]
    decisions.write(connection, "contact", APART, apart, by)
    compose_contacts(connection, [row.customer_id], ends)


def _shown_by(contact: Any) -> int:
    return int(contact.id if contact.within_id is None else contact.within_id)


def _contact_ends(connection: Connection, rows: Sequence[Any]) -> dict[str, End]:
    kind = case((Source.kind == "billing", "billing"), else_="person").label("kind")
    query = select(Contact.source_id, Contact.uuid.label("origin_uuid"), kind)
    query = query.join(Source, Source.id == Contact.source_id)
    return decisions.ends(connection, select_in(connection, query, Contact.uuid, [row.uuid for row in rows]))


def _forget_apart(connection: Connection, uuids: Iterable[str]) -> None:
    known = set(uuids)
    rows = decisions.about(connection, "contact", known, APART)
    gone = [row.id for row in rows if {row.primary_now, row.other_now} <= known]
    delete_in(connection, Decision, Decision.id, gone)


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
    behind = behind_customers(connection, {row.customer_id for row in _leaders(connection, origins).values()})
    if len(behind) > 1:
        raise CannotMerge("These are of several customers. Nothing was changed.")
    return [row for rows in behind.values() for row in rows]


def _first(rows: Sequence[Any]) -> Any:
    leader = tellers_of(rows)[0].uuid
    return next(row for row in rows if row.origin_uuid == leader)


def _reunite(connection: Connection, goes_to: dict[int, int]) -> None:
    """Who is merged is no longer held apart, whichever of their data source customers was."""
    behind = behind_customers(connection, goes_to)
    merged = {row.origin_uuid: goes_to[id] for id, rows in behind.items() for row in rows}
    rows = decisions.about(connection, "customer", merged, APART)
    gone = [row.id for row in rows if merged.get(row.primary_now, 0) == merged.get(row.other_now, -1)]
    delete_in(connection, Decision, Decision.id, gone)
