"""What waits for a person: customers of Segment with several candidates, each with the reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, true
from sqlalchemy.orm import Session

from webapp.models import Automation, Customer, DataSourceCustomer, Decision, Match, Source
from webapp.models.merging import MERGE
from webapp.services import audit, merges, records, visibility
from webapp.services.automations import matching, working
from webapp.services.automations.rules import words_of_key
from webapp.services.locks import lock_sources
from webapp.services.rows import select_in

PAGE = 25


@dataclass(frozen=True, slots=True)
class Side:
    """One customer of a match, as a page shows it."""

    origin_uuid: str
    public_id: str
    name: str
    email: str | None
    website_url: str | None
    external_id: str
    source: str


@dataclass(frozen=True, slots=True)
class Case:
    """One match.

    Attributes:
        id: of its row.
        segment: the customer of Segment.
        candidates: the billing customers that it could be, with what matches of each in words.
        reason: why a person is asked; empty when the rule merges it by itself.
    """

    id: int
    segment: Side
    candidates: Sequence[tuple[Side, str]]
    reason: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some matches, and the `after` of the next page; None on the last."""

    cases: list[Case]
    next: int | None


def counts(session: Session | Connection) -> dict[int, dict[str, int]]:
    """By rule: `waiting` (matches that a person must decide) and `merged` (merges of the rule that stand).

    As the lists behind them, they leave out what concerns a source that is being deleted.
    """
    waiting = select(Match.automation_id, func.count()).where(Match.ambiguous, _listed(session))
    merged = select(Decision.automation_id, func.count()).where(
        Decision.automation_id.is_not(None), Decision.kind == MERGE
    )
    if visibility.unseen(session):
        merged = merged.join(DataSourceCustomer, DataSourceCustomer.origin_uuid == Decision.other_now)
        merged = merged.join(Customer, Customer.id == DataSourceCustomer.customer_id)
        merged = merged.where(visibility.seen(session, Customer))
    found: dict[int, dict[str, int]] = {}
    for name, query, of in (
        ("waiting", waiting, Match.automation_id),
        ("merged", merged, Decision.automation_id),
    ):
        for id, number in session.execute(query.group_by(of)).all():
            found.setdefault(int(id or 0), {"waiting": 0, "merged": 0})[name] = number
    return found


def _listed(session: Session | Connection) -> ColumnElement[bool]:
    """The condition under which a match is listed: neither side is of a source that is being deleted."""
    hidden = visibility.unseen(session)
    if not hidden:
        return true()
    sides = DataSourceCustomer.id.in_((Match.data_source_customer_id, Match.candidate_id))
    return ~select(DataSourceCustomer.id).where(sides, DataSourceCustomer.source_id.in_(hidden)).exists()


def page(connection: Connection, automation: Any, ambiguous: bool, after: int = 0) -> Page:
    """Matches of a rule, a page at a time.

    Args:
        automation: its row or object.
        ambiguous: those that wait for a person; else those that a test says would be merged.
        after: the id behind which the page begins.
    """
    query = select(Match.__table__).where(
        Match.automation_id == automation.id,
        Match.ambiguous == ambiguous,
        Match.id > after,
        _listed(connection),
    )
    rows = connection.execute(query.order_by(Match.id).limit(PAGE + 1)).all()
    more, rows = len(rows) > PAGE, rows[:PAGE]
    return Page(_cases(connection, automation, rows), rows[-1].id if more else None)


def _cases(connection: Connection, automation: Any, rows: Sequence[Any]) -> list[Case]:
    found = {
        each.row.id: each
        for each in matching.find(connection, automation, [row.data_source_customer_id for row in rows])
    }
    ids = {id for each in found.values() for id, _ in each.candidates.values()} | found.keys()
    sides = _sides(connection, ids)
    cases = []
    for row in rows:
        each = found.get(row.data_source_customer_id)
        if each is None or each.row.id not in sides:
            continue
        candidates = [
            (sides[id], ", ".join(words_of_key(key) for key in sorted(keys)))
            for id, keys in each.candidates.values()
            if id in sides
        ]
        cases.append(Case(row.id, sides[each.row.id], candidates, _reason(each)))
    return cases


def _reason(found: matching.Found) -> str:
    if len(found.candidates) > 1:
        return f"{len(found.candidates)} billing customers match."
    if found.rivals > 1:
        return f"{found.rivals} customers of this source match the billing customer."
    return ""


def _sides(connection: Connection, ids: set[int]) -> dict[int, Side]:
    query = (
        select(
            DataSourceCustomer.id,
            DataSourceCustomer.origin_uuid,
            DataSourceCustomer.external_id,
            DataSourceCustomer.told,
            Customer.uuid,
            Source.name.label("source"),
        )
        .join(Customer, Customer.id == DataSourceCustomer.customer_id)
        .join(Source, Source.id == DataSourceCustomer.source_id)
        .where(Source.state == visibility.ACTIVE)
    )
    return {row.id: _side(row) for row in select_in(connection, query, DataSourceCustomer.id, ids)}


def _side(row: Any) -> Side:
    told: Mapping[str, Any] = row.told
    return Side(
        origin_uuid=row.origin_uuid,
        public_id=f"cus_{row.uuid}",
        name=told.get("name") or row.external_id,
        email=told.get("email"),
        website_url=told.get("website_url"),
        external_id=row.external_id,
        source=row.source,
    )


def merge(connection: Connection, match_id: int, candidate: str, user_id: int | None) -> None:
    """Merge a customer of Segment into a candidate that a person chose, in the caller's transaction.

    Args:
        match_id: of the match.
        candidate: the origin of the billing customer.
        user_id: who decides.

    Raises:
        merges.CannotMerge: one of them is gone, or they are one already.
    """
    lock_sources(connection)
    row = _row(connection, match_id)
    sides = _named(connection, candidate, row.origin_uuid)
    by = merges.By(user_id=user_id, why={"keys": row.keys, "reviewed": True})
    merges.merge(connection, [(candidate, row.origin_uuid)], by)
    _log(connection, "customer.merged", user_id, sides)
    _look_again(connection, [row.origin_uuid, candidate])


def say_no(connection: Connection, match_id: int, candidate: str, user_id: int | None) -> None:
    """Remember that a customer of Segment and a candidate are not the same; the rest is looked at again."""
    lock_sources(connection)
    row = _row(connection, match_id)
    merges.say_not_the_same(connection, [(candidate, row.origin_uuid)], merges.By(user_id=user_id))
    _log(connection, "customer.told_apart", user_id, _named(connection, candidate, row.origin_uuid))
    _look_again(connection, [row.origin_uuid, candidate])


def undo(connection: Connection, decision_id: int, user_id: int | None) -> bool:
    """Take one merge back, in the caller's transaction; the two are held apart from now on.

    Returns:
        Whether it still stood.
    """
    lock_sources(connection)
    query = select(Decision.primary_now, Decision.other_now).where(Decision.id == decision_id)
    row = connection.execute(query).first()
    if row is None or not merges.unmerge(connection, [decision_id], merges.By(user_id=user_id)):
        return False
    _log(connection, "customer.unmerged", user_id, _named(connection, *row))
    return True


def _named(connection: Connection, *origins: str) -> list[tuple[str, int]]:
    found = (records.named(connection, "customer", origin) for origin in origins)
    return list(dict.fromkeys(each for each in found if each is not None))


def _log(connection: Connection, action: str, user_id: int | None, sides: Sequence[tuple[str, int]]) -> None:
    """Write a line of the audit log on customers: the one that leads, or led, and the other."""
    names = dict(zip(("record", "other"), (name for name, _ in sides), strict=False))
    audit.record_on(connection, action, user_id, [source_id for _, source_id in sides], **names)


def _row(connection: Connection, match_id: int) -> Any:
    query = select(Match.id, Match.keys, DataSourceCustomer.origin_uuid).join(
        DataSourceCustomer, DataSourceCustomer.id == Match.data_source_customer_id
    )
    row = connection.execute(query.where(Match.id == match_id)).first()
    if row is None:
        raise merges.CannotMerge(
            "This match is no longer there: somebody or a newer event decided it already."
        )
    return row


def _look_again(connection: Connection, origins: Sequence[str]) -> None:
    """What was decided for one may make another clear, also in the list of a rule that is off."""
    query = select(DataSourceCustomer.id, DataSourceCustomer.customer_id)
    rows = select_in(connection, query, DataSourceCustomer.origin_uuid, origins)
    switched_on = Automation.__table__.c.switched_on
    working.mark(connection, [row.customer_id for row in rows])
    for automation in connection.execute(select(Automation.__table__).where(~switched_on)).all():
        noted = select(Match.id).where(Match.automation_id == automation.id).limit(1)
        if connection.scalar(noted) is not None:
            working.apply(connection, automation, [row.id for row in rows], merging=False)


def merges_of(
    connection: Connection, automation_id: int, before: int | None = None
) -> tuple[list[Any], int | None]:
    """Merges that a rule made and that stand, newest first.

    Returns:
        Rows with `id`, `created_at`, `why`, `customer_uuid`, `name`; and the `before` of the next page.
    """
    query = (
        select(
            Decision.id,
            Decision.created_at,
            Decision.why,
            Customer.uuid.label("customer_uuid"),
            Customer.name,
        )
        .join(DataSourceCustomer, DataSourceCustomer.origin_uuid == Decision.other_now)
        .join(Customer, Customer.id == DataSourceCustomer.customer_id)
        .where(
            Decision.automation_id == automation_id,
            Decision.kind == MERGE,
            visibility.seen(connection, Customer),
        )
    )
    if before is not None:
        query = query.where(Decision.id < before)
    rows = connection.execute(query.order_by(Decision.id.desc()).limit(PAGE + 1)).all()
    return list(rows[:PAGE]), rows[PAGE - 1].id if len(rows) > PAGE else None
