"""Deleting one of the sources of a merged customer: what goes, what stays, what was written about both."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, insert, select, update

from tests.copies import Fill
from tests.merging.world import Remembered, World
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Contact, Customer, Decision, Edit, KeptUuid, Note, Subscription, now
from webapp.models.base import new_uuid
from webapp.services import detaching, edits, merges
from webapp.services.billing import subscriptions
from webapp.services.billing.subscriptions import SubscriptionTold
from webapp.services.composing import compose
from webapp.services.composing_contacts import compose_contacts
from webapp.services.decisions import By

ACME = {"id": "g1", "name": "Acme"}
ADA = {"email": "ada@x.example", "firstName": "Ada", "company": ACME}


def told_thrice(engine: Engine, settings: Settings) -> Remembered:
    """A company of each of two Segment sources with Ada, and a billing customer that knows her too."""
    world = World(engine, settings)
    world.tell("s", [{"type": "identify", "userId": "u1", "timestamp": 1, "traits": ADA}])
    world.tell("t", [{"type": "identify", "userId": "u9", "timestamp": 2, "traits": ADA | {"plan": "pro"}}])
    world.bill("b1", name="ACME", country="US")
    world.bill_contact("b1", email="ada@x.example", title="CTO")
    return world.remembered


@pytest.fixture
def filling() -> Fill:
    return told_thrice


def customers(world: World) -> list[Any]:
    with world.engine.connect() as connection:
        return list(connection.execute(select(Customer.__table__).order_by(Customer.id)).all())


def shown_contacts(world: World) -> list[Any]:
    with world.engine.connect() as connection:
        query = select(Contact.__table__).where(Contact.within_id.is_(None))
        return list(connection.execute(query.order_by(Contact.id)).all())


def note(world: World, entity: str, origin: str, source: str, text: str) -> None:
    """Write something down about a record."""
    moment = now()
    row = {"entity": entity, "said_of": origin, "origin_uuid": origin, "source_id": world.sources[source]}
    row |= {"uuid": new_uuid(), "text": text, "created_at": moment, "updated_at": moment}
    with begin(world.engine) as connection:
        connection.execute(insert(Note).values(**row))


def notes(world: World) -> dict[str, tuple[str, int]]:
    """By text whom it is about, and of which source."""
    with world.engine.connect() as connection:
        rows = connection.execute(select(Note.text, Note.origin_uuid, Note.source_id)).all()
    return {row.text: (row.origin_uuid, row.source_id) for row in rows}


@pytest.mark.parametrize("gone", ["b", "s"])
def test_the_customer_keeps_its_uuid_and_has_the_other_source_s_data_alone(world: World, gone: str) -> None:
    """Whichever of the two led it; links to it go on leading to it."""
    world.merge(("b", "b1"), ("s", "gg1"))
    (before,) = [row for row in customers(world) if row.composed]
    world.delete(gone)
    (after,) = [row for row in customers(world) if row.uuid == before.uuid]
    told = (after.name, after.country, after.external_id, after.contacts, after.composed)
    assert told == (("Acme", None, "g1", 1, False) if gone == "b" else ("ACME", "US", "b1", 1, False))
    world.check()


def test_what_people_wrote_since_the_merge_stays_and_what_is_older_goes(world: World) -> None:
    """It was about the customer, not about the source."""
    world.edit(("b", "b1"), {"owner": "old@x.example", "tags": ["old"]})
    leader = customers(world)[-1].uuid
    note(world, "customer", leader, "b", "before")
    time.sleep(0.002)
    world.merge(("b", "b1"), ("s", "gg1"))
    world.edit(("b", "b1"), {"name": "By hand", "tags": ["new"]})
    note(world, "customer", leader, "b", "since")
    world.delete("b")
    row = next(row for row in customers(world) if row.uuid == leader)
    assert (row.name, row.tags, row.owner, row.country) == ("By hand", "new", None, None)
    with world.engine.connect() as connection:
        kept = connection.execute(select(KeptUuid.origin_uuid, KeptUuid.uuid)).one()
    assert kept.uuid == leader
    assert notes(world) == {"since": (kept.origin_uuid, world.sources["s"])}


def test_what_was_written_on_a_contact_goes_to_who_was_shown_as_the_same_human(world: World) -> None:
    """Ada of the billing source leads; when that goes, Segment's Ada has her notes and what was set."""
    time.sleep(0.002)
    world.merge(("b", "b1"), ("s", "gg1"))
    (ada,) = [row for row in shown_contacts(world) if row.source_id == world.sources["b"]]
    with begin(world.engine) as connection:
        edits.set_fields(connection, "contact", ada.uuid, ada.source_id, {"title": "Countess"}, None)
        compose_contacts(connection, [ada.customer_id], [ada.uuid])
    note(world, "contact", ada.uuid, "b", "likes tea")
    world.delete("b")
    (left,) = [row for row in shown_contacts(world) if row.source_id == world.sources["s"]]
    assert (left.title, left.first_name, left.user_id) == ("Countess", "Ada", "u1")
    assert notes(world) == {"likes tea": (left.uuid, world.sources["s"])}


def test_who_was_one_only_through_the_source_is_two_again(world: World) -> None:
    """Both Segment sources were merged with the billing customer, never with each other."""
    world.merge(("b", "b1"), ("s", "gg1"))
    world.merge(("b", "b1"), ("t", "gg1"))
    leader = next(row for row in customers(world) if row.composed).uuid
    world.delete("b")
    found = customers(world)
    assert [(row.external_id, row.contacts, row.composed) for row in found] == [("g1", 1, False)] * 2
    assert leader in {row.uuid for row in found}
    with world.engine.connect() as connection:
        assert connection.scalars(select(Decision.id)).all() == []


def test_who_leads_and_stays_keeps_the_uuid_when_others_part(world: World) -> None:
    """Though one of those who are two again now was seen before it."""
    world.tell("s", [{"type": "group", "groupId": "g2", "userId": "u3", "timestamp": 9, "traits": {}}])
    world.merge(("b", "b1"), ("s", "gg1"))
    world.merge(("s", "gg2"), ("s", "gg1"))
    (leader,) = [row.uuid for row in customers(world) if row.composed]
    world.delete("b")
    world.check()
    assert {row.uuid: row.external_id for row in customers(world)}[leader] == "g2"


def test_a_decision_about_somebody_who_is_not_there_goes_with_the_source(world: World) -> None:
    """A person who waits for a company tied two others; deleting that source parts them."""
    world.tell(
        "s", [{"type": "identify", "userId": "u2", "timestamp": 5, "traits": {"email": "z@x.example"}}]
    )
    world.merge(("s", "uu2"), ("t", "gg1"))
    world.merge(("s", "uu2"), ("b", "b1"))
    world.follow("s", "company")
    assert len([row for row in customers(world) if row.composed]) == 1
    world.delete("s")
    assert [row.composed for row in customers(world)] == [False, False]
    world.check()


def subscribe(world: World, name: str, origin: str, source: str = "b") -> None:
    """A subscription that runs."""
    told = SubscriptionTold(name, origin, Decimal(10), "EUR", "month", 1, now() - 10**6)
    with begin(world.engine) as connection:
        subscriptions.put_subscriptions(connection, world.sources[source], [told])


def connections(world: World) -> list[tuple[str, bool]]:
    """Each subscription, and whether it is connected with another."""
    with world.engine.connect() as connection:
        query = select(Subscription.external_id, Subscription.connection_uuid)
        rows = connection.execute(query.order_by(Subscription.external_id)).all()
    return [(row.external_id, row.connection_uuid is not None) for row in rows]


def connected(world: World) -> None:
    """Two subscriptions of two merged billing customers that are one that goes on."""
    world.bill("b2", name="Bolt")
    world.merge(("b", "b1"), ("b", "b2"))
    with begin(world.engine) as connection:
        origins = [world.origin(connection, ("b", name)) or "" for name in ("b1", "b2")]
    for name, origin in zip(("s1", "s2"), origins, strict=True):
        subscribe(world, name, origin)
    with begin(world.engine) as connection:
        subscriptions.connect(connection, connection.execute(select(Subscription.__table__)).all())
    assert connections(world) == [("s1", True), ("s2", True)]


def test_unmerging_ends_connections_between_the_two(world: World) -> None:
    """Subscriptions of two customers are not one that goes on."""
    connected(world)
    world.unmerge(0)
    assert connections(world) == [("s1", False), ("s2", False)]


def test_a_connection_that_is_left_with_one_subscription_ends(world: World) -> None:
    """The other was of the source that was deleted."""
    connected(world)
    with begin(world.engine) as connection:
        moved = update(Subscription).where(Subscription.external_id == "s2")
        connection.execute(moved.values(source_id=world.sources["t"]))
    world.delete("t")
    assert connections(world) == [("s1", False)]


def test_deleting_both_sources_leaves_nothing(world: World) -> None:
    """One after the other; what people wrote goes with the last."""
    world.merge(("b", "b1"), ("s", "gg1"))
    world.edit(("b", "b1"), {"name": "By hand"})
    for source in "bst":
        world.delete(source)
    with world.engine.connect() as connection:
        for model in (Customer, Contact, Decision, Edit, KeptUuid, Note):
            assert connection.scalars(select(model.id)).all() == []


def test_a_customer_can_be_merged_again_after_its_source_was_deleted(world: World) -> None:
    """Under the uuid that it kept; unmerging gives that one back."""
    world.merge(("b", "b1"), ("s", "gg1"))
    kept = next(row for row in customers(world) if row.composed).uuid
    world.delete("b")
    before = world.rows()
    assert world.merge(("t", "gg1"), ("s", "gg1"))
    assert kept not in {row.uuid for row in customers(world)}
    with begin(world.engine) as connection:
        merges.unmerge(connection, connection.scalars(select(Decision.id)).all(), By(), remember=False)
        compose(connection, connection.scalars(select(Customer.id)).all())
    assert world.rows() == before
    assert kept in {row.uuid for row in customers(world)}


def test_customers_with_many_contacts_are_detached_a_few_at_a_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the request to delete a source, and each step of the work, holds nobody up for long."""
    monkeypatch.setattr(detaching, "CONTACTS", 3)
    for number in (2, 3, 4):
        told = {"email": f"u{number}@x.example", "company": {"id": f"g{number}", "name": f"N{number}"}}
        call = {"type": "identify", "userId": f"u{number}", "timestamp": 1, "traits": told}
        world.tell("s", [call, call | {"userId": f"v{number}"}])
        world.bill(f"b{number}")
        world.merge(("b", f"b{number}"), ("s", f"gg{number}"))
    world.merge(("b", "b1"), ("s", "gg1"))
    steps = []
    with begin(world.engine) as connection:
        while detached := detaching.detach(connection, world.sources["b"]):
            steps.append(detached)
    assert steps == [2, 1, 1]
    world.delete("b")
    assert [
        (row.external_id, row.contacts) for row in customers(world) if row.source_id == world.sources["s"]
    ] == [("g1", 1), ("g2", 2), ("g3", 2), ("g4", 2)]
    world.check()
