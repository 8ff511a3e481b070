"""What people and automations decide about customers, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, select, update

from tests.copies import Fill
from tests.merging.world import Remembered, World
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Customer, DataSourceCustomer, Decision, Event, Sync
from webapp.models.merging import APART
from webapp.services import decisions, merges, syncs
from webapp.services.decisions import By


def three_companies(engine: Engine, settings: Settings) -> Remembered:
    """Three companies of one Segment source, and two people without a company."""
    world = World(engine, settings)
    world.tell("s", [group(number, f"g{number}") for number in (1, 2, 3)])
    world.tell("s", [identify(number, f"u{number}") for number in (4, 5)])
    return world.remembered


@pytest.fixture
def filling() -> Fill:
    return three_companies


def group(at: int, name: str, **traits: Any) -> dict[str, Any]:
    """What is said of a company."""
    said = {"type": "group", "userId": "u9", "groupId": name, "timestamp": at}
    return said | {"context": {}, "traits": {"name": name, **traits}}


def identify(at: int, user: str, anonymous: str | None = None, **traits: Any) -> dict[str, Any]:
    """What is said of a person."""
    return {"type": "identify", "userId": user, "anonymousId": anonymous, "timestamp": at, "traits": traits}


def merged(world: World, *pairs: tuple[str, str]) -> None:
    """Merge pairs of records of the Segment source in one go."""
    with begin(world.engine) as connection:
        named = [(origin(world, connection, one), origin(world, connection, other)) for one, other in pairs]
        merges.merge(connection, named, By())


def origin(world: World, connection: Any, name: str) -> str:
    return world.origin(connection, ("s", name)) or ""


def names(world: World) -> list[str]:
    """The external ids of the customers."""
    with world.engine.connect() as connection:
        return list(connection.scalars(select(Customer.external_id).order_by(Customer.external_id)))


def test_pairs_of_one_go_are_merged_as_if_one_after_another(world: World) -> None:
    """A pair that an earlier one has brought together decides nothing; the first primary leads."""
    merged(world, ("gg3", "gg1"), ("gg1", "gg2"), ("gg2", "gg3"))
    assert names(world)[0] == "g3"
    with world.engine.connect() as connection:
        assert len(connection.scalars(select(Decision.id)).all()) == 2
    world.check()


def test_a_pair_that_is_one_already_or_is_gone_merges_nothing(world: World) -> None:
    """Nothing of the whole go, and whoever asked is told why."""
    merged(world, ("gg1", "gg2"))
    before = world.rows()
    with pytest.raises(merges.CannotMerge, match="one customer already"):
        merged(world, ("gg3", "uu4"), ("gg2", "gg1"))
    with pytest.raises(merges.CannotMerge, match="no longer there"):
        merged(world, ("gg3", "uu4"), ("gg3", "gone"))
    assert world.rows() == before


def test_who_is_merged_after_all_is_no_longer_held_apart(world: World) -> None:
    """Whichever of their data source customers was said not to be the same."""
    merged(world, ("gg1", "gg2"))
    with begin(world.engine) as connection:
        pair = (origin(world, connection, "gg2"), origin(world, connection, "gg3"))
        merges.say_not_the_same(connection, [pair, pair[::-1]], By())
        apart = select(Decision.id).where(Decision.kind == APART)
        assert len(connection.scalars(apart).all()) == 1
    merged(world, ("gg3", "gg1"))
    with world.engine.connect() as connection:
        assert connection.scalars(apart).all() == []


def test_a_part_that_is_taken_out_is_one_customer_and_stays_out(world: World) -> None:
    """What is left stays one, though what connected it is gone."""
    merged(world, ("gg2", "gg1"), ("gg2", "gg3"))
    with begin(world.engine) as connection:
        merges.split(connection, [origin(world, connection, "gg2")], By())
    assert [name for name in names(world) if name.startswith("g")] == ["g1", "g2"]
    with begin(world.engine) as connection:
        pair = decisions.apart(connection, "customer", [origin(world, connection, "gg2")])
    assert len(pair) == 1
    with begin(world.engine) as connection, pytest.raises(merges.CannotMerge, match="not all"):
        merges.split(connection, [origin(world, connection, "gg2")], By())
    world.check()


def test_somebody_merged_who_gains_a_company_comes_back_merged(world: World) -> None:
    """Under the company they are no customer; when they are one again, the decision holds again."""
    world.bill("b1", name="ACME")
    assert world.merge(("b", "b1"), ("s", "uu4"))
    one = world.rows()
    world.follow("s", "company")
    assert names(world) == ["b1", "g1", "g2", "g3"]
    world.follow("s", "user")
    again = world.rows()
    assert [row.get("uuid") for row in again] == [row.get("uuid") for row in one]
    world.tell("s", [identify(9, "u4", company={"id": "g1"})])
    assert "u4" not in names(world)
    world.check()


def test_who_leads_follows_from_what_is_known_not_from_when(world: World) -> None:
    """The one whom the others were put behind is gone; an earlier word makes another the first."""
    merged(world, ("uu4", "gg2"), ("uu4", "gg3"))
    world.follow("s", "company")
    assert names(world) == ["g1", "g2"]
    world.tell("s", [group(0, "g3")])
    assert names(world) == ["g1", "g3"]
    world.check()


def test_people_that_become_one_bring_their_customers_together_and_part_again(world: World) -> None:
    """A decision speaks of whoever bears the name now, and of each again when they part."""
    world.bill("b1", name="ACME")
    world.tell("s", [identify(6, "", "a1", email="ada@x.example")])
    assert world.merge(("b", "b1"), ("s", "aa1"))
    assert "u4" in names(world)
    world.tell("s", [identify(7, "u4", "a1")])
    assert "u4" not in names(world)
    world.tell("s", [identify(3, "u5", "a1")])
    assert "u4" in names(world)
    assert "u5" not in names(world)
    world.check()


def test_what_waits_follows_a_rebuild(world: World) -> None:
    """Nobody is shown of a person who waits; a decision about them is there when they come."""
    world.bill("b1", name="ACME")
    assert world.merge(("b", "b1"), ("s", "uu4"))
    before = world.rows()
    world.follow("s", "company")
    world.rebuild("s")
    world.follow("s", "user")
    assert [row.get("uuid") for row in world.rows()] == [row.get("uuid") for row in before]
    world.check()


def test_a_merge_decided_while_a_rebuild_places_holds_for_who_somebody_turns_out_to_be(world: World) -> None:
    """Shown as two by what was known before, they are one by what is known now; neither word is lost."""
    world.tell("s", [identify(8, "", "a7", email="ada@x.example")])
    world.bill("b1", name="ACME")
    with begin(world.engine) as connection:
        said = connection.scalars(select(Event.body).order_by(Event.id)).all()
        (old,) = (body for body in said if b'"u4"' in body)
        new = old.replace(b'"traits": {}', b'"traits": {"email": "ada@x.example"}')
        assert new != old
        connection.execute(update(Event).where(Event.body == old).values(body=new))
    sync_id = world.ask("s", "rebuild")
    syncs.run(
        world.engine, sync_id, settings=world.settings, stop=lambda: phase(world, sync_id) == "attached"
    )
    with begin(world.engine) as connection:
        of = select(DataSourceCustomer.origin_uuid)
        (paid, ada) = (
            connection.scalars(of.where(DataSourceCustomer.external_id == name)).one()
            for name in ("b1", "ada@x.example")
        )
        merges.merge(connection, [(paid, ada)], By())
    assert names(world) == ["b1", "g1", "g2", "g3", "u4", "u5"]
    syncs.run(world.engine, sync_id, settings=world.settings)
    assert names(world) == ["b1", "g1", "g2", "g3", "u5"]
    world.check()


def phase(world: World, sync_id: int) -> str:
    """How far long work has come."""
    with world.engine.connect() as connection:
        return connection.scalar(select(Sync.phase).where(Sync.id == sync_id)) or ""
