"""A backlog is read ahead by another process, and nothing depends on that process."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.projection import support
from webapp.config import Settings
from webapp.models import Event
from webapp.services import ahead, pacing, pending, projection
from webapp.services.momentum import Momentum

WAITING = 120


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes that read ahead, for batches of a size that a test has the time for."""
    started: list[subprocess.Popen[bytes]] = []

    class Noted(subprocess.Popen[bytes]):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    for module in (ahead, projection):
        monkeypatch.setattr(module, "WORTH", 20)
    for name in ("FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, 40)
    yield started
    assert all(process.returncode is not None for process in started)


def _events() -> list[dict[str, Any]]:
    return [
        {
            "type": "identify",
            "userId": f"u{number % 50}",
            "messageId": f"m{number}",
            "traits": {"email": f"u{number % 50}@mail.example", "plan": f"p{number}", "seats": number},
        }
        for number in range(WAITING)
    ]


def _rows(engine: Engine, source: int) -> list[str]:
    return sorted(repr(row) for rows in support.tables(engine, source) for row in rows)


def test_what_is_read_ahead_ends_in_the_same_tables(
    engine: Engine, settings: Settings, readers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether another process reads a backlog or the drain itself makes no difference to any row."""
    one, other = support.make_source(engine), support.make_source(engine)
    support.receive(engine, one, _events())
    support.receive(engine, other, _events())
    assert support.drain(engine, settings, one).applied == WAITING
    assert len(readers) == 1
    monkeypatch.setattr(ahead, "WORTH", WAITING)
    assert support.drain(engine, settings, other).applied == WAITING
    assert len(readers) == 1
    assert _rows(engine, one) == _rows(engine, other)


def test_a_reader_that_is_killed_is_done_without(
    engine: Engine, settings: Settings, readers: list[Any]
) -> None:
    """What a killed reader was to read is read by the drain, which does not start another."""
    source = support.make_source(engine)
    support.receive(engine, source, _events())

    def kill() -> bool:
        for process in readers:
            process.kill()
        return False

    drained = projection.drain(engine, source, settings=settings, stop=kill)
    assert (drained.applied, len(readers)) == (WAITING, 1)


def _after(batches: int) -> Callable[[], bool]:
    """Says stop after so many batches."""
    asked = iter(range(batches))
    return lambda: next(asked, None) is None


def test_a_backlog_drained_in_slices_has_one_reader(
    engine: Engine, settings: Settings, readers: list[Any]
) -> None:
    """Slices of two sources take turns, each goes on with the reader of those before, and no row differs."""
    whole, one, other = (support.make_source(engine) for _ in range(3))
    for source in (whole, one, other):
        support.receive(engine, source, _events())
    support.drain(engine, settings, whole)
    readers.clear()
    with Momentum() as momentum:
        for _ in range(WAITING // 40):
            for source in (one, other):
                projection.drain(engine, source, settings=settings, stop=_after(1), momentum=momentum)
        assert [process.poll() for process in readers] == [None]
        for source in (one, other):
            assert not projection.drain(engine, source, settings=settings, momentum=momentum).total
        assert [process.poll() for process in readers] != [None]
    assert _rows(engine, one) == _rows(engine, other) == _rows(engine, whole)


def test_a_reader_that_nobody_asks_ends_by_itself(
    engine: Engine, settings: Settings, readers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is left of a backlog may be drained by another worker; the reader does not wait for ever."""
    monkeypatch.setattr(ahead, "IDLE", 0.1)
    source = support.make_source(engine)
    support.receive(engine, source, _events())
    with Momentum() as momentum:
        some = projection.drain(engine, source, settings=settings, stop=_after(1), momentum=momentum)
        assert readers[0].wait(timeout=60) == 0
        rest = projection.drain(engine, source, settings=settings, momentum=momentum)
    assert some.applied + rest.applied == WAITING


def test_what_is_read_ahead_heeds_the_limit_of_custom_attributes(
    engine: Engine, settings: Settings, readers: list[Any]
) -> None:
    """The other process does not know how many keys a source has; events are told without those over it."""
    source = support.make_source(engine)
    support.receive(engine, source, _events())
    support.drain(engine, replace(settings, max_custom_attributes=1), source)
    with engine.connect() as connection:
        warnings = list(connection.scalars(select(Event.warnings).where(Event.source_id == source)))
    assert warnings == [[["over_limit", "seats"]]] * WAITING
    assert all(list(contact["custom"]) == ["plan"] for contact in support.tables(engine, source)[1])


def test_batches_that_were_asked_for_are_not_taken_once_others_want_to_write(
    engine: Engine, settings: Settings, readers: list[Any]
) -> None:
    """They are as large as batches were then; who waits now would wait for the whole of each."""
    source = support.make_source(engine)
    support.receive(engine, source, _events())
    with engine.connect() as connection:
        row = projection.lock(connection, source)
        assert row is not None
        events = pending.first(connection, source, 100)
        asked = ahead.Asked(source, events, row.applied_mapping)
        assert ahead.is_next(connection, row, asked, 100)
        assert ahead.is_next(connection, row, asked, 50)
        assert not ahead.is_next(connection, row, asked, 20)


def test_one_source_does_not_take_what_was_read_for_another(
    engine: Engine, settings: Settings, readers: list[Any]
) -> None:
    """A small batch of one leaves what is read for the other alone; a large one has the reader for itself."""
    noisy, quiet, large = (support.make_source(engine) for _ in range(3))
    for source in (noisy, large):
        support.receive(engine, source, _events())
    support.receive(engine, quiet, _events()[:3])
    with Momentum() as momentum:
        projection.drain(engine, noisy, settings=settings, stop=_after(2), momentum=momentum)
        projection.drain(engine, quiet, settings=settings, momentum=momentum)
        asked = momentum.ahead.answer(noisy)
        assert asked is not None
        assert asked.source_id == noisy
        projection.drain(engine, noisy, settings=settings, stop=_after(1), momentum=momentum)
        projection.drain(engine, large, settings=settings, stop=_after(1), momentum=momentum)
        assert momentum.ahead.answer(noisy) is None
        for source in (noisy, large):
            projection.drain(engine, source, settings=settings, momentum=momentum)
    assert len(readers) == 1
    assert _rows(engine, noisy) == _rows(engine, large)
