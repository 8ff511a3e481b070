"""The records that a call names, or a 404 that says which was not found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from webapp.domain.text import written
from webapp.services import attributes, listing
from webapp.services.billing import changing
from webapp.services.standing import customer_ids
from webapp.views.api.answers import ApiError, invalid, missing
from webapp.views.api.asked import argument
from webapp.views.api.custom import Customs
from webapp.views.api.shapes import SYSTEMS

PAUSED_FOR = "60"
"""Seconds after which a source that was paused is worth another try."""


def customer(connection: Connection, uuid: str) -> Any:
    """The row of a customer."""
    return listing.one(connection, "customer", uuid) or _missing("Customer")


def customer_of(connection: Connection, origin_uuid: str) -> Any:
    """The row of the customer behind which a data source customer stands."""
    customer_id = customer_ids(connection, [origin_uuid]).get(origin_uuid, 0)
    return listing.by_id(connection, customer_id) or _missing("Customer")


def behind_origin(connection: Connection, origin_uuid: str) -> Sequence[Any]:
    """What stands behind the customer of a data source customer, the primary first."""
    customer_id = customer_ids(connection, [origin_uuid])[origin_uuid]
    return listing.behind(connection, [customer_id])[customer_id]


def held_customer(connection: Connection, uuid: str) -> tuple[Any, Sequence[Any]]:
    """The row of a customer whose sources are all locked, and what stands behind it, the primary first."""
    [row], behind = held(connection, lambda: [customer(connection, uuid)])
    return row, behind[row.id]


def held(connection: Connection, find: Callable[[], list[Any]]) -> tuple[list[Any], dict[int, list[Any]]]:
    """Customers whose sources are all locked, and what stands behind each, the primary first.

    Args:
        find: gives their rows; asked again after each lock, since they may be merged meanwhile.
    """
    locked: set[int] = set()
    while True:
        rows = find()
        behind = listing.behind(connection, [row.id for row in rows])
        wanted = {each.source_id for all in behind.values() for each in all} - locked
        if not wanted:
            return rows, behind
        changing.hold(connection, wanted)
        locked |= wanted


def contact(connection: Connection, uuid: str, param: str | None = None) -> Any:
    """The row of a contact, as `listing.contacts` gives it."""
    row = listing.contact(connection, uuid)
    if row is None:
        raise missing("Contact", param)
    return row


def held_contact(connection: Connection, uuid: str) -> tuple[Any, str]:
    """The row of a contact whose customer's sources are all locked, and the kind of its own source."""
    row = contact(connection, uuid)
    held_customer(connection, row.customer_uuid)
    row = contact(connection, uuid)
    return row, listing.sources(connection)[row.source_id].kind


def plan(connection: Connection, uuid: str) -> Any:
    """The row of a plan."""
    return listing.one(connection, "plan", uuid) or _missing("Plan")


def source(connection: Connection, public_id: str) -> Any | None:
    """The row of a source that may be seen; None when there is none."""
    return next((row for row in listing.sources(connection).values() if f"ds_{row.uuid}" == public_id), None)


def billing_source(connection: Connection, public_id: str, param: str = "data_source_uuid") -> Any:
    """The row of a billing source, locked, that may be written to.

    Raises:
        ApiError: 422, when there is no such source or it is none of billing; 503, while it is paused.
    """
    found = source(connection, public_id)
    found = changing.hold(connection, [found.id]).get(found.id) if found is not None else None
    if found is None:
        raise invalid(**{param: "There is no data source with this uuid. Nothing was changed."})
    if found.kind != changing.BILLING:
        raise invalid(**{param: "What a Segment source tells comes from Segment alone. Nothing was changed."})
    check_open(found)
    return found


def check_open(source: Any) -> None:
    """Stop while a billing source is paused.

    Raises:
        ApiError: 503.
    """
    if source.kind == changing.BILLING and source.pause:
        message = f"The source {source.name} is paused. Nothing was changed. Send this again later."
        raise ApiError(503, message, "data_source_uuid", headers={"Retry-After": PAUSED_FOR})


def check_all_open(connection: Connection, behind: Sequence[Any]) -> None:
    """Stop while a billing source behind a customer is paused (see `check_open`)."""
    sources = listing.sources(connection)
    for source_id in {row.source_id for row in behind}:
        check_open(sources[source_id])


def check_room(connection: Connection, source_id: int, entity: str, custom: Customs, most: int) -> None:
    """Stop when a source would have more custom attributes than it may.

    Raises:
        ApiError: 422.
    """
    known = {each.key for each in attributes.exported(connection, entity, source_id)}
    new = custom.keys() - known
    if new and len(known) + len(new) > most:
        raise invalid(
            custom=f"A source has at most {most:,} custom attributes of {entity}s. Nothing was changed."
        )


def wanted_sources(connection: Connection) -> list[int] | None:
    """Ids of the sources that `data_source_uuid` and `system` ask for; None when they ask for none."""
    named, system = argument("data_source_uuid"), argument("system")
    if named is None and system is None:
        return None
    return [
        row.id
        for row in listing.sources(connection).values()
        if named in (None, f"ds_{row.uuid}") and (system is None or _is_of(row, system))
    ]


def named_customer(connection: Connection, told: Mapping[str, Any], param: str) -> Any:
    """The row of a customer that a body names, by `customer_uuid`, or by source and external id."""
    if isinstance(uuid := told.get("customer_uuid"), str):
        row = listing.one(connection, "customer", uuid)
    else:
        found = source(connection, written(told.get("data_source_uuid")) or "")
        at = (
            listing.at_source(connection, found.id, written(told.get("external_id")) or "") if found else None
        )
        row = listing.by_id(connection, at.customer_id) if at is not None else None
    if row is None:
        raise missing("Customer", param)
    return row


def _is_of(row: Any, system: str) -> bool:
    return system.casefold().replace("_", " ") in (row.kind, SYSTEMS.get(row.kind, "").casefold())


def _missing(what: str) -> Any:
    raise missing(what)
