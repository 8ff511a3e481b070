"""The account that closes every fault: what was acknowledged is stored, and what is stored is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, func, insert, select

from tests.faults.sender import Sender, until
from tests.faults.site import Site
from tests.faults.support import facts_of
from tests.projection.support import make_source
from webapp.database import begin
from webapp.domain import digests
from webapp.models import Event, Source, Tally
from webapp.models.event import PENDING, STATES
from webapp.services import projection


@dataclass(frozen=True)
class Account:
    """What became of the events of a source, in counts.

    Attributes:
        acknowledged: answered with 200, repeats included.
        unsure: of requests that went out and were never answered.
        stored: rows of the inbox.
        duplicates: that the source counted.
        states: events per outcome: pending, applied, ignored, parked.
    """

    acknowledged: int
    unsure: int
    stored: int
    duplicates: int
    states: dict[str, int]

    @property
    def unanswered(self) -> int:
        """Events that were committed, and whose answer was lost: their sender sent them again."""
        return self.stored + self.duplicates - self.acknowledged

    def __str__(self) -> str:
        states = " + ".join(f"{count} {state}" for state, count in self.states.items())
        return (
            f"{self.acknowledged} acknowledged + {self.unanswered} committed unanswered = "
            f"{self.stored} stored + {self.duplicates} duplicates; {self.stored} stored = {states}"
        )


def close(
    site: Site,
    *senders: Sender,
    source_id: int | None = None,
    seconds: float = 180,
    commits_lost: bool = False,
) -> Account:
    """Wait until nothing is pending, which comes by itself; then hold the account, and print it.

    Nothing acknowledged is missing, and nothing is there that nobody sent; every event has one outcome, none
    is parked, since no trouble of a test's is an event's own; and outcomes and files are those of a fresh
    installation that folds the same inbox undisturbed.

    Args:
        site: that was disturbed.
        senders: all that sent to the source, and are done.
        source_id: of the source; the site's own unless given.
        seconds: to wait for what is pending.
        commits_lost: whether the database itself was cut off, so that a commit may have succeeded unheard
            of: a call that was refused with 503 may then be stored, and is a duplicate when it comes again.
    """
    engine, source_id = site.engine, source_id or site.source_id
    until(lambda: site.pending(source_id) == 0, "nothing is pending", seconds)
    account = _account(engine, source_id, senders)
    print(f"\n{account}")
    assert not [sender.dropped for sender in senders if sender.dropped]
    refused = sum(sender.failures["503"] for sender in senders) if commits_lost else 0
    assert 0 <= account.unanswered <= account.unsure + refused
    assert account.stored == sum(account.states.values())
    with engine.connect() as connection:
        stored = set(connection.scalars(select(Event.digest).where(Event.source_id == source_id)))
    assert {digests.digest(event) for sender in senders for event in sender.acknowledged} <= stored
    assert stored <= {digests.digest(event) for sender in senders for event in sender.sent}
    assert account.states["parked"] == 0
    fresh_id = _folded_anew(site, source_id)
    assert _states(engine, source_id) == _states(site.fresh, fresh_id)
    assert facts_of(engine, source_id) == facts_of(site.fresh, fresh_id)
    return account


def _folded_anew(site: Site, source_id: int) -> int:
    """The source of a fresh installation that has the same inbox, and folded it all at once; its id."""
    columns = (Event.digest, Event.received_at, Event.body)
    with site.engine.connect() as connection:
        inbox = connection.execute(select(*columns).where(Event.source_id == source_id).order_by(Event.id))
        rows: list[dict[str, Any]] = [dict(row) for row in inbox.mappings()]
        policy = connection.scalar(select(Source.applied_policy).where(Source.id == source_id))
    fresh_id = make_source(site.fresh, str(policy))
    with begin(site.fresh) as connection:
        connection.execute(insert(Event), [row | {"source_id": fresh_id, "state": PENDING} for row in rows])
    projection.drain(site.fresh, fresh_id, settings=site.settings)
    return fresh_id


def _account(engine: Engine, source_id: int, senders: tuple[Sender, ...]) -> Account:
    states = _states(engine, source_id)
    tallies = select(func.sum(Tally.received), func.sum(Tally.duplicates)).where(Tally.source_id == source_id)
    with engine.connect() as connection:
        received, duplicates = connection.execute(tallies).one()
        stored = select(func.count()).select_from(Event).where(Event.source_id == source_id)
        account = Account(
            sum(sender.count for sender in senders),
            sum(sender.unsure for sender in senders),
            connection.scalar(stored) or 0,
            int(duplicates or 0),
            {name: states.get(state, 0) for state, name in STATES.items()},
        )
    counted = int(received or 0) - account.duplicates
    assert account.stored == counted, "the source counts other events than it holds"
    return account


def _states(engine: Engine, source_id: int) -> dict[int, int]:
    grouped = select(Event.state, func.count()).where(Event.source_id == source_id).group_by(Event.state)
    with engine.connect() as connection:
        rows: Any = connection.execute(grouped)
        return dict(rows.tuples().all())
