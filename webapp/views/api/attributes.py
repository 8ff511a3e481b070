"""Tags and custom attributes of one customer, and of all with one e-mail."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flask import Response, current_app
from sqlalchemy import Connection

from webapp.extensions import db
from webapp.services import api_acts, attributes, listing
from webapp.services.billing import changing
from webapp.services.listing import Wanted
from webapp.views.api import custom, finding, gate, shapes, told
from webapp.views.api.answers import ApiError, answer, invalid
from webapp.views.api.asked import MOST_ON_A_PAGE, Reader, body
from webapp.views.api.custom import Customs
from webapp.views.api.routing import operation

GROUP = "Tags and custom attributes"
Change = Callable[[Connection, Any, Sequence[Any]], None]
"""What is done to one customer: its row, and what stands behind it."""


@operation(
    "GET",
    "/customers/{uuid}/attributes",
    "Get the attributes of a customer",
    group=GROUP,
    answers={200: "Attributes"},
)
def get_attributes(uuid: str) -> Response:
    """Tags and custom attributes."""
    connection = db.session().connection()
    types = attributes.types(connection, "customer")
    return answer(shapes.attributes_of(finding.customer(connection, uuid), types))


@operation("GET", "/customers/{uuid}/attributes/tags", "Get its tags", group=GROUP, answers={200: "Tags"})
def get_tags(uuid: str) -> Response:
    """The tags of a customer."""
    return answer({"tags": shapes.tags(finding.customer(db.session().connection(), uuid))})


@operation(
    "POST", "/customers/{uuid}/attributes/tags", "Add tags", group=GROUP, body="Tags", answers={200: "Tags"}
)
def add_tags(uuid: str) -> Response:
    """Give a customer tags beside those that it has."""
    return _tags(uuid, _adding(_asked_tags(Reader(body()))))


@operation(
    "PUT",
    "/customers/{uuid}/attributes/tags",
    "Set its tags",
    group=GROUP,
    body="Tags",
    answers={200: "Tags"},
)
def set_tags(uuid: str) -> Response:
    """Give a customer exactly these tags."""
    wanted = _asked_tags(Reader(body()))
    return _tags(uuid, lambda connection, _, behind: changing.tag_customer(connection, behind, wanted))


@operation(
    "DELETE",
    "/customers/{uuid}/attributes/tags",
    "Take tags away",
    group=GROUP,
    body="Tags",
    answers={200: "Tags"},
)
def remove_tags(uuid: str) -> Response:
    """Take tags from a customer; those that it does not have are passed over."""
    gone = _asked_tags(Reader(body()))

    def change(connection: Connection, row: Any, behind: Sequence[Any]) -> None:
        changing.tag_customer(connection, behind, [tag for tag in shapes.tags(row) if tag not in gone])

    return _tags(uuid, change)


@operation(
    "POST",
    "/customers/attributes/tags",
    "Add tags to all customers with one e-mail",
    group=GROUP,
    body="TagsByEmail",
    answers={200: "CustomersFound"},
)
def add_tags_by_email() -> Response:
    """Give tags to whoever has this address."""
    asked = Reader(body())
    return _by_email(asked, _adding(_asked_tags(asked)), "tags")


@operation(
    "GET",
    "/customers/{uuid}/attributes/custom",
    "Get its custom attributes",
    group=GROUP,
    answers={200: "Custom"},
)
def get_custom(uuid: str) -> Response:
    """The custom attributes of a customer."""
    connection = db.session().connection()
    return _custom_of(connection, finding.customer(connection, uuid))


@operation(
    "POST",
    "/customers/{uuid}/attributes/custom",
    "Add custom attributes",
    group=GROUP,
    body="CustomToAdd",
    answers={200: "Custom"},
)
def add_custom(uuid: str) -> Response:
    """Tell custom attributes with their types."""
    return _custom(uuid, _telling(_asked_custom(Reader(body()))))


@operation(
    "PUT",
    "/customers/{uuid}/attributes/custom",
    "Update custom attributes",
    group=GROUP,
    body="CustomToUpdate",
    answers={200: "Custom"},
)
def update_custom(uuid: str) -> Response:
    """Tell other values; attributes that are not named stay."""
    return _custom(uuid, _telling(_asked_custom(Reader(body()))))


@operation(
    "DELETE",
    "/customers/{uuid}/attributes/custom",
    "Take custom attributes away",
    group=GROUP,
    body="CustomKeys",
    answers={200: "Custom"},
)
def remove_custom(uuid: str) -> Response:
    """Take custom attributes from a customer; keys that it does not have are passed over."""
    asked = Reader(body())
    gone = custom.keys(asked)
    asked.check()

    def change(connection: Connection, row: Any, behind: Sequence[Any]) -> None:
        known = dict.fromkeys(key for key in gone if key in row.custom)
        changing.change_customer(connection, behind, {}, known)

    return _custom(uuid, change)


@operation(
    "POST",
    "/customers/attributes/custom",
    "Add custom attributes to all customers with one e-mail",
    group=GROUP,
    body="CustomByEmail",
    answers={200: "CustomersFound"},
)
def add_custom_by_email() -> Response:
    """Tell custom attributes of whoever has this address."""
    asked = Reader(body())
    return _by_email(asked, _telling(_asked_custom(asked)), "custom attributes")


def _asked_tags(asked: Reader) -> list[str]:
    found = told.tags(asked)
    asked.check()
    if found is None:
        raise invalid(tags="tags must be a list of texts.")
    return found


def _asked_custom(asked: Reader) -> Customs:
    found = custom.read(asked)
    asked.check()
    if not found:
        raise invalid(custom="custom must tell at least one attribute.")
    return found


def _adding(tags: Sequence[str]) -> Change:
    def change(connection: Connection, row: Any, behind: Sequence[Any]) -> None:
        changing.tag_customer(connection, behind, dict.fromkeys([*shapes.tags(row), *tags]))

    return change


def _telling(customs: Customs) -> Change:
    most = current_app.extensions["settings"].max_custom_attributes

    def change(connection: Connection, _: Any, behind: Sequence[Any]) -> None:
        finding.check_room(connection, behind[0].source_id, "customer", customs, most)
        changing.change_customer(connection, behind, {}, customs)

    return change


def _tags(uuid: str, change: Change) -> Response:
    with gate.changing() as connection:
        return answer({"tags": shapes.tags(_recorded(connection, uuid, change))})


def _custom(uuid: str, change: Change) -> Response:
    with gate.changing() as connection:
        return _custom_of(connection, _recorded(connection, uuid, change))


def _custom_of(connection: Connection, row: Any) -> Response:
    return answer({"custom": custom.given(row.custom, attributes.types(connection, "customer"))})


def _recorded(connection: Connection, uuid: str, change: Change) -> Any:
    """Change one customer, with its lines of the audit log; the row as it is then."""
    changed = _changed(connection, uuid, change)
    api_acts.customer_changed(connection, *changed)
    return changed[1]


def _changed(connection: Connection, uuid: str, change: Change) -> tuple[Any, Any, str]:
    """Change one customer; its row before and after, and the kind of the source that leads it."""
    row, behind = finding.held_customer(connection, uuid)
    finding.check_all_open(connection, behind)
    change(connection, row, behind)
    return row, listing.by_id(connection, row.id), behind[0].kind


def _by_email(asked: Reader, change: Change, what: str) -> Response:
    email = asked.text("email")
    if email is None:
        raise ApiError(400, "Say which e-mail the customers have.", "email")
    with gate.changing() as connection:
        rows = listing.customers(connection, Wanted(email=email), 0, MOST_ON_A_PAGE)
        if not rows:
            raise ApiError(404, f'Can\'t find any customers with email: "{email}"', "email")
        if len(rows) > MOST_ON_A_PAGE:
            raise invalid(
                email=f"More than {MOST_ON_A_PAGE} customers have this e-mail. Nothing was changed."
            )
        changed = [_changed(connection, row.uuid, change) for row in rows]
        api_acts.many_changed(connection, what, changed)
        return answer({"entries": shapes.customers(connection, [after for _, after, _ in changed])})
