"""Fills a Segment source and a billing source with customers of whom some are the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine

from bench import filling
from tests import factories
from webapp.database import begin
from webapp.models import Contact, Customer, DataSourceCustomer

EVERY = 2
"""Of so many customers of Segment one is a billing customer too."""
Told = dict[str, Any]


def fill(engine: Engine, customers: int) -> int:
    """Fill an empty, migrated database; how many pairs there are to merge.

    Half of the customers are companies of Segment, each with a contact, the other half billing customers. Of
    the pairs every other one shares its e-mail, the rest the domains of their websites.
    """
    half = customers // 2
    with begin(engine) as connection:
        segment = factories.source(connection, "Segment")
        billing = factories.source(connection, "Billing", kind="billing", policy="", applied_policy="")
    with filling.loading(engine) as connection:
        for model, make in ((Customer, _customer), (DataSourceCustomer, _behind), (Contact, _contact)):
            filling.load(connection, model, _rows(make, half, segment, billing))
    return half // EVERY


def told_by_segment(n: int) -> Told:
    """What Segment tells of one of its companies; `n` counts from 1."""
    return {
        "name": f"{filling.WORDS[n % 15].title()} {n}",
        "email": f"office{n}@mail{n}.example",
        "website_url": f"https://www.company{n}.example/about",
        "custom": {"plan": filling.PLANS[n % 6], "seats": n % 500},
    }


def told_by_billing(n: int) -> Told:
    """What billing tells of one of its customers: of every second one that it is the same as Segment's."""
    told: Told = {"name": f"Account {n}", "country": "DE", "custom": {"tier": n % 3}}
    if n % EVERY:
        return told | {"email": f"pay@other{n}.example", "website_url": f"https://other{n}.example"}
    if n % (2 * EVERY):
        return told | {"email": f"Office{n}@MAIL{n}.example"}
    return told | {"website_url": f"http://company{n}.example"}


def _rows(make: Any, half: int, segment: int, billing: int) -> Iterator[dict[str, Any]]:
    for n in range(1, half + 1):
        yield from make(n, segment, f"org_{n}", told_by_segment(n))
    if make is not _contact:
        for n in range(1, half + 1):
            yield from make(half + n, billing, f"cus_{n}", told_by_billing(n))


def _uuid(source_id: int, id: int) -> str:
    return f"{id:08x}-{source_id:04x}-4000-8000-000000000001"


def _customer(id: int, source_id: int, external_id: str, told: Told) -> Iterator[dict[str, Any]]:
    row = factories.customer_row(source_id, external_id, id=id, uuid=_uuid(source_id, id), **told)
    yield row | {"contacts": int(external_id.startswith("org_"))}


def _behind(id: int, source_id: int, external_id: str, told: Told) -> Iterator[dict[str, Any]]:
    yield {
        "id": id,
        "customer_id": id,
        "source_id": source_id,
        "kind": "company" if external_id.startswith("org_") else "billing",
        "origin_uuid": _uuid(source_id, id),
        "external_id": external_id,
        "told": told,
        "first_seen": factories.SOME_DAY,
        "last_seen": factories.SOME_DAY,
        "leads": True,
        "unmatched": False,
        "created_at": factories.SOME_DAY,
        "updated_at": factories.SOME_DAY,
    }


def _contact(id: int, source_id: int, external_id: str, told: Told) -> Iterator[dict[str, Any]]:
    yield factories.contact_row(
        source_id,
        id,
        id=id,
        uuid=f"{id:08x}-{source_id:04x}-4000-8000-000000000002",
        origin_uuid=_uuid(source_id, id),
        user_id=f"u_{id}",
        email=f"person{id}@mail{id}.example",
        first_name=filling.FIRST[id % 10],
        custom={"role": "owner"},
    )
