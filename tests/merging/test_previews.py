"""What a preview promises about merged customers, and what the re-sync then does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from tests.copies import Fill
from tests.merging.test_deleting import note
from tests.merging.world import Name, Remembered, World
from webapp.config import Settings
from webapp.models import Contact, Customer, Source, Sync
from webapp.services import pacing, previews

PEOPLE = ("u1", "u2", "u3", "u4")
ONE, TWO, THREE, FOUR = (("s", f"u{name}") for name in PEOPLE)
ACME, PAID = ("s", "gg1"), ("b", "b1")
MERGES: dict[str, list[tuple[Name, Name]]] = {
    "nobody": [],
    "with one another": [(ONE, TWO)],
    "with one another, three": [(ONE, TWO), (THREE, TWO)],
    "with a company of theirs": [(ACME, ONE)],
    "leading a company of theirs": [(ONE, ACME)],
    "with another source's": [(PAID, ONE)],
    "leading another source's": [(ONE, PAID)],
    "two with another source's": [(PAID, ONE), (PAID, TWO)],
    "some of each": [(ONE, TWO), (PAID, THREE)],
    "over somebody who waits": [(ONE, TWO), (TWO, PAID)],
    "all that there is": [(PAID, ACME), (ACME, ONE), (TWO, THREE), (THREE, FOUR), (FOUR, ONE)],
}


def four_people_and_a_company(engine: Engine, settings: Settings) -> Remembered:
    """Four people alone and a company of one source, a customer of another."""
    world = World(engine, settings)
    told: list[dict[str, Any]] = [{"type": "identify", "userId": each, "timestamp": 1} for each in PEOPLE]
    world.tell("s", [*told, {"type": "group", "userId": "u9", "groupId": "g1", "timestamp": 2}])
    world.bill("b1", name="ACME")
    return world.remembered


@pytest.fixture
def filling() -> Fill:
    return four_people_and_a_company


@pytest.fixture(params=[1, 100])
def world(
    request: pytest.FixtureRequest,
    remembered: Remembered,
    engine: Engine,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> World:
    """Steps of one row, or of all; see `four_people_and_a_company`."""
    for name in ("LEAST", "FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, request.param)
    return World(engine, settings, remembered)


def numbers(world: World) -> tuple[int, int]:
    """How many customers and contacts there are, of all sources."""
    with world.engine.connect() as connection:
        customers = connection.scalar(select(func.count()).select_from(Customer)) or 0
        return customers, connection.scalar(select(func.count()).select_from(Contact)) or 0


def promised(world: World, policy: str) -> previews.Preview:
    with Session(world.engine) as session:
        return previews.preview(session, session.get_one(Source, world.sources["s"]), policy)


def going(world: World) -> list[tuple[str, bool, bool, bool]]:
    """The list behind the numbers: of each customer its external id, and what people have made of it."""
    with Session(world.engine) as session:
        rows, _ = previews.going(session, session.get_one(Source, world.sources["s"]))
        return sorted(
            (each.customer.external_id, each.has_notes, each.has_edits, each.is_merged) for each in rows
        )


@pytest.mark.parametrize("merged", MERGES)
def test_what_is_promised_is_what_comes(world: World, merged: str) -> None:
    """There and back: in the preview, in the result of the work, and in the tables."""
    for pair in MERGES[merged]:
        assert world.merge(*pair)
    first = numbers(world)
    for policy in ("company", "user"):
        before, asked = numbers(world), promised(world, policy)
        if policy == "company":
            assert len(going(world)) == asked.customers_go + asked.merged
        world.follow("s", policy)
        gained = [after - was for was, after in zip(before, numbers(world), strict=True)]
        assert gained == [
            asked.customers_appear - asked.customers_go,
            asked.contacts_appear - asked.contacts_go,
        ]
        with world.engine.connect() as connection:
            result = connection.scalars(select(Sync.result).order_by(Sync.id.desc())).first() or {}
        told = [result[f"{noun}_{way}"] for noun, way in NUMBERS]
        assert told == [getattr(asked, f"{noun}_{PROMISED[way]}") for noun, way in NUMBERS]
    assert numbers(world) == first


PROMISED = {"added": "appear", "removed": "go"}
NUMBERS = list(itertools.product(("customers", "contacts"), PROMISED))


@pytest.mark.parametrize("world", [100], indirect=True)
def test_a_page_of_the_list_that_would_be_empty_is_passed_over(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All on it are one with somebody on a page before; nothing leads to one behind the last."""
    monkeypatch.setattr(previews, "PAGE", 1)
    for other in (TWO, THREE):
        world.merge(FOUR, other)
    pages, before = [], None
    with Session(world.engine) as session:
        source = session.get_one(Source, world.sources["s"])
        while not pages or before is not None:
            rows, before = previews.going(session, source, before)
            pages.append([each.customer.external_id for each in rows])
    assert sorted(pages) == [["u1"], ["u4"]]


@pytest.mark.parametrize("world", [100], indirect=True)
def test_notes_edits_and_merges_are_counted_by_customer(world: World) -> None:
    """Two people who are one customer count once; who stays since others tell of them is no one that goes."""
    world.merge(ONE, TWO)
    world.merge(PAID, THREE)
    for person in (ONE, TWO, THREE, FOUR):
        with world.engine.connect() as connection:
            origin = world.origin(connection, person) or ""
        note(world, "customer", origin, "s", "xq")
    world.edit(FOUR, {"name": "Xq"})
    asked = promised(world, "company")
    assert (asked.customers_go, asked.contacts_go, asked.merged) == (2, 4, 1)
    assert (asked.with_notes, asked.with_edits) == (2, 1)
    assert going(world) == [
        ("b1", True, False, True),
        ("u1", True, False, True),
        ("u4", True, True, False),
    ]
