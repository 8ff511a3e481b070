"""A rebuild tells which records came out differently, and how far it is."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session

from tests.mapping import support as mapped
from tests.projection import support
from tests.projection.test_resync import ask, state, work
from tests.projection.workspace import filling, small_steps, source_id
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.domain.fold import Told, pack
from webapp.domain.identity import company_key, user_key
from webapp.models import Company, Event, Identifier, Person, Source, Sync
from webapp.models.base import new_uuid
from webapp.services import progress, sync_log, syncs

__all__ = ["filling", "small_steps", "source_id"]


def shown_besides(engine: Engine, source_id: int, number: int) -> None:
    """Ids and companies are shown of which no event tells, as many of each."""
    frame = {"source_id": source_id, "generation": 1, "told": pack(Told())}
    with begin(engine) as connection:
        for n in range(number):
            row = frame | {"uuid": new_uuid(), "first_seen": 1, "last_seen": 1}
            connection.execute(Identifier.__table__.insert().values(key=user_key(f"ghost{n}"), **row))
            row["uuid"] = new_uuid()
            connection.execute(Company.__table__.insert().values(key=company_key(f"void{n}"), **row))


def differences(engine: Engine, sync_id: int) -> tuple[list[tuple[str, str, str]], int]:
    """The differing records that are named, and how many more there are."""
    with Session(engine) as session:
        found = sync_log.differences(session.get_one(Sync, sync_id))
    return [(each.what, each.name, each.how) for each in found.named], found.more


def test_what_a_rebuild_did_not_make_again_is_counted_and_named(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """What was shown before and is gone differs, as does what is told differently and what is new."""
    shown_besides(engine, source_id, 2)
    with begin(engine) as connection:
        known = connection.scalars(select(Company.key).order_by(Company.id).limit(2)).all()
        changed, lost = (key.decode() for key in known)
        connection.execute(update(Company).where(Company.key == known[0]).values(told=pack(Told())))
        connection.execute(delete(Company).where(Company.key == known[1]))
    before = sum(support.count_rows(engine, model) for model in (Identifier, Company))
    sync = ask(engine, source_id, "rebuild")
    work(engine, settings, sync)
    result = state(engine, sync).result
    assert (result["differing"], result["compared"]) == (6, before + 1)
    assert differences(engine, sync) == (
        [
            ("Company", changed, "Told differently"),
            ("Company", lost, "Not there before"),
            ("User ID", "ghost0", "Not made again"),
            ("User ID", "ghost1", "Not made again"),
            ("Company", "void0", "Not made again"),
            ("Company", "void1", "Not made again"),
        ],
        0,
    )


def test_all_that_differ_are_counted_and_some_of_each_way_are_named(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """However many are new, those that are gone are named, too."""
    with begin(engine) as connection:
        for model in (Identifier, Person, Company):
            connection.execute(delete(model).where(model.source_id == source_id))
    shown_besides(engine, source_id, 15)
    sync = ask(engine, source_id, "rebuild")
    work(engine, settings, sync)
    named, more = differences(engine, sync)
    ways = [how for *_, how in named]
    assert (ways.count("Not there before"), ways.count("Not made again"), len(ways)) == (20, 20, 40)
    assert more == state(engine, sync).result["differing"] - 40 > 50


def test_what_comes_while_two_generations_are_compared_is_no_difference(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """New people are folded into both; those who came after their page was compared are not missed."""
    sync = ask(engine, source_id, "rebuild")
    while state(engine, sync).phase != "compare companies":
        work(engine, settings, sync, 1)
    newcomers = [{"type": "identify", "userId": f"new{n}", "traits": {}} for n in range(3)]
    support.receive(engine, source_id, newcomers)
    support.drain(engine, settings, source_id)
    work(engine, settings, sync)
    assert state(engine, sync).result["differing"] == 0


def test_differences_that_an_earlier_release_noted_are_listed() -> None:
    """It kept their names alone."""
    old = Sync(kind="rebuild", state="done", result={"compared": 9, "differing": 3, "examples": ["u1", "u2"]})
    found = sync_log.differences(old)
    assert ([each.name for each in found.named], found.more) == (["u1", "u2"], 1)
    assert "such as u1, u2." in sync_log.result_in_words(old)


def percents(engine: Engine, settings: Settings, sync_id: int) -> list[tuple[int, Any]]:
    """The percentage after each step to the end, with the row."""
    seen = []
    while (row := state(engine, sync_id)).state in ("queued", "running"):
        if row.total:
            seen.append((row.done * 100 // row.total, row))
        work(engine, settings, sync_id, 1)
    return seen


def never_falls(seen: list[tuple[int, Any]]) -> bool:
    figures = [percent for percent, _ in seen]
    return all(later >= earlier - 1 for earlier, later in pairwise(figures))


@pytest.mark.parametrize("another_mapping", [False, True])
def test_a_rebuild_knows_from_the_beginning_what_it_goes_through(
    engine: Engine, settings: Settings, source_id: int, another_mapping: bool
) -> None:
    """All phases are in the total from the first step on, and the percentage only grows."""
    if another_mapping:
        rule = {"call": "group", "path": "traits.plan", "to": "customer.custom.tier"}
        mapped.choose(engine, source_id, {"rules": [rule]})
    events = support.count_rows(engine, Event, Event.source_id == source_id)
    sync = ask(engine, source_id, "rebuild")
    seen = percents(engine, settings, sync)
    first, last = seen[0][1], state(engine, sync)
    assert first.total == last.total == last.done > events * (2 if another_mapping else 1)
    assert never_falls(seen)
    halfway = [percent for percent, row in seen if row.phase == "events"][-1]
    assert halfway < 75, "what follows the events has its share"


def test_the_percentage_does_not_fall_when_more_is_made_than_was_shown(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """Nothing was left to tell by how much there will be."""
    for models in ((Identifier, Person, Company), (Person,), (Identifier, Company)):
        with begin(engine) as connection:
            for model in models:
                connection.execute(delete(model).where(model.source_id == source_id))
        sync = ask(engine, source_id, "rebuild")
        seen = percents(engine, settings, sync)
        assert never_falls(seen), [percent for percent, _ in seen]
        assert state(engine, sync).done == state(engine, sync).total


@given(st.integers(0, 10**9), st.integers(1, 10**9), st.integers(0, 10**9))
def test_what_is_left_is_told_as_it_is_and_the_share_that_is_done_does_not_fall(
    done: int, still: int, left: int
) -> None:
    """Whatever was thought before."""
    new_done, new_total = progress.corrected(done, done + still, left)
    assert new_total - new_done == left
    assert new_done >= done
    assert new_done * 100 // max(1, new_total) >= done * 100 // (done + still) - 1 or not left


def test_the_way_back_of_a_rebuild_tells_how_far_it_is(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """It counts what it has to erase, from nothing again."""
    sync = ask(engine, source_id, "rebuild")
    while state(engine, sync).phase != "compare companies":
        work(engine, settings, sync, 1)
    mapped.cancel(engine, sync)
    seen = []
    while (row := state(engine, sync)).state == "cancelling":
        if row.phase == "discard":
            seen.append((row.done, row.total))
        work(engine, settings, sync, 1)
    assert seen[0][0] == 0
    assert seen == sorted(seen)
    assert seen[-1][0] > seen[-1][1] / 2


def test_a_rebuild_is_refused_once_events_were_dropped(engine: Engine, source_id: int) -> None:
    """It would forget what the dropped events told, and the person who asks is told so."""
    with begin(engine) as connection:
        connection.execute(update(Source).values(dropped_before=1))
    with pytest.raises(syncs.CannotRebuild, match="would forget"):
        ask(engine, source_id, "rebuild")


def test_a_rebuild_is_refused_when_events_were_dropped_while_it_was_asked_for(
    engine: Engine, source_id: int
) -> None:
    """What counts is what the source's row says once it is held, not what was read of it before."""
    with Session(engine, expire_on_commit=False) as session:
        source = session.get_one(Source, source_id)
        session.commit()
        with begin(engine) as connection:
            connection.execute(update(Source).values(dropped_before=1))
        with writing(), pytest.raises(syncs.CannotRebuild, match="would forget"):
            syncs.request(session, source, "rebuild")
