"""Long work whose process is killed at each named place, and goes on: equal to work that nobody disturbed."""

from __future__ import annotations

from sqlalchemy import func, select

from tests.faults.support import House, files_with
from tests.projection import support
from webapp.models import AuditLine, Base, Source

STEPS = ("after_claim:2", "before_commit:2", "after_commit:2")


def test_a_drain_killed_anywhere_loses_and_doubles_nothing(house: House) -> None:
    """What waits is read once, whether its process died before it, in it, or just after it."""
    undisturbed = house.facts(house.source())
    source_id = house.source(drained=False)
    for place in ("after_claim", "mid_batch", "before_commit", "after_commit"):
        house.killed("drain", source_id, f"drain.{place}")
    support.receive(house.engine, source_id, [])
    house.finished("drain", source_id)
    assert house.facts(source_id) == undisturbed


def test_a_re_sync_killed_anywhere_ends_as_one_that_was_not(house: House) -> None:
    """There and back, killed on every way: byte for byte the same files, uuids included."""
    source_id = house.source("user")
    files = {"user": house.files(source_id)}
    house.finished("sync", house.ask(source_id, "resync", "company"))
    files["company"] = house.files(source_id)
    assert files["company"] != files["user"]
    policy = "user"
    for place in (*STEPS, "mid_batch"):
        sync = house.ask(source_id, "resync", policy)
        house.killed("sync", sync, f"resync.{place}")
        assert house.state(sync) == "running" or place.startswith("after_claim")
        house.finished("sync", sync)
        assert house.state(sync) == "done"
        assert house.files(source_id) == files[policy], place
        policy = {"user": "company", "company": "user"}[policy]


def test_a_re_sync_of_everybody_killed_anywhere_changes_nothing(house: House) -> None:
    """The same policy again, which places companies and persons anew, leaves every byte as it was."""
    source_id = house.source("user")
    before = house.files(source_id)
    sync = house.ask(source_id, "resync")
    for place in ("mid_batch:1", "after_commit:2", "mid_batch:2"):
        house.killed("sync", sync, f"resync.{place}")
    house.finished("sync", sync)
    assert house.files(source_id) == before


def test_a_rebuild_killed_anywhere_ends_as_it_began(house: House) -> None:
    """Before, in and after the swap: the same files, one generation, and nothing that differed."""
    source_id = house.source("user")
    before = house.files(source_id)
    for places in (
        ("after_claim:2", "mid_batch", "before_commit:2", "before_swap", "mid_swap"),
        ("after_commit:3", "after_swap"),
    ):
        sync = house.ask(source_id, "rebuild")
        for place in places:
            house.killed("sync", sync, f"rebuild.{place}")
            assert house.files(source_id) == before, place
        house.finished("sync", sync)
        assert house.state(sync) == "done"
        assert house.files(source_id) == before


def test_a_deletion_killed_anywhere_leaves_nothing(house: House) -> None:
    """No row, no file of the data directory, and the other source as it was."""
    other, source_id = house.source(), house.source()
    support.receive(house.engine, source_id, [{"type": "identify", "userId": "xqmarkerx", "traits": {}}])
    support.drain(house.engine, house.settings, source_id)
    kept = house.files(other)
    sync = house.ask(source_id, "deletion")
    places = ["after_claim", "mid_erase", "before_commit:2", "after_commit:3", "mid_erase:4"]
    for place in (*places, "before_wiping", "after_wiping"):
        house.killed("sync", sync, f"deletion.{place}")
        assert house.state(sync) is not None, place
    house.finished("sync", sync)
    with house.engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            if "source_id" in table.c:
                left = select(func.count()).select_from(table).where(table.c.source_id == source_id)
                assert connection.scalar(left) == 0, table.name
        assert connection.scalars(select(Source.id)).all() == [other]
        assert connection.scalars(select(AuditLine.action)).all() == ["source.erased"]
    assert house.files(other) == kept
    if house.engine.dialect.name == "sqlite":
        assert files_with(house.settings.data_dir.parent, b"xqmarkerx") == []
