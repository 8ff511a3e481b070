"""Pause and resume: received and kept, and not applied by anything, until the source is resumed."""

import pytest
from sqlalchemy import Engine, select, update

from tests.projection import support
from tests.projection.test_resync import ask, work
from tests.projection.workspace import bodies
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event, Source, WebhookUrl, now
from webapp.models.event import PENDING
from webapp.services import pacing, projection, tokens, upkeep

HALF = 200


@pytest.fixture
def source_id(engine: Engine, settings: Settings) -> int:
    """A source that has applied the first calls of a made-up workspace, was paused, and received the rest."""
    source_id = support.make_source(engine)
    calls = bodies("segment-spec-events.ndjson")
    support.receive(engine, source_id, calls[:HALF])
    support.drain(engine, settings, source_id)
    pause(engine, source_id, "keep")
    support.receive(engine, source_id, calls[HALF:])
    return source_id


def pause(engine: Engine, source_id: int, mode: str) -> None:
    """Pause a source, or end its pause with an empty mode."""
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.id == source_id).values(pause=mode))


def waiting(engine: Engine, source_id: int) -> int:
    """How many events wait."""
    return support.count_rows(engine, Event, Event.source_id == source_id, Event.state == PENDING)


def shown(engine: Engine, source_id: int) -> list[list[str]]:
    """What the tables show."""
    return [support.in_order(rows) for rows in support.tables(engine, source_id)]


@pytest.mark.parametrize("kind", ["drain", "resync", "rebuild"])
def test_nothing_that_waits_is_applied_while_a_source_is_paused(
    engine: Engine, settings: Settings, source_id: int, kind: str
) -> None:
    """Not by a worker, not by a re-sync or a rebuild, not by the sweeper."""
    before, kept = shown(engine, source_id), waiting(engine, source_id)
    assert kept > 100
    if kind == "drain":
        assert support.drain(engine, settings, source_id).total == 0
    else:
        work(engine, settings, ask(engine, source_id, kind))
    assert upkeep.waiting(engine) == []
    assert (shown(engine, source_id), waiting(engine, source_id)) == (before, kept)


def test_a_pause_makes_no_difference_in_the_end(engine: Engine, settings: Settings, source_id: int) -> None:
    """After Resume the tables are those of a source that was never paused."""
    pause(engine, source_id, "")
    assert upkeep.waiting(engine) == [source_id]
    support.drain(engine, settings, source_id)
    straight = support.make_source(engine)
    support.receive(engine, straight, bodies("segment-spec-events.ndjson"))
    support.drain(engine, settings, straight)
    assert waiting(engine, source_id) == 0
    assert shown(engine, source_id) == shown(engine, straight)


def test_a_worker_in_the_middle_stops_at_the_pause(
    engine: Engine, settings: Settings, source_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pause takes hold between two batches, however much waits."""
    for name in ("LEAST", "FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, 20)
    pause(engine, source_id, "")
    kept = waiting(engine, source_id)
    asked: list[int] = []

    def paused_after_one_batch() -> bool:
        asked.append(1)
        if len(asked) == 2:
            pause(engine, source_id, "keep")
        return False

    drained = projection.drain(engine, source_id, settings=settings, stop=paused_after_one_batch)
    assert drained.total == 20
    assert waiting(engine, source_id) == kept - 20


def test_a_paused_source_can_be_deleted_with_all_its_secrets(
    engine: Engine, settings: Settings, source_id: int
) -> None:
    """URLs, write keys, old and new, and what waits: nothing of it is left."""
    with begin(engine) as connection:
        for kind, digest in (("url", tokens.digest("t")), ("key", tokens.key_digest("k"))):
            row = {"source_id": source_id, "kind": kind, "token_digest": digest, "created_at": now()}
            connection.execute(WebhookUrl.__table__.insert().values(**row))
    work(engine, settings, ask(engine, source_id, "deletion"))
    with engine.connect() as connection:
        assert connection.scalars(select(Source.id)).all() == []
        assert connection.scalars(select(WebhookUrl.id)).all() == []
    assert support.count_rows(engine, Event) == 0
