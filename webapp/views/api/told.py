"""What bodies tell of customers and contacts, read into what services take."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, func, select

from webapp.domain.countries import country
from webapp.models import User
from webapp.models.customer import LEAD_STATUSES
from webapp.services import edits
from webapp.views.api.asked import Reader

CUSTOMER_TEXTS = ("name", "company", "website_url")
CUSTOMER_TIMES = ("lead_created_at", "free_trial_started_at")
CONTACT_TEXTS = ("first_name", "last_name", "title", "phone", "linked_in", "twitter")
LONGEST_NOTE = 65_536


def customer(asked: Reader) -> dict[str, Any]:
    """The standard attributes that a body tells of a customer; None clears one.

    `address` tells what stands in it as if at the top.
    """
    found = _places(asked.inner("address")) | _places(asked)
    found |= asked.texts(CUSTOMER_TEXTS)
    if "email" in asked.told:
        found["email"] = asked.email()
    return found | {name: asked.time(name) for name in CUSTOMER_TIMES if name in asked.told}


def contact(asked: Reader) -> dict[str, Any]:
    """The standard attributes that a body tells of a contact; its `external_id` is our user id."""
    found: dict[str, Any] = dict(asked.texts(CONTACT_TEXTS))
    if "email" in asked.told:
        found["email"] = asked.email()
    if "external_id" in asked.told:
        found["user_id"] = asked.text("external_id", 255)
    return found


def notes(asked: Reader) -> str | None:
    """The note that a body tells of a contact."""
    return asked.text("notes", LONGEST_NOTE)


def by_people(asked: Reader, connection: Connection, has_subscriptions: bool = False) -> dict[str, Any]:
    """What a body sets that no source tells: `owner` and `status`.

    Args:
        asked: complains of what cannot be set.
        connection: to look the owner up.
        has_subscriptions: whether the status follows from these.
    """
    found: dict[str, Any] = {}
    if "owner" in asked.told:
        found["owner"] = _owner(asked, connection)
    status = asked.text("status")
    if status is not None:
        known = {each.casefold(): each for each in LEAD_STATUSES}.get(status.casefold().replace("_", " "))
        if has_subscriptions:
            asked.complain("status", "The status of this customer follows from its subscriptions.")
        elif known is None:
            asked.complain("status", f"The status of a lead is one of {', '.join(LEAD_STATUSES)}.")
        else:
            found["lead_status"] = known
    return found


def tags(asked: Reader, name: str = "tags") -> list[str] | None:
    """The tags that a body tells; None when it tells none."""
    told = asked.told.get(name)
    if told is None:
        return None
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        asked.complain(name, f"{name} must be a list of texts.")
        return None
    try:
        return edits.checked_tags(told)
    except edits.BadTag as error:
        asked.complain(name, str(error))
        return None


def _places(asked: Reader) -> dict[str, Any]:
    found: dict[str, Any] = asked.texts(("state", "city", "zip"))
    if "address_zip" in asked.told:
        found["zip"] = asked.text("address_zip")
    if "country" in asked.told:
        text = asked.text("country")
        found["country"] = country(text) if text else None
    return found


def _owner(asked: Reader, connection: Connection) -> str | None:
    email = asked.email("owner")
    if email is None:
        return None
    found = connection.scalar(select(User.email).where(User.email == func.lower(email)))
    if found is None:
        asked.complain("owner", "Nobody with this address may sign in here, so nobody can be the owner.")
    return found
