"""Re-sync, rebuild and deletion: what they change, what they keep, and that they may be cut off anywhere."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, insert, select, update
from sqlalchemy.orm import Session

from tests.projection import support
from tests.projection.workspace import bodies, filling, small_steps, source_id, workspace
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.models import AuditLine, Base, Company, Event, Identifier, Person, Source, Sync
from webapp.models.event import PARKED
from webapp.services import packing, syncs

__all__ = ["filling", "small_steps", "source_id"]


def ask(engine: Engine, source_id: int, kind: str = "resync", policy: str | None = None) -> int:
    """Ask for long work; its id."""
    with writing(), Session(engine) as session:
        source = session.get_one(Source, source_id)
        source.policy = policy or source.policy
        session.flush()
        if kind == "deletion":
            sync = syncs.request_deletion(session, source)
        else:
            sync = syncs.request(session, source, kind)
        session.commit()
        return sync.id


def work(engine: Engine, settings: Settings, sync_id: int, steps: int | None = None) -> None:
    """Do a piece of work to its end, or so many steps of it."""
    left = [steps if steps is not None else 10**9]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    syncs.run(engine, sync_id, settings=settings, stop=stop)


def state(engine: Engine, sync_id: int) -> Any:
    with engine.connect() as connection:
        return connection.execute(select(Sync.__table__).where(Sync.id == sync_id)).first()


def shown(engine: Engine, source_id: int) -> tuple[list[str], list[str], dict[str, set[str]]]:
    """Everything that tables and exports show of a source, uuids included."""
    customers, contacts = support.tables(engine, source_id)
    return support.in_order(customers), support.in_order(contacts), support.uuids(engine, source_id)


def test_another_policy_and_back_gives_the_same_tables_and_the_same_uuids(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """A policy can be tried out: going back restores every customer and contact, with its uuid."""
    before = shown(engine, source_id)
    there = ask(engine, source_id, policy="company")
    work(engine, settings, there)
    between = shown(engine, source_id)
    assert len(between[0]) < len(before[0])
    assert between[2]["contacts"] < before[2]["contacts"]
    work(engine, settings, ask(engine, source_id, policy="user"))
    assert shown(engine, source_id) == before


def test_a_preview_says_what_the_resync_then_does(engine: Engine, settings: Settings, source_id: int) -> None:
    """What was promised is what comes."""
    for policy in ("company", "user"):
        customers, contacts, _ = shown(engine, source_id)
        with Session(engine) as session:
            source = session.get_one(Source, source_id)
            promised = syncs.preview(session.connection(), source, policy)
        work(engine, settings, ask(engine, source_id, policy=policy))
        after = shown(engine, source_id)
        assert len(after[0]) - len(customers) == promised.customers_appear - promised.customers_go
        assert len(after[1]) - len(contacts) == promised.contacts_appear - promised.contacts_go
        with Session(engine) as session:
            source = session.get_one(Source, source_id)
            assert syncs.waiting(session.connection(), source) == promised.waiting


def beside_one_that_is_done(engine: Engine, settings: Settings) -> tuple[int, int, int]:
    """Two workspaces, and the re-sync of the second to another policy, which nothing disturbed."""
    source_id, undisturbed = workspace(engine, settings), workspace(engine, settings)
    whole = ask(engine, undisturbed, policy="company")
    work(engine, settings, whole)
    return source_id, undisturbed, whole


@pytest.mark.parametrize("filling", [beside_one_that_is_done], ids=["cut"])
@pytest.mark.parametrize("steps", [0, 1, 2, 3, 5])
def test_a_resync_that_lost_its_worker_goes_on_where_it_was(
    engine: Engine, settings: Settings, remembered: tuple[int, int, int], steps: int
) -> None:
    """Whoever picks it up finishes it, and the counts are those of an undisturbed run."""
    source_id, undisturbed, whole = remembered
    cut = ask(engine, source_id, policy="company")
    work(engine, settings, cut, steps)
    assert state(engine, cut).state in ("queued", "running")
    work(engine, settings, cut)
    assert state(engine, cut).state == "done"
    assert shown(engine, source_id)[:2] == shown(engine, undisturbed)[:2]
    assert state(engine, cut).result == state(engine, whole).result
    assert state(engine, cut).done == state(engine, cut).total == state(engine, whole).total


def test_events_that_come_while_a_resync_runs_follow_its_policy(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """Nobody waits for the re-sync, and nobody is placed under the old policy behind its back."""
    sync = ask(engine, source_id, policy="company")
    work(engine, settings, sync, 2)
    newcomer = {"type": "identify", "userId": "newcomer", "traits": {"email": "new@x.example"}}
    support.receive(engine, source_id, [newcomer])
    support.drain(engine, settings, source_id)
    work(engine, settings, sync)
    _, contacts = support.tables(engine, source_id)
    assert "newcomer" not in {contact["user_id"] for contact in contacts}


def test_a_cancelled_resync_puts_everything_back(engine: Engine, settings: Settings, source_id: int) -> None:
    """Cancelling leaves the tables as they were before, under the policy they had."""
    before = shown(engine, source_id)
    sync = ask(engine, source_id, policy="company")
    work(engine, settings, sync, 3)
    assert shown(engine, source_id) != before
    with writing(), Session(engine) as session:
        syncs.request_cancel(session, session.get_one(Sync, sync))
        session.commit()
    work(engine, settings, sync)
    assert state(engine, sync).state == "cancelled"
    assert shown(engine, source_id) == before
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        assert (source.policy, source.applied_policy) == ("company", "user")


def test_a_second_request_joins_the_work_under_way(engine: Engine, source_id: int) -> None:
    """Two people who press Re-sync data get one re-sync."""
    assert ask(engine, source_id) == ask(engine, source_id)


@pytest.mark.parametrize("steps", [0, 3, 12, 24, 33, 45])
def test_a_rebuild_gives_the_same_tables_whenever_it_is_cut_off(
    engine: Engine, settings: Settings, source_id: int, steps: int
) -> None:
    """Folding the whole inbox again changes nothing, uuids included, and leaves one generation."""
    before = shown(engine, source_id)
    sync = ask(engine, source_id, "rebuild")
    work(engine, settings, sync, steps)
    assert shown(engine, source_id) == before
    work(engine, settings, sync)
    done = state(engine, sync)
    assert (done.state, done.done, done.result["differing"]) == ("done", done.total, 0)
    assert done.result["compared"] > 90
    assert shown(engine, source_id) == before
    for model in (Identifier, Person, Company):
        assert support.count_rows(engine, model, model.source_id == source_id, model.generation == 1) == 0


def test_events_that_come_while_a_rebuild_runs_are_in_its_result(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """Also those that were received before, but commit after the rebuild has gone past them."""
    late = support.make_source(engine)
    support.receive(engine, late, bodies("segment-spec-events.ndjson"))
    with begin(engine) as connection:
        early = connection.scalars(select(Event.id).where(Event.source_id == late).order_by(Event.id)).all()
        held = early[50:60]  # these wait, as if their transaction were slow
        connection.execute(update(Event).where(Event.id.in_(held)).values(state=9))
    support.drain(engine, settings, late)
    with begin(engine) as connection:
        connection.execute(update(Event).where(Event.id.in_(held)).values(state=0))
    sync = ask(engine, late, "rebuild")
    work(engine, settings, sync, 6)
    support.drain(engine, settings, late)
    newcomer = [
        {"type": "identify", "userId": "newcomer", "traits": {"plan": plan}} for plan in ("pro", "max")
    ]
    support.receive(engine, late, newcomer[:1])
    support.drain(engine, settings, late)
    work(engine, settings, sync, 19)
    assert state(engine, sync).phase.startswith("compare")
    support.receive(engine, late, newcomer[1:])
    support.drain(engine, settings, late)
    work(engine, settings, sync)
    assert state(engine, sync).result["differing"] == 0
    support.receive(engine, source_id, newcomer)
    support.drain(engine, settings, source_id)
    assert shown(engine, late)[:2] == shown(engine, source_id)[:2]


def test_a_rebuild_that_is_cancelled_leaves_nothing_behind(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """Until the swap a rebuild can be taken back; nobody notices."""
    before = shown(engine, source_id)
    sync = ask(engine, source_id, "rebuild")
    work(engine, settings, sync, 5)
    with writing(), Session(engine) as session:
        syncs.request_cancel(session, session.get_one(Sync, sync))
        session.commit()
    work(engine, settings, sync)
    assert state(engine, sync).state == "cancelled"
    assert shown(engine, source_id) == before
    assert support.count_rows(engine, Identifier, Identifier.generation == 2) == 0


def test_a_rebuild_mends_what_was_lost(engine: Engine, settings: Settings, source_id: int) -> None:
    """Persons and companies can be made again from the inbox alone."""
    before = shown(engine, source_id)[:2]
    with begin(engine) as connection:
        for model in (Identifier, Person, Company):
            connection.execute(delete(model).where(model.source_id == source_id))
    sync = ask(engine, source_id, "rebuild")
    work(engine, settings, sync)
    assert shown(engine, source_id)[:2] == before
    result = state(engine, sync).result
    assert result["differing"] == result["compared"] > 90
    assert len(result["examples"]) == 20


def test_an_event_that_cannot_be_read_stops_no_rebuild(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """It stays parked with its reason, and everything else is folded again."""
    before = shown(engine, source_id)
    with begin(engine) as connection:
        broken = {"digest": b"broken", "received_at": support.RECEIVED_AT, "body": b"{broken", "state": 0}
        connection.execute(insert(Event), [{"source_id": source_id} | broken])
    assert support.drain(engine, settings, source_id).parked == 1
    sync = ask(engine, source_id, "rebuild")
    work(engine, settings, sync)
    assert state(engine, sync).state == "done"
    assert shown(engine, source_id) == before
    assert support.count_rows(engine, Event, Event.source_id == source_id, Event.state == PARKED) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_deletion_that_waits_for_a_reader_gives_way(
    engine: Engine, settings: Settings, source_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader may take hours, and there is one worker for all long work."""
    monkeypatch.setattr(packing, "TRIES", 1)
    sync = ask(engine, source_id, "deletion")
    with engine.connect() as reader:
        reader.execute(select(Source.id)).all()
        syncs.run(engine, sync, settings=settings, give_way=lambda: True)
        assert state(engine, sync).phase == "wiping"
    syncs.run(engine, sync, settings=settings, give_way=lambda: True)
    assert state(engine, sync) is None


def beside_another(engine: Engine, settings: Settings) -> tuple[int, int]:
    """A workspace, and a source that has received other calls."""
    source_id, other = workspace(engine, settings), support.make_source(engine)
    support.receive(engine, other, bodies("segment-destination-bodies.ndjson"))
    support.drain(engine, settings, other)
    return source_id, other


@pytest.mark.parametrize("filling", [beside_another], ids=["cut"])
@pytest.mark.parametrize("steps", [0, 1, 5, 15, 25])
def test_a_deletion_that_is_cut_off_anywhere_leaves_no_row_in_the_end(
    engine: Engine, settings: Settings, remembered: tuple[int, int], steps: int
) -> None:
    """Of the source nothing stays but one line of the audit log; the other source keeps everything."""
    source_id, other = remembered
    kept = shown(engine, other)
    sync = ask(engine, source_id, "deletion")
    work(engine, settings, sync, steps)
    work(engine, settings, sync)
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if "source_id" in table.c:
                assert connection.scalars(select(table).where(table.c.source_id == source_id)).all() == []
        assert connection.scalars(select(AuditLine.action)).all() == ["source.erased"]
        assert connection.scalars(select(Source.id)).all() == [other]
    assert shown(engine, other) == kept


def test_events_of_a_source_being_deleted_are_not_applied(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """What was in flight when the source was deleted goes with it."""
    support.receive(engine, source_id, [{"type": "identify", "userId": "late", "traits": {}}])
    sync = ask(engine, source_id, "deletion")
    assert support.drain(engine, settings, source_id).total == 0
    work(engine, settings, sync)
    assert support.count_rows(engine, Event) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_byte_of_a_deleted_source_stays_in_the_files(
    engine: Engine, settings: Settings, tmp_path: Path
) -> None:
    """Not in a freed page, not in the gaps of pages that it shared with another source, not in the log."""
    kept, gone = support.make_source(engine), support.make_source(engine)
    order = random.Random(1).sample(range(1000), 1000)
    for start in range(0, 1000, 50):
        for source, mark in ((kept, "keptkept"), (gone, "xqmarkerx")):
            support.receive(engine, source, [_marked(mark, n) for n in order[start : start + 50]])
            support.drain(engine, settings, source)
    assert any(b"xqmarkerx" in file.read_bytes() for file in tmp_path.glob("tributary.db*"))
    work(engine, settings, ask(engine, gone, policy="company"))
    work(engine, settings, ask(engine, gone, "deletion"))
    for file in tmp_path.glob("tributary.db*"):
        assert b"xqmarkerx" not in file.read_bytes(), file.name
    assert support.count_rows(engine, Event, Event.source_id == kept) == 1000


def _marked(mark: str, number: int) -> dict[str, Any]:
    """A call whose every text bears a mark; their lengths differ, so that rows move from page to page."""
    traits = {"email": f"{mark}{number}@x.example", "firstName": mark * (number % 8 + 1), "plan": number}
    company = {"id": f"{mark}c{number % 50}", "name": mark}
    return {"type": "identify", "userId": f"{mark}{number}", "traits": traits | {"company": company}}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_deletion_waits_for_a_reader_before_it_says_that_it_is_done(
    engine: Engine, settings: Settings, source_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until the log of SQLite can be emptied the work stays open, and whoever comes later ends it."""
    monkeypatch.setattr(syncs, "NOT_READY", 0.01)
    monkeypatch.setattr(packing, "TRIES", 1)  # each waits for the reader half a second
    sync = ask(engine, source_id, "deletion")
    with engine.connect() as reader:
        reader.execute(select(Source.id)).all()  # holds what it sees
        work(engine, settings, sync, 80)
        assert state(engine, sync).phase == "wiping"
    work(engine, settings, sync)
    assert state(engine, sync) is None
