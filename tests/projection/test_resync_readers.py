"""What readers see between the steps of a re-sync: everybody under one policy or the other."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.projection.test_resync import ask, state, work
from tests.projection.workspace import filling, small_steps, source_id  # noqa: F401
from webapp.config import Settings
from webapp.database import writing
from webapp.models import Contact, Customer, Sync
from webapp.services import syncs

Shown = dict[str, dict[str, Any]]


def shown(engine: Engine) -> Shown:
    """Every customer and contact by uuid, each contact with the uuid of its customer."""
    with engine.connect() as connection:
        contacts = connection.execute(
            select(Contact.__table__, Customer.uuid.label("customer")).outerjoin(
                Customer, Customer.id == Contact.customer_id
            )
        ).mappings()
        found = {row["uuid"]: {"kind": "contact", **row} for row in contacts}
        for row in connection.execute(select(Customer.__table__)).mappings():
            found[f"customer {row['uuid']}"] = {"kind": "customer", **row}
    left_out = dict.fromkeys(("id", "customer_id", "created_at", "updated_at"))
    return {uuid: {**row, **left_out} for uuid, row in found.items()}


def contacts_of(rows: Shown) -> int:
    return sum(row["kind"] == "contact" for row in rows.values())


def watched(engine: Engine, settings: Settings, sync_id: int, before: Shown, after: Shown) -> list[int]:
    """Do a re-sync step by step and look in between; how many contacts there were each time."""
    counts = [contacts_of(before)]
    while state(engine, sync_id).state in ("queued", "running", "cancelling"):
        work(engine, settings, sync_id, 1)
        rows = shown(engine)
        for uuid in before.keys() | after.keys() | rows.keys():
            assert rows.get(uuid) in (before.get(uuid), after.get(uuid)), uuid
        own = {f"customer {row['customer']}" for row in rows.values() if row["kind"] == "contact"}
        assert own <= rows.keys()
        assert _counted_contacts(engine) == []
        counts.append(contacts_of(rows))
    assert rows == after
    return counts


def _counted_contacts(engine: Engine) -> list[Any]:
    """Customers whose number of contacts is not the number of contacts that they have."""
    number = select(func.count()).where(Contact.customer_id == Customer.id).scalar_subquery()
    with engine.connect() as connection:
        return list(connection.execute(select(Customer.external_id).where(Customer.contacts != number)))


def test_nobody_is_missing_between_the_steps_of_a_re_sync(
    engine: Engine,
    settings: Settings,
    source_id: int,  # noqa: F811
) -> None:
    """There, back, and once more the same: counts only ever go from the one policy's to the other's."""
    under_user = shown(engine)
    work(engine, settings, ask(engine, source_id, policy="company"))
    under_company = shown(engine)
    assert contacts_of(under_company) < contacts_of(under_user)
    there = watched(engine, settings, ask(engine, source_id, policy="user"), under_company, under_user)
    assert there == sorted(there)
    assert len(set(there)) > 3  # it was looked at halfway
    again = watched(engine, settings, ask(engine, source_id), under_user, under_user)
    assert set(again) == {contacts_of(under_user)}
    back = watched(engine, settings, ask(engine, source_id, policy="company"), under_user, under_company)
    assert back == sorted(back, reverse=True)
    assert len(set(back)) > 3


def test_nobody_is_missing_while_a_re_sync_goes_back(
    engine: Engine,
    settings: Settings,
    source_id: int,  # noqa: F811
) -> None:
    """A cancelled one puts everybody back one by one, and those who stay are never away."""
    under_user = shown(engine)
    work(engine, settings, ask(engine, source_id, policy="company"))
    under_company = shown(engine)
    sync_id = ask(engine, source_id, policy="user")
    work(engine, settings, sync_id, 4)
    assert contacts_of(under_company) < contacts_of(shown(engine)) < contacts_of(under_user)
    with writing(), Session(engine) as session:
        syncs.request_cancel(session, session.get_one(Sync, sync_id))
        session.commit()
    back = watched(engine, settings, sync_id, under_user, under_company)
    assert back[1:] == sorted(back[1:], reverse=True)
    assert state(engine, sync_id).state == "cancelled"
