"""Cancelling long work: what it leaves, that it says exactly that, and until when it can be done."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from tests.projection import support
from tests.projection.test_resync import ask, shown, state, work
from tests.projection.workspace import filling, small_steps, source_id
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.models import Contact, Source, Sync
from webapp.services import attribute_changes, attributes, syncs
from webapp.services.sync_log import result_in_words

__all__ = ["filling", "small_steps", "source_id"]


def ignore(engine: Engine, key: str = "plan", entity: str = "customer") -> None:
    """Choose that a custom attribute is not imported any more."""
    with Session(engine) as session:
        attributes.ignore(session, entity, key, True)


def cancel(engine: Engine, sync_id: int) -> None:
    """Ask that work be taken back."""
    with writing(), Session(engine) as session:
        syncs.request_cancel(session, session.get_one(Sync, sync_id))
        session.commit()


def words(engine: Engine, sync_id: int) -> str:
    """What is said of work that has ended."""
    with Session(engine) as session:
        return result_in_words(session.get_one(Sync, sync_id))


def waits(engine: Engine, source_id: int) -> list[str]:
    """Attributes that the settings page asks a re-sync for."""
    with Session(engine) as session:
        return [each.key for each in attribute_changes.pending(session, session.get_one(Source, source_id))]


def told(engine: Engine, source_id: int) -> set[str]:
    """The custom attributes that the customers of a source show."""
    customers, _ = support.tables(engine, source_id)
    return {key for customer in customers for key in customer["custom"]}


def test_who_cancels_after_an_attribute_was_ignored_is_told_that_it_is_so_now(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """The policy is back; the way back went through everybody, so nobody is asked for a re-sync any more."""
    people = shown(engine, source_id)[2]
    assert "plan" in told(engine, source_id)
    ignore(engine)
    sync = ask(engine, source_id, policy="company")
    work(engine, settings, sync, 3)
    assert waits(engine, source_id) == ["plan"]
    cancel(engine, sync)
    work(engine, settings, sync)
    assert state(engine, sync).state == "cancelled"
    assert shown(engine, source_id)[2] == people
    assert "plan" not in told(engine, source_id)
    assert waits(engine, source_id) == []
    assert words(engine, sync) == (
        "The policy is as it was before. What was ignored or imported again is so for everybody now: plan."
    )


def test_who_cancels_before_it_began_finds_everything_as_it_was(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """An attribute that was ignored then waits as before."""
    before = shown(engine, source_id)
    ignore(engine)
    sync = ask(engine, source_id, policy="company")
    cancel(engine, sync)
    work(engine, settings, sync)
    assert shown(engine, source_id) == before
    assert waits(engine, source_id) == ["plan"]
    assert words(engine, sync) == "Everything is as it was before."


@pytest.mark.parametrize("goes_back", [False, True])
def test_an_attribute_ignored_after_everybody_may_have_been_placed_still_waits(
    engine: Engine, settings: Settings, source_id: int, goes_back: bool
) -> None:
    """Some records follow it and some do not; that is said, and the settings go on asking."""
    if goes_back:
        ignore(engine)
    sync = ask(engine, source_id, policy="company")
    work(engine, settings, sync, 3)
    if goes_back:
        cancel(engine, sync)
        work(engine, settings, sync, 3)
        ignore(engine, "industry")
    else:
        ignore(engine, "industry")
        cancel(engine, sync)
    work(engine, settings, sync)
    assert waits(engine, source_id) == ["industry"]
    said = words(engine, sync)
    assert said.startswith("The policy is as it was before. ")
    assert said.endswith("Ignored or imported again meanwhile, which takes another re-sync: industry.")
    assert ("for everybody now: plan." in said) is goes_back


def test_contacts_that_move_are_told_of(engine: Engine, settings: Settings, source_id: int) -> None:
    """Nobody comes or goes, yet something changed: people stood under another customer than is told."""
    with begin(engine) as connection:
        one, other = connection.scalars(
            select(Contact.customer_id).distinct().order_by(Contact.customer_id).limit(2)
        ).all()
        strayed = update(Contact).where(Contact.customer_id == one).values(customer_id=other)
        number = connection.execute(strayed).rowcount
    sync = ask(engine, source_id)
    work(engine, settings, sync)
    assert words(engine, sync) == f"{number} contact{'s' if number > 1 else ''} moved."


def at_the_swap(engine: Engine, settings: Settings, sync_id: int) -> None:
    """Go on until nothing but the swap of a rebuild is left to do before it shows."""
    while state(engine, sync_id).phase != "swap":
        work(engine, settings, sync_id, 1)


def test_a_rebuild_can_be_taken_back_until_its_swap_and_no_longer(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """Who comes late is told so, and the rebuild goes on as if nobody had asked."""
    first = ask(engine, source_id, "rebuild")
    at_the_swap(engine, settings, first)
    cancel(engine, first)
    work(engine, settings, first)
    assert state(engine, first).state == "cancelled"
    assert words(engine, first) == "Everything is as it was before."
    second = ask(engine, source_id, "rebuild")
    at_the_swap(engine, settings, second)
    work(engine, settings, second, 1)
    with pytest.raises(syncs.CannotCancel, match="can no longer be taken back"):
        cancel(engine, second)
    assert state(engine, second).state == "running"
    work(engine, settings, second)
    assert state(engine, second).state == "done"
    with pytest.raises(syncs.CannotCancel, match="has ended"):
        cancel(engine, second)
