"""Lines of the audit log on what a program changed over the API, as pages write them on what people do.

What a billing source tells is data, however it comes, and writes no line for each record; neither does what
leaves a record as it was, so a program that says the same every hour does not bury what others did.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from webapp.domain.composing import CONTACT_VALUES, CUSTOMER_VALUES, TAG_SEPARATOR
from webapp.services import audit
from webapp.services.billing.changing import BILLING


def customer_changed(connection: Connection, before: Any, after: Any, kind: str) -> None:
    """Say what people would have been said to set on a customer, as far as it is another now.

    Args:
        before, after: rows of `customers`.
        kind: of the primary's source.
    """
    for action, details in _acts(before, after, kind):
        on_customer(connection, action, after, **details)


def many_changed(connection: Connection, what: str, changed: Sequence[tuple[Any, Any, str]]) -> None:
    """Say in one line how many customers one call changed.

    Args:
        what: they were given.
        changed: of each what `customer_changed` takes.
    """
    count = sum(bool(_acts(*each)) for each in changed)
    if count:
        number = f"{count:,} customer{'' if count == 1 else 's'}"
        audit.record(connection, "customer.many_changed", what=what, number=number)


def on_customer(connection: Connection, action: str, row: Any, **details: Any) -> None:
    """Write a line on a customer, by its row."""
    audit.record_on(connection, action, None, [row.source_id], record=f"cus_{row.uuid}", **details)


def contact_changed(connection: Connection, before: Any, after: Any, kind: str) -> None:
    """As `customer_changed`, of rows of `contacts`."""
    if kind != BILLING and (names := _set(before, after, CONTACT_VALUES)):
        on_contact(connection, "contact.value_set", after, attribute=", ".join(names))


def on_contact(connection: Connection, action: str, row: Any, **details: Any) -> None:
    """Write a line on a contact, by its row."""
    audit.record_on(connection, action, None, [row.source_id], record=f"con_{row.uuid}", **details)


def _acts(before: Any, after: Any, kind: str) -> list[tuple[str, dict[str, Any]]]:
    acts: list[tuple[str, dict[str, Any]]] = []
    if before.lead_status != after.lead_status:
        acts.append(("customer.status_set", {"status": after.lead_status}))
    if before.owner != after.owner:
        acts.append(("customer.owner_set" if after.owner else "customer.owner_taken", {}))
    if set(before.tags.split(TAG_SEPARATOR)) != set(after.tags.split(TAG_SEPARATOR)):
        acts.append(("customer.tagged", {}))
    if kind != BILLING and (names := _set(before, after, CUSTOMER_VALUES)):
        acts.append(("customer.value_set", {"attribute": ", ".join(names)}))
    return acts


def _set(before: Any, after: Any, names: Sequence[str]) -> list[str]:
    """Names of the attributes that are others now; never their values."""
    changed = [name for name in names if getattr(before, name) != getattr(after, name)]
    keys = sorted({*before.custom, *after.custom})
    return changed + [f"custom.{key}" for key in keys if before.custom.get(key) != after.custom.get(key)]
