"""Customers: list, search, make, read, change, delete."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app
from sqlalchemy import Connection

from webapp.extensions import db
from webapp.models.base import new_uuid
from webapp.services import api_acts, listing
from webapp.services.billing import changing
from webapp.services.billing.records import (
    ContactChange,
    CustomerChange,
    put_contacts,
    put_customers,
    recount,
)
from webapp.services.listing import Wanted
from webapp.views.api import custom, finding, gate, shapes, told
from webapp.views.api.answers import ApiError, answer, invalid, nothing
from webapp.views.api.asked import Reader, argument, body, paging
from webapp.views.api.routing import operation

GROUP = "Customers"
PAGES = ("per_page", "cursor")


@operation(
    "GET",
    "/customers",
    "List customers",
    group=GROUP,
    query=("data_source_uuid", "external_id", "status", "system", *PAGES),
    answers={200: "Customers"},
)
def list_customers() -> Response:
    """Customers by age here; each filter leaves out those that do not have it."""
    connection, asked = db.session().connection(), paging()
    status = argument("status")
    wanted = Wanted(
        source_ids=finding.wanted_sources(connection),
        external_id=argument("external_id"),
        status=status.replace("_", " ") if status else None,
    )
    rows = listing.customers(connection, wanted, asked.after, asked.size)
    return answer(asked.page("entries", rows, shapes.customers(connection, asked.shown(rows))))


@operation(
    "GET",
    "/customers/search",
    "Find customers by e-mail",
    group=GROUP,
    query=("email", *PAGES),
    answers={200: "Customers"},
)
def search_customers() -> Response:
    """Customers with exactly this address, in any case."""
    connection, asked, email = db.session().connection(), paging(), argument("email")
    if email is None:
        raise ApiError(400, "Say which e-mail to look for.", "email")
    rows = listing.customers(connection, Wanted(email=email), asked.after, asked.size)
    if not rows and not asked.after:
        raise ApiError(404, f'Can\'t find any customers with email: "{email}"', "email")
    return answer(asked.page("entries", rows, shapes.customers(connection, asked.shown(rows))))


@operation(
    "POST", "/customers", "Make a customer", group=GROUP, body="NewCustomer", answers={201: "Customer"}
)
def create_customer() -> Response:
    """A customer of a billing source, with its tags, custom attributes and first contact."""
    asked = Reader(body())
    source_id, external_id = asked.required("data_source_uuid"), asked.required("external_id")
    values, inner, person = told.customer(asked), asked.inner("attributes"), asked.inner("primary_contact")
    customs, tags, contact = custom.read(inner), told.tags(inner), told.contact(person)
    asked.check()
    with gate.changing() as connection:
        by_people = told.by_people(asked, connection)
        asked.check()
        source = finding.billing_source(connection, source_id)
        if listing.at_source(connection, source.id, external_id) is not None:
            raise invalid(external_id="The external ID for this customer already exists in our system.")
        _check_room(connection, source.id, customs)
        put = put_customers(connection, source.id, [CustomerChange(external_id, values, customs)])
        behind = finding.behind_origin(connection, put.origins[external_id])
        changing.set_on_customer(connection, behind, by_people)
        changing.tag_customer(connection, behind, tags or ())
        _add_contact(connection, behind, contact)
        return answer(_shown(connection, behind[0].customer_id), 201)


@operation("GET", "/customers/{uuid}", "Get a customer", group=GROUP, answers={200: "Customer"})
def get_customer(uuid: str) -> Response:
    """One customer."""
    connection = db.session().connection()
    return answer(shapes.customers(connection, [finding.customer(connection, uuid)])[0])


@operation(
    "PATCH",
    "/customers/{uuid}",
    "Change a customer",
    group=GROUP,
    body="CustomerChange",
    answers={200: "Customer"},
)
def update_customer(uuid: str) -> Response:
    """Change what is told; what a Segment source tells is set by hand over it."""
    asked = Reader(body())
    values, inner = told.customer(asked), asked.inner("attributes")
    customs, tags = custom.read(inner), told.tags(inner)
    asked.check()
    with gate.changing() as connection:
        row, behind = finding.held_customer(connection, uuid)
        by_people = told.by_people(asked, connection, has_subscriptions=row.mrr is not None)
        asked.check()
        finding.check_all_open(connection, behind)
        _check_room(connection, behind[0].source_id, customs)
        changing.change_customer(connection, behind, values, customs)
        changing.set_on_customer(connection, behind, by_people)
        if tags is not None:
            changing.tag_customer(connection, behind, tags)
        after = listing.by_id(connection, row.id)
        api_acts.customer_changed(connection, row, after, behind[0].kind)
        return answer(shapes.customers(connection, [after])[0])


@operation("DELETE", "/customers/{uuid}", "Delete a customer", group=GROUP, answers={204: None})
def delete_customer(uuid: str) -> Response:
    """Delete a billing customer with its contacts and subscriptions."""
    with gate.changing() as connection:
        row, behind = finding.held_customer(connection, uuid)
        finding.check_all_open(connection, behind)
        try:
            changing.remove_customer(connection, behind)
        except changing.ToldElsewhere as error:
            raise ApiError(422, str(error)) from None
        api_acts.on_customer(connection, "customer.deleted", row)
    return nothing()


def _add_contact(connection: Connection, behind: Any, values: dict[str, Any]) -> None:
    if not any(values.values()):
        return
    leader, uuid = behind[0], new_uuid()
    put_contacts(connection, leader.source_id, [ContactChange(uuid, leader.origin_uuid, values)])
    recount(connection, leader.source_id, [uuid], [leader.customer_id])


def _check_room(connection: Connection, source_id: int, customs: custom.Customs) -> None:
    most = current_app.extensions["settings"].max_custom_attributes
    finding.check_room(connection, source_id, "customer", customs, most)


def _shown(connection: Connection, customer_id: int) -> dict[str, Any]:
    return shapes.customers(connection, [listing.by_id(connection, customer_id)])[0]
