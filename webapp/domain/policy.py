"""The policy: which customers and contacts follow from persons and companies. A pure view, so it can be
previewed, run again and proven."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from webapp.domain.fold import Told, customs, standing
from webapp.domain.persons import Person
from webapp.domain.text import clean

USER, COMPANY = "user", "company"

# Where a person goes.
UNDER_COMPANY = "company"  # a contact of that company's customer
OWN = "own"  # a customer of their own, and a contact of it
WAITS = "waits"  # for a company
NOBODY = "nobody"  # until they tell a user id or an e-mail


def place(person: Person, policy: str) -> str:
    """Where a person goes under a policy: UNDER_COMPANY, OWN, WAITS or NOBODY."""
    if person.user_id is None and person.email is None:
        return NOBODY
    if person.company is not None:
        return UNDER_COMPANY
    return OWN if policy == USER else WAITS


def company_customer(key: bytes, told: Told, ignored: Set[str] = frozenset()) -> dict[str, Any]:
    """The customer that a company becomes under both policies: its columns by name."""
    details = standing(told)
    return _customer(
        external_id=clean(key.decode("utf-8", "surrogatepass")),
        details=details,
        custom={k: v for k, v in customs(told).items() if k not in ignored},
        seen=(told.first_seen, told.last_seen),
    )


def own_customer(person: Person) -> dict[str, Any]:
    """The customer that a person attached to no company becomes: name and e-mail, nothing else is copied."""
    email = person.email
    external_id = clean(person.user_id) if person.user_id is not None else (email or "").lower()
    details = {"name": full_name(person.details) or email or external_id}
    if email:
        details["email"] = email
    return _customer(
        external_id=external_id,
        details=details,
        custom={},
        seen=(person.first_seen, person.last_seen),
    )


def contact(person: Person, ignored: Set[str] = frozenset()) -> dict[str, Any]:
    """The contact that an imported person becomes: its columns by name."""
    details = person.details
    return {
        "user_id": clean(person.user_id) if person.user_id is not None else None,
        **{name: details.get(name) for name in CONTACT_DETAILS},
        "custom": {k: v for k, v in customs(person.told).items() if k not in ignored},
        "first_seen": person.first_seen,
        "last_seen": person.last_seen,
    }


CONTACT_DETAILS = ("email", "first_name", "last_name", "title", "phone", "linked_in", "twitter")
CUSTOMER_DETAILS = ("name", "email", "website_url", "country", "state", "city", "zip")


def full_name(details: dict[str, str]) -> str:
    """First and last name, or the one that was told, or an empty text."""
    return " ".join(part for name in ("first_name", "last_name") if (part := details.get(name)))


def _customer(
    external_id: str,
    details: dict[str, str],
    custom: dict[str, Any],
    seen: tuple[int | None, int | None],
) -> dict[str, Any]:
    return {
        "external_id": external_id,
        **{name: details.get(name) for name in CUSTOMER_DETAILS},
        "custom": custom,
        "first_seen": seen[0],
        "last_seen": seen[1],
    }
