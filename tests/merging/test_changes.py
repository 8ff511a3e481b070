"""When nothing changes, nothing is written: tables that are open do not say that there is news."""

from __future__ import annotations

from sqlalchemy import Engine, select

from tests.merging.world import World
from webapp.config import Settings
from webapp.models import Contact, Customer

ACME = {"id": "g1", "name": "Acme"}


def call(at: int, user: str = "u1", **traits: object) -> dict[str, object]:
    """An identify call that names a company too."""
    return {"type": "identify", "timestamp": at, "userId": user, "traits": {"company": ACME, **traits}}


def merged(engine: Engine, settings: Settings) -> World:
    """A company with two people, merged with a billing customer that knows one of them."""
    world = World(engine, settings)
    world.tell("s", [call(1, email="ada@x.example", plan="pro"), call(2, "u2", email="bob@x.example")])
    world.bill("b1", name="ACME")
    world.bill_contact("b1", email="ADA@x.example", title="CTO")
    assert world.merge(("b", "b1"), ("s", "gg1"))
    return world


def moments(engine: Engine) -> list[tuple[str, int]]:
    """When each customer and contact last became another."""
    with engine.connect() as connection:
        return [
            (row.uuid, row.updated_at)
            for model in (Customer, Contact)
            for row in connection.execute(select(model.uuid, model.updated_at).order_by(model.uuid))
        ]


def test_a_resync_and_a_rebuild_of_what_is_as_it_was_change_no_row(
    engine: Engine, settings: Settings
) -> None:
    """Neither of plain rows, nor of those that show what several sources tell."""
    world = merged(engine, settings)
    before = moments(engine)
    world.follow("s", "user")
    world.rebuild("s")
    assert moments(engine) == before


def test_a_word_that_is_not_shown_changes_no_row(engine: Engine, settings: Settings) -> None:
    """The billing source's name leads; what Segment calls the company is kept, and nobody is told of news."""
    world = merged(engine, settings)
    before = dict(moments(engine))
    group = {"type": "group", "timestamp": 1, "messageId": "later", "userId": "u1", "groupId": "g1"}
    world.tell("s", [group | {"traits": {"name": "Acme Inc"}}])
    assert dict(moments(engine)) == before


def test_a_value_that_becomes_true_is_not_the_number_one(engine: Engine, settings: Settings) -> None:
    """To Python they are equal; a merged record shows which it is."""
    world = merged(engine, settings)
    for at, value in ((5, 1), (6, True)):
        world.tell("s", [call(at, email="ada@x.example", seats=value)])
        with engine.connect() as connection:
            shown = connection.scalars(select(Contact.custom).where(Contact.within_id.is_(None))).all()
        assert [custom["seats"] for custom in shown if "seats" in custom] == [value]
        assert {type(custom["seats"]) for custom in shown if "seats" in custom} == {type(value)}
