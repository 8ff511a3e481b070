"""The account itself: it has to see what it is there to see."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import delete, select, update

from tests.faults import account
from tests.faults.sender import OWN, Sender, traffic
from tests.faults.site import Site
from tests.faults.support import facts_of
from tests.projection import support
from webapp.database import begin
from webapp.models import Event
from webapp.models.event import APPLIED, IGNORED, PARKED

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
EVENTS = 1500


@ONE_DATABASE
def test_each_event_of_the_traffic_shows_in_the_files(site: Site) -> None:
    """The files differ when any one of them is not folded, whichever comes after it."""
    events = [json.loads(event) for event in traffic("m", EVENTS)]
    support.receive(site.engine, site.source_id, events)
    support.drain(site.engine, site.settings, site.source_id)
    shown = [
        int(value)
        for file in facts_of(site.engine, site.source_id)
        for row in file
        for name, value in row.items()
        if OWN in name and value
    ]
    told = {int(event["messageId"].split("-")[1]) for event in events if event["type"] != "page"}
    assert sorted(shown) == sorted(told)


@ONE_DATABASE
def test_the_account_does_not_close_when_an_event_is_parked_or_lost(site: Site) -> None:
    """A parked event that the files show, one that they do not, and one that is gone: each is noticed."""
    site.serve()
    sender = Sender(site.address, events=traffic("m", 60)).start().wait()
    support.drain(site.engine, site.settings, site.source_id)
    account.close(site, sender)
    event_ids = select(Event.id).where(Event.source_id == site.source_id).order_by(Event.id)
    with begin(site.engine) as connection:
        ids = {
            state: connection.scalars(event_ids.where(Event.state == state)) for state in (APPLIED, IGNORED)
        }
        some = {state: found.first() for state, found in ids.items()}
    for state in (APPLIED, IGNORED):
        change(site, some[state], PARKED)
        with pytest.raises(AssertionError):
            account.close(site, sender)
        change(site, some[state], state)
    account.close(site, sender)
    with begin(site.engine) as connection:
        connection.execute(delete(Event).where(Event.id == some[IGNORED]))
    with pytest.raises(AssertionError):
        account.close(site, sender)


def change(site: Site, event_id: int | None, state: int) -> None:
    """Give an event another outcome, and leave all that it told."""
    with begin(site.engine) as connection:
        connection.execute(update(Event).where(Event.id == event_id).values(state=state))
