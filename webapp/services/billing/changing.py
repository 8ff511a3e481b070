"""Changing single customers and contacts, whoever tells of them, and removing those of billing sources.

What a billing source tells is changed where it is told. What a Segment source tells is not ours to change: it
is set by hand, over what the source tells. All works in the caller's transaction, which holds the lock of
every source involved (`hold`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, or_, select

from webapp.domain.attributes import Value
from webapp.models import Contact, Decision, Edit, KeptUuid, Note, Source, Subscription, now
from webapp.models.attribute import BY_HAND
from webapp.services import edits, keeping
from webapp.services.billing.records import (
    ContactChange,
    CustomerChange,
    note_customs,
    put_contacts,
    put_customers,
    recount,
)
from webapp.services.billing.subscriptions import remove_subscriptions
from webapp.services.composing import compose
from webapp.services.composing_contacts import compose_contacts
from webapp.services.merging import leave
from webapp.services.rows import delete_in, select_in
from webapp.services.visibility import ACTIVE

BILLING = "billing"


class ToldElsewhere(ValueError):
    """A source that is not ours to change tells of it; the message is for who asked."""


def hold(connection: Connection, source_ids: Iterable[int]) -> dict[int, Any]:
    """Lock sources until the transaction ends.

    Returns:
        Their rows by id, as they are now; without those that are gone or being deleted.
    """
    query = select(Source.__table__).where(Source.id.in_(sorted(set(source_ids)))).order_by(Source.id)
    rows = connection.execute(query.with_for_update(key_share=True)).all()
    return {row.id: row for row in rows if row.state == ACTIVE}


def change_customer(
    connection: Connection,
    behind: Sequence[Any],
    values: Mapping[str, Any],
    custom: Mapping[str, Value | None],
    user_id: int | None = None,
) -> None:
    """Change what a customer shows.

    Args:
        behind: rows of its data source customers, the primary first.
        values: standard attributes; None clears.
        custom: custom attributes, the same way.
        user_id: who does it; None for the API.
    """
    if not values and not custom:
        return
    leader = behind[0]
    if leader.kind == BILLING:
        put_customers(connection, leader.source_id, [CustomerChange(leader.external_id, values, custom)])
        # Said later than what somebody set by hand, so that does not hide it.
        edits.unset(connection, "customer", [row.origin_uuid for row in behind], _fields(values, custom))
    else:
        _set_over(connection, "customer", leader.origin_uuid, leader.source_id, values, custom, user_id)
    compose(connection, [leader.customer_id])


def set_on_customer(
    connection: Connection, behind: Sequence[Any], fields: Mapping[str, Any], user_id: int | None = None
) -> None:
    """Set fields that no source tells: `owner`, `lead_status`; see `change_customer`."""
    if fields:
        leader = behind[0]
        edits.set_fields(connection, "customer", leader.origin_uuid, leader.source_id, fields, user_id)
        compose(connection, [leader.customer_id])


def tag_customer(
    connection: Connection, behind: Sequence[Any], tags: Iterable[str], user_id: int | None = None
) -> None:
    """Give a customer exactly these tags; see `change_customer`."""
    sources = {row.origin_uuid: row.source_id for row in behind}
    edits.set_tags(connection, sources, tags, user_id)
    compose(connection, [behind[0].customer_id])


def change_contact(
    connection: Connection,
    row: Any,
    kind: str,
    values: Mapping[str, Any],
    custom: Mapping[str, Value | None],
    user_id: int | None = None,
) -> None:
    """Change what a contact shows.

    Args:
        row: of `contacts`.
        kind: of its source.
        values: standard attributes; None clears.
        custom: custom attributes, the same way.
        user_id: who does it; None for the API.
    """
    if kind == BILLING:
        change = ContactChange(row.uuid, row.origin_uuid, values, custom)
        put_contacts(connection, row.source_id, [change])
        edits.unset(connection, "contact", [row.uuid], _fields(values, custom))
    else:
        _set_over(connection, "contact", row.uuid, row.source_id, values, custom, user_id)
    compose_contacts(connection, [row.customer_id], [row.uuid])
    recount(connection, row.source_id, [row.uuid], [row.customer_id])


def remove_customer(connection: Connection, behind: Sequence[Any]) -> None:
    """Delete a customer of billing sources, with all that these told of it and people wrote on it.

    Args:
        behind: rows of its data source customers, all of them.

    Raises:
        ToldElsewhere: a Segment source stands behind it too.
    """
    if any(row.kind != BILLING for row in behind):
        raise ToldElsewhere(
            "A Segment source tells of this customer and would bring it back. Nothing was deleted. "
            "Unmerge the billing customer first, or delete the source."
        )
    origins = [row.origin_uuid for row in behind]
    contacts = select_in(
        connection, select(Contact.id, Contact.uuid), Contact.customer_id, {row.customer_id for row in behind}
    )
    keeping.release(connection, [row.id for row in contacts])
    delete_in(connection, Contact, Contact.id, [row.id for row in contacts])
    _forget(connection, "contact", [row.uuid for row in contacts])
    paid = select_in(connection, select(Subscription.id), Subscription.origin_uuid, origins)
    remove_subscriptions(connection, [row.id for row in paid])
    _forget(connection, "customer", origins)
    delete_in(connection, KeptUuid, KeptUuid.origin_uuid, origins)
    leave(connection, origins)


def remove_contact(connection: Connection, row: Any, kind: str) -> None:
    """Delete a contact of a billing source.

    Args:
        row: of `contacts`.
        kind: of its source.

    Raises:
        ToldElsewhere: a Segment source tells of it.
    """
    if kind != BILLING:
        raise ToldElsewhere(
            "A Segment source tells of this contact and would bring it back. Nothing was deleted."
        )
    others = keeping.release(connection, [row.id])
    connection.execute(delete(Contact).where(Contact.id == row.id))
    _forget(connection, "contact", [row.uuid])
    recount(connection, row.source_id, others, [row.customer_id])


def _set_over(
    connection: Connection,
    entity: str,
    origin_uuid: str,
    source_id: int,
    values: Mapping[str, Any],
    custom: Mapping[str, Value | None],
    user_id: int | None,
) -> None:
    """Set values by hand over what a Segment source tells; a new key gets its column like any other."""
    said = {**values, **{f"custom.{key}": value for key, value in custom.items()}}
    edits.set_fields(connection, entity, origin_uuid, source_id, said, user_id)
    note_customs(connection, source_id, entity, [custom], now(), BY_HAND)


def _fields(values: Mapping[str, Any], custom: Mapping[str, Any]) -> list[str]:
    return [*values, *(f"custom.{key}" for key in custom)]


def _forget(connection: Connection, entity: str, origins: Sequence[str]) -> None:
    """Delete what people and automations set, wrote and decided about records."""
    for model in (Edit, Note):
        query = select(model.id).where(model.entity == entity)
        gone = [row.id for row in select_in(connection, query, model.origin_uuid, origins)]
        delete_in(connection, model, model.id, gone)
    ends = or_(Decision.primary_now.in_(origins), Decision.other_now.in_(origins))
    connection.execute(delete(Decision).where(Decision.entity == entity, ends))
