"""Re-sync: the policy applied again to every person and company. Its cost does not grow with the events.

The new policy holds for everything that is projected from the first step on; the steps then go through the
persons that were there. At any time every person is shown under one policy or the other, so no reader ever
sees a half-empty table. A cancelled re-sync goes through the same persons again, back to the policy before.
Which attributes are ignored is not the re-sync's to take back: who is placed, on either way, follows that as
it is now, and the result says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, bindparam, case, func, select, update

from webapp.config import Settings
from webapp.domain.fold import unpack
from webapp.domain.policy import COMPANY, USER
from webapp.failpoints import reach
from webapp.models import Company, Contact, Customer, DataSourceCustomer, Person, Source, now
from webapp.services import attribute_changes, progress, walking
from webapp.services.growing import look_at_unseen
from webapp.services.identities import persons_by_uuid
from webapp.services.merging import leave
from webapp.services.placing import CompanyView, Placed, Placing

ATTACHED, UNATTACHED, MISPLACED = "attached", "unattached", "misplaced"
BEGUN_AGAIN = ("companies", "persons")
"""Phases of an earlier release, which went through both apart: work that is in one of them begins again."""
_BACK = "back "
PLACED = (Customer, DataSourceCustomer, Contact)

_SOURCE = select(Source.__table__).where(Source.id == bindparam("source"))
_PAGE = (
    select(Person)
    .where(Person.source_id == bindparam("source"), Person.generation == bindparam("generation"))
    .where(Person.id > bindparam("after"))
    .order_by(Person.id)
)
_PAGE_OF_IDS = _PAGE.with_only_columns(Person.id).limit(bindparam("most")).subquery()
_END = select(func.max(_PAGE_OF_IDS.c.id), func.count()).select_from(_PAGE_OF_IDS)


def step(connection: Connection, sync: Any, settings: Settings, limit: int) -> int | None:
    """One step of a re-sync, in the caller's transaction, which holds the source's lock.

    Args:
        limit: rows to go through at most.

    Returns:
        How many rows it went through; None when the work is finished.
    """
    if not sync.phase:
        return _begin(connection, sync)
    if sync.state == "cancelling" and not sync.phase.startswith(_BACK):
        return _turn_back(connection, sync)
    back, name = walking.phase_of(sync).rpartition(_BACK)[1:]
    if name in BEGUN_AGAIN:
        return _enter(connection, sync, back + ATTACHED, done=0)
    page = PAGES[name]
    last, count = page(connection, sync, _source(connection, sync), limit)
    if count:
        progress.note(connection, sync.id, cursor=last, done=sync.done + count)
        return count
    if page is attached:
        return _enter(connection, sync, back + UNATTACHED)
    finish(connection, sync, "cancelled" if back else "done")
    return None


def _enter(connection: Connection, sync: Any, phase: str, **more: Any) -> int:
    progress.note(connection, sync.id, phase=phase, cursor=0, **more)
    return 0


def _begin(connection: Connection, sync: Any) -> int | None:
    if sync.state == "cancelling":
        finish(connection, sync, "cancelled")
        return None
    source = _source(connection, sync)
    brief = sync.policy != sync.previous_policy and not attribute_changes.pending(connection, source)
    models = (Person,) if brief else (Company, Person)
    total = sum(_count(connection, model, source) for model in models)
    connection.execute(update(Source).where(Source.id == sync.source_id).values(applied_policy=sync.policy))
    return _enter(connection, sync, MISPLACED if brief else ATTACHED, done=0, total=total)


def _turn_back(connection: Connection, sync: Any) -> int:
    """Cancelled under way: what was projected since and what the steps did goes back to the policy before."""
    connection.execute(
        update(Source).where(Source.id == sync.source_id).values(applied_policy=sync.previous_policy)
    )
    first = MISPLACED if sync.phase == MISPLACED else ATTACHED
    result = sync.result | {"back_since": now()}
    return _enter(connection, sync, _BACK + first, done=0, result=result)


def attached(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Place the next page of companies, each with the persons attached to it, whose customer then is written
    once, with its contacts counted: the id of the company it came to, and how many of both there were.
    """
    page = walking.stretch(connection, sync, source, _is_no_contact(source.applied_policy), limit)
    if page.count:
        _place_persons(connection, sync, source, page.persons, page.companies)
        progress.note(connection, sync.id, phase=walking.phase_at(sync, page))
    return page.company_id, page.count


def unattached(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Place the next page of persons without a company: the last id and how many there were."""
    page = _of(source, sync) | {"most": limit}
    rows = connection.execute(_unattached(source.applied_policy), page).all()
    _place_persons(connection, sync, source, rows)
    return (rows[-1].id if rows else 0), len(rows)


def misplaced(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Place those of the next page of persons who are not where the policy wants them: the last id, and how
    many the page has.

    Only who is attached to no company has another place under another policy, so hardly anybody is looked at
    more closely, and who goes is not looked at at all.
    """
    page = _of(source, sync)
    last, count = connection.execute(_END, page | {"most": limit}).one()
    if not count:
        return 0, 0
    rows = connection.execute(_misplaced(source.applied_policy), page | {"last": last}).all()
    _place_persons(connection, sync, source, rows)
    return last, count


@cache
def _unattached(policy: str) -> Select[*tuple[Any, ...]]:
    columns = (Person.id, Person.uuid, _is_no_contact(policy))
    return _PAGE.with_only_columns(*columns).where(Person.company.is_(None)).limit(bindparam("most"))


@cache
def _misplaced(policy: str) -> Select[*tuple[Any, ...]]:
    query = _PAGE.with_only_columns(Person.uuid, _is_no_contact(policy))
    query = query.join(Contact, Contact.uuid == Person.uuid, isouter=True)
    return query.where(Person.id <= bindparam("last"), _elsewhere(policy))


@cache
def _is_no_contact(policy: str) -> ColumnElement[bool]:
    """Whether a policy has no contact of a person, as `domain/policy.py` says it, by their row alone."""
    nobody = Person.user_id.is_(None) & Person.email.is_(None)
    return (nobody | Person.company.is_(None) if policy == COMPANY else nobody).label("is_no_contact")


def _elsewhere(policy: str) -> ColumnElement[bool]:
    """The condition under which a person is not where a policy wants them, beside their contact or none."""
    contact = (Person.user_id.is_not(None) | Person.email.is_not(None)) & (
        Contact.id.is_(None) | Contact.company.is_distinct_from(Person.company)
    )
    if policy == USER:
        return contact
    return case((Person.company.is_(None), Contact.id.is_not(None)), else_=contact)


PAGES = {ATTACHED: attached, UNATTACHED: unattached, MISPLACED: misplaced}


def _place_persons(
    connection: Connection, sync: Any, source: Any, rows: Sequence[Any], companies: Sequence[Any] = ()
) -> None:
    """Place some persons, and companies. What was told of those who are no contact is not read."""
    gone = [row.uuid for row in rows if row.is_no_contact]
    there = [row.uuid for row in rows if not row.is_no_contact]
    people = persons_by_uuid(connection, source.id, source.generation, there)
    views = [CompanyView(row.key, row.uuid, unpack(row.told)) for row in companies]
    _place(connection, sync, source, persons=people, companies=views, gone=gone)


def _place(connection: Connection, sync: Any, source: Any, **what: Any) -> None:
    placing = Placing(connection, source.id, source.generation, source.applied_policy)
    placed = Placed(**{name: sync.result.get(name, 0) for name in Placed.__slots__})
    placed += placing.place(**what)
    look_at_unseen(connection, *PLACED)
    reach(f"{sync.kind}.mid_batch")
    progress.note(connection, sync.id, result=sync.result | asdict(placed))


def _of(source: Any, sync: Any) -> dict[str, int]:
    """What persons of a source are behind the cursor, for the statements of pages."""
    return {"source": source.id, "generation": source.generation, "after": sync.cursor}


def _source(connection: Connection, sync: Any) -> Any:
    return connection.execute(_SOURCE, {"source": sync.source_id}).one()


def _count(connection: Connection, model: Any, source: Any) -> int:
    query = select(func.count()).select_from(model)
    query = query.where(model.source_id == source.id, model.generation == source.generation)
    return connection.scalar(query) or 0


def finish(connection: Connection, sync: Any, state: str) -> None:
    """Close a piece of work, with what changed in counts."""
    if state == "done" and sync.phase != MISPLACED:  # everybody was placed again
        _follow_attributes(connection, sync, sync.started_at)
    elif sync.phase.startswith(_BACK):
        progress.note(connection, sync.id, result=sync.result | _attributes_after(connection, sync))
    progress.note(connection, sync.id, state=state, finished_at=now())


def _follow_attributes(connection: Connection, sync: Any, since: int) -> None:
    """Everybody was placed after an instant, so by what was ignored or imported again before it."""
    placed = update(Source).where(Source.id == sync.source_id)
    connection.execute(placed.values(attributes_applied_at=since))


def _attributes_after(connection: Connection, sync: Any) -> dict[str, list[str]]:
    """Keys that a way back applied to everybody, and those that were changed too late for that."""
    before = attribute_changes.pending(connection, _source(connection, sync))
    since = sync.result.get("back_since")  # not known of a way back that an earlier release began
    if since and sync.phase != _BACK + MISPLACED:
        _follow_attributes(connection, sync, since)
    after = attribute_changes.pending(connection, _source(connection, sync))
    named = {"applied": [each for each in before if each not in after], "meanwhile": after}
    return {what: sorted({each.key for each in of}) for what, of in named.items() if of}


def sweep_contacts(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Remove contacts and own customers of persons that a new generation does not have."""
    query = select(Contact.id, Contact.uuid).where(Contact.source_id == source.id, Contact.id > sync.cursor)
    rows = connection.execute(query.order_by(Contact.id).limit(limit)).all()
    there = select(Person.uuid).where(
        Person.source_id == source.id,
        Person.generation == source.generation,
        Person.uuid.in_([row.uuid for row in rows]),
    )
    gone = {row.uuid for row in rows} - set(connection.scalars(there))
    if gone:
        _place(connection, sync, source, gone=gone)
    return (rows[-1].id if rows else 0), len(rows)


def sweep_customers(connection: Connection, sync: Any, source: Any, limit: int) -> tuple[int, int]:
    """Remove customers of companies that a new generation does not have."""
    query = select(DataSourceCustomer.id, DataSourceCustomer.origin_uuid).where(
        DataSourceCustomer.source_id == source.id, DataSourceCustomer.id > sync.cursor
    )
    rows = connection.execute(query.order_by(DataSourceCustomer.id).limit(limit)).all()
    gone = {row.origin_uuid for row in rows}
    for model in (Company, Person):
        there = select(model.uuid).where(
            model.source_id == source.id, model.generation == source.generation, model.uuid.in_(gone)
        )
        gone -= set(connection.scalars(there))
    if removed := leave(connection, gone):
        result = dict(sync.result)
        result["customers_removed"] = result.get("customers_removed", 0) + removed
        progress.note(connection, sync.id, result=result)
    return (rows[-1].id if rows else 0), len(rows)
