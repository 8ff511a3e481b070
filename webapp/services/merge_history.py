"""What merged a customer: each decision that stands, who made it, by what, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from webapp.models import Automation
from webapp.models.merging import MERGE
from webapp.services import decisions, facts, merges, records
from webapp.services.automations.rules import words_of_key
from webapp.services.merges import By
from webapp.services.records import Record


@dataclass(frozen=True, slots=True)
class Merged:
    """One merge that stands.

    Attributes:
        id: of the decision.
        automation: the name of the rule that decided; empty when a person or the API did.
        who: the person or the API.
        why: what matched, in words; may be empty.
        at: when, in microseconds.
    """

    id: int
    automation: str
    who: str
    why: str
    at: int


def of(connection: Connection, record: Record, people: Mapping[int, str]) -> dict[str, list[Merged]]:
    """The merges of a customer, each at the data source customer that it brought in, by origin."""
    if len(record.behind) < 2:
        return {}
    rows = decisions.about(connection, "customer", record.sources, MERGE)
    ids = {row.automation_id for row in rows if row.automation_id is not None}
    rules = connection.execute(select(Automation.id, Automation.name).where(Automation.id.in_(ids))).all()
    names = {row.id: row.name for row in rules}
    leader, _ = record.primary
    found: dict[str, list[Merged]] = {}
    for row in rows:
        ends = (row.other_now, row.primary_now)
        brought = next((end for end in ends if end != leader and end in record.sources), None)
        if brought is None or row.primary_now == row.other_now:
            continue
        rule = "" if row.automation_id is None else names.get(row.automation_id, "an automation that is gone")
        why = ", ".join(words_of_key(key) for key in row.why.get("keys", ()))
        merged = Merged(row.id, rule, facts.name_of(row.user_id, people), why, row.created_at)
        found.setdefault(brought, []).append(merged)
    return found


def merge(session: Session, public_id: str, other_id: str, user_id: int) -> str:
    """Make two customers one, the first of which leads.

    Returns:
        The public id of the one that they are now.

    Raises:
        merges.CannotMerge: they are one already.
        records.Gone: one of them is not there any more.
    """
    with records.changing(session, public_id) as (connection, record):
        other = _customer(connection, other_id)
        merges.merge(connection, [(record.primary[0], other.primary[0])], By(user_id=user_id))
        records.log(connection, "customer.merged", user_id, record, (other.public_id, other.primary[1]))
    return record.public_id


def say_not_the_same(session: Session, public_id: str, other_id: str, user_id: int) -> None:
    """Remember that two customers are not duplicates; neither is suggested for the other again.

    Raises:
        records.Gone: one of them is not there any more.
    """
    with records.changing(session, public_id) as (connection, record):
        other = _customer(connection, other_id)
        merges.say_not_the_same(connection, [(record.primary[0], other.primary[0])], By(user_id=user_id))
        records.log(connection, "customer.told_apart", user_id, record, (other.public_id, other.primary[1]))


def undo(session: Session, public_id: str, decision_id: int, user_id: int) -> bool:
    """Take one merge of a customer back.

    Returns:
        Whether it still stood.

    Raises:
        records.Gone: the customer is not there any more.
    """
    with records.changing(session, public_id) as (connection, record):
        about = decisions.about(connection, "customer", record.sources, MERGE)
        row = next((row for row in about if row.id == decision_id), None)
        if row is not None:
            merges.unmerge(connection, [row.id], By(user_id=user_id))
            other = records.parted(connection, record.public_id, (row.primary_now, row.other_now))
            records.log(connection, "customer.unmerged", user_id, record, other)
    return row is not None


def separate(session: Session, public_id: str, origin: str, user_id: int) -> None:
    """Let one data source customer be a customer of its own, whatever merged it.

    Raises:
        merges.CannotMerge: nothing would be left, or it is not of this customer.
        records.Gone: the customer is not there any more.
    """
    with records.changing(session, public_id) as (connection, record):
        if origin not in record.sources:
            raise merges.CannotMerge("It is no part of this customer any more. Nothing was changed.")
        merges.split(connection, [origin], By(user_id=user_id))
        other = records.parted(connection, record.public_id, (origin, *record.sources))
        records.log(connection, "customer.unmerged", user_id, record, other)


def separate_contact(session: Session, public_id: str, uuid: str, user_id: int) -> None:
    """Show what one source tells of a human as a contact of its own, whatever joined it.

    Raises:
        merges.CannotMerge: it is shown alone already, or is not of this contact.
        records.Gone: the contact is not there any more.
    """
    with records.changing(session, public_id) as (connection, record):
        row = next((row for row in record.behind if row.uuid == uuid), None)
        if row is None:
            raise merges.CannotMerge("It is no part of this contact any more. Nothing was changed.")
        merges.split_contact(connection, row, By(user_id=user_id))
        records.log(connection, "contact.separated", user_id, record, (f"con_{uuid}", row.source_id))


def _customer(connection: Connection, public_id: str) -> Record:
    found = records.find(connection, public_id)
    if found is None or found.entity != "customer":
        raise records.Gone("The other customer was deleted or merged meanwhile. Nothing was changed.")
    return found
