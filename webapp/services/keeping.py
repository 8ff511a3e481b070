"""Keeping what people and automations decided and set, whatever a source tells: after each placing."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

from sqlalchemy import Connection, select, update

from webapp.models import Contact, Customer, DataSourceCustomer, Edit
from webapp.services import decisions, following
from webapp.services.composing import compose
from webapp.services.composing_contacts import compose_contacts
from webapp.services.merging import settle
from webapp.services.rows import chunks, select_in
from webapp.services.standing import Stood


@dataclass(frozen=True, slots=True)
class Touched:
    """What a placing may have changed.

    Attributes:
        persons: uuids of persons that are there, and of those that are no more.
        contacts: uuids of contacts that were written.
        customers: ids of the customers that these are and were under.
    """

    persons: frozenset[str]
    contacts: frozenset[str]
    customers: frozenset[int]


def keep(connection: Connection, source_id: int, stood: Stood, touched: Touched) -> None:
    """Let decisions and edits hold for what a placing wrote, in its transaction.

    Customers that are one source's word alone, which are nearly all, cost one look each.
    """
    composed = _composed(connection, touched.customers) | stood.composed
    if following.is_anything_kept(connection, source_id):
        moved = following.follow(connection, source_id, touched.persons)
        _settle_decided(connection, stood.added | moved, moved)
        composed |= _kept_of(connection, stood.added | moved, touched.contacts | moved)
    if composed:  # who stood within another contact may have moved to a customer that is plain
        within = select(Contact.customer_id).where(Contact.within_id.is_not(None))
        composed |= {row[0] for row in select_in(connection, within, Contact.uuid, touched.contacts)}
    there = {row[0] for row in select_in(connection, select(Customer.id), Customer.id, composed)}
    compose_contacts(connection, there, touched.contacts)
    compose(connection, there)


def release(connection: Connection, contact_ids: Iterable[int]) -> set[str]:
    """Before contacts go: those within them stand for themselves again; their uuids."""
    ids = list(contact_ids)
    rows = select_in(connection, select(Contact.uuid, Contact.within_id), Contact.within_id, ids)
    for chunk in chunks(sorted({row.within_id for row in rows})):
        connection.execute(update(Contact).where(Contact.within_id.in_(chunk)).values(within_id=None))
    return {row.uuid for row in rows}


def _settle_decided(connection: Connection, fresh: Set[str], moved: Set[str]) -> None:
    """Group the customers of origins that are new, or of whose decisions the meaning changed."""
    _, pairs = decisions.reached(connection, "customer", fresh)
    decided = moved | {end for pair in pairs for end in pair}
    if decided:
        settle(connection, decided)


def _kept_of(connection: Connection, origins: Set[str], contacts: Set[str]) -> set[int]:
    """Customers that people had edited before they came back, and those of edited or merged contacts."""
    found: set[int] = set()
    for entity, model, uuids in (("customer", DataSourceCustomer, origins), ("contact", Contact, contacts)):
        query = select(Edit.origin_uuid).where(Edit.entity == entity)
        concerned = {row.origin_uuid for row in select_in(connection, query, Edit.origin_uuid, uuids)}
        if model is Contact:
            _, pairs = decisions.reached(connection, entity, uuids)
            concerned |= {end for pair in pairs for end in pair}
        column = Contact.uuid if model is Contact else DataSourceCustomer.origin_uuid
        rows = select_in(connection, select(model.customer_id), column, concerned)
        found |= {row.customer_id for row in rows}
    return found


def _composed(connection: Connection, customer_ids: Iterable[int]) -> set[int]:
    query = select(Customer.id).where(Customer.composed)
    return {row.id for row in select_in(connection, query, Customer.id, customer_ids)}
