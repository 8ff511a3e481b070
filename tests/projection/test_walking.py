"""Going through companies, each with its persons: in parts, and whatever an earlier release left."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, select, update

from tests.projection import support
from tests.projection.test_resync import ask, shown, state, work
from tests.projection.workspace import bodies, small_steps
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Contact, Customer, DataSourceCustomer, Sync
from webapp.services import resync

__all__ = ["small_steps"]


def test_a_company_with_more_persons_than_a_step_takes_is_gone_through_in_parts(
    engine: Engine, settings: Settings
) -> None:
    """Each of its persons comes once, whoever goes on in the middle of them, and its contacts are counted."""
    source_id = support.make_source(engine, "user")
    group = {"type": "group", "groupId": "large", "traits": {"name": "Large"}}
    support.receive(engine, source_id, [group | {"userId": f"u{n}"} for n in range(50)])
    support.receive(engine, source_id, [{"type": "group", "userId": "one", "groupId": "small"}])
    support.drain(engine, settings, source_id)
    before = shown(engine, source_id)
    forget_what_is_shown(engine)
    sync = ask(engine, source_id)
    while state(engine, sync).state != "done":
        work(engine, settings, sync, 1)
    assert shown(engine, source_id) == before
    assert state(engine, sync).result["contacts_added"] == 51
    assert state(engine, sync).done == state(engine, sync).total == 53
    with engine.connect() as connection:
        assert set(connection.scalars(select(Customer.contacts))) == {50, 1}


@pytest.mark.parametrize("phase", resync.BEGUN_AGAIN)
def test_work_that_an_earlier_release_left_is_begun_again(
    engine: Engine, settings: Settings, phase: str
) -> None:
    """It went through companies and persons apart; nobody is left out, wherever it was."""
    source_id = support.make_source(engine, "user")
    support.receive(engine, source_id, bodies("segment-spec-events.ndjson"))
    support.drain(engine, settings, source_id)
    before = shown(engine, source_id)
    forget_what_is_shown(engine)
    for kind in ("resync", "rebuild"):
        sync = ask(engine, source_id, kind)
        left = {"phase": phase, "cursor": 10**6, "started_at": 1, "state": "running"}
        with begin(engine) as connection:
            connection.execute(update(Sync).where(Sync.id == sync).values(**left))
        work(engine, settings, sync)
        assert state(engine, sync).state == "done"
        assert shown(engine, source_id) == before


def forget_what_is_shown(engine: Engine) -> None:
    """Take away what was placed, of all sources."""
    with begin(engine) as connection:
        for model in (Contact, DataSourceCustomer, Customer):
            connection.execute(delete(model))
