"""Contacts: list, make, read, change, delete, merge."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app
from sqlalchemy import Connection

from webapp.extensions import db
from webapp.models.base import new_uuid
from webapp.services import api_acts, audit, contact_notes, listing, merges
from webapp.services.billing import changing
from webapp.services.billing.records import ContactChange, put_contacts, recount
from webapp.services.listing import Wanted
from webapp.services.merges import By, CannotMerge
from webapp.views.api import custom, finding, gate, shapes, told
from webapp.views.api.answers import ApiError, answer, invalid
from webapp.views.api.asked import Reader, argument, body, paging
from webapp.views.api.routing import operation

GROUP = "Contacts"
PAGES = ("per_page", "cursor")


@operation(
    "GET",
    "/contacts",
    "List contacts",
    group=GROUP,
    query=("data_source_uuid", "customer_uuid", "customer_external_id", "email", *PAGES),
    answers={200: "Contacts"},
)
def list_contacts() -> Response:
    """Contacts by age here; each filter leaves out those that do not have it."""
    connection = db.session().connection()
    uuid = argument("customer_uuid")
    wanted = Wanted(
        source_ids=finding.wanted_sources(connection),
        external_id=argument("customer_external_id"),
        email=argument("email"),
        customer_id=finding.customer(connection, uuid).id if uuid else None,
    )
    return _list(connection, wanted)


@operation(
    "GET",
    "/customers/{uuid}/contacts",
    "List the contacts of a customer",
    group=GROUP,
    query=PAGES,
    answers={200: "Contacts"},
)
def list_contacts_of_customer(uuid: str) -> Response:
    """The contacts of one customer."""
    connection = db.session().connection()
    return _list(connection, Wanted(customer_id=finding.customer(connection, uuid).id))


@operation("POST", "/contacts", "Make a contact", group=GROUP, body="NewContact", answers={201: "Contact"})
def create_contact() -> Response:
    """A contact of a customer, told by a billing source of that customer."""
    asked = Reader(body())
    uuid = asked.required("customer_uuid")
    return _create(asked, uuid)


@operation(
    "POST",
    "/customers/{uuid}/contacts",
    "Make a contact of a customer",
    group=GROUP,
    body="NewContactOfCustomer",
    answers={201: "Contact"},
)
def create_contact_of_customer(uuid: str) -> Response:
    """The same, with the customer in the address."""
    return _create(Reader(body()), uuid)


@operation("GET", "/contacts/{uuid}", "Get a contact", group=GROUP, answers={200: "Contact"})
def get_contact(uuid: str) -> Response:
    """One contact."""
    return answer(_shown(db.session().connection(), uuid))


@operation(
    "PATCH",
    "/contacts/{uuid}",
    "Change a contact",
    group=GROUP,
    body="ContactChange",
    answers={200: "Contact"},
)
def update_contact(uuid: str) -> Response:
    """Change what is told; what a Segment source tells is set by hand over it."""
    asked = Reader(body())
    values, customs, note = told.contact(asked), custom.read(asked), told.notes(asked)
    asked.check()
    with gate.changing() as connection:
        row, kind = finding.held_contact(connection, uuid)
        finding.check_open(listing.sources(connection)[row.source_id])
        _check_room(connection, row.source_id, customs)
        if values or customs:
            changing.change_contact(connection, row, kind, values, customs)
        after = finding.contact(connection, uuid)
        api_acts.contact_changed(connection, row, after, kind)
        if contact_notes.write(connection, row, note):
            api_acts.on_contact(connection, "contact.note_added", after)
        return answer(_shown(connection, uuid))


@operation("DELETE", "/contacts/{uuid}", "Delete a contact", group=GROUP, answers={200: "Nothing"})
def delete_contact(uuid: str) -> Response:
    """Delete a contact that a billing source tells of."""
    with gate.changing() as connection:
        row, kind = finding.held_contact(connection, uuid)
        finding.check_open(listing.sources(connection)[row.source_id])
        try:
            changing.remove_contact(connection, row, kind)
        except changing.ToldElsewhere as error:
            raise ApiError(422, str(error)) from None
        api_acts.on_contact(connection, "contact.deleted", row)
    return answer({})


@operation(
    "POST",
    "/contacts/{into_uuid}/merge/{from_uuid}",
    "Merge two contacts of a customer",
    group=GROUP,
    answers={200: "Contact"},
)
def merge_contacts(into_uuid: str, from_uuid: str) -> Response:
    """Show the second within the first."""
    with gate.changing() as connection:
        into, _ = finding.held_contact(connection, into_uuid)
        other = finding.contact(connection, from_uuid, "from_uuid")
        try:
            merges.merge_contacts(connection, into, other, By())
        except CannotMerge as error:
            raise ApiError(422, str(error)) from None
        names = {"record": f"con_{into.uuid}", "other": f"con_{other.uuid}"}
        audit.record_on(connection, "contact.merged", None, (into.source_id, other.source_id), **names)
        return answer(_shown(connection, into_uuid))


def _list(connection: Connection, wanted: Wanted) -> Response:
    asked = paging()
    rows = listing.contacts(connection, wanted, asked.after, asked.size)
    return answer(asked.page("entries", rows, shapes.contacts(connection, asked.shown(rows))))


def _create(asked: Reader, uuid: str) -> Response:
    source_uuid = asked.required("data_source_uuid")
    values, customs, note = told.contact(asked), custom.read(asked), told.notes(asked)
    asked.check()
    with gate.changing() as connection:
        source = finding.billing_source(connection, source_uuid)
        _, behind = finding.held_customer(connection, uuid)
        told_by = [row for row in behind if row.source_id == source.id]
        if not told_by:
            raise invalid(data_source_uuid="This data source tells of another customer. Nothing was changed.")
        _check_room(connection, source.id, customs)
        change = ContactChange(new_uuid(), told_by[0].origin_uuid, values, customs)
        put_contacts(connection, source.id, [change])
        recount(connection, source.id, [change.uuid], [told_by[0].customer_id])
        row = listing.within(connection, change.uuid)
        contact_notes.write(connection, row, note)
        return answer(_shown(connection, row.uuid), 201)


def _check_room(connection: Connection, source_id: int, customs: custom.Customs) -> None:
    most = current_app.extensions["settings"].max_custom_attributes
    finding.check_room(connection, source_id, "contact", customs, most)


def _shown(connection: Connection, uuid: str) -> dict[str, Any]:
    return shapes.contacts(connection, [finding.contact(connection, uuid)])[0]
