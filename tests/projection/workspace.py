"""A made-up workspace that a source has applied, and long work in small steps: fixtures to import."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from tests.copies import Fill
from tests.projection import support
from webapp.config import Settings
from webapp.services import pacing, rows

DATA = Path(__file__).parents[1] / "data"


def bodies(name: str) -> list[bytes]:
    return (DATA / name).read_bytes().splitlines()


def workspace(engine: Engine, settings: Settings) -> int:
    """A source that has received and applied the calls of a made-up workspace; its id."""
    source_id = support.make_source(engine, "user")
    support.receive(engine, source_id, bodies("segment-spec-events.ndjson"))
    support.drain(engine, settings, source_id)
    return source_id


@pytest.fixture
def filling() -> Fill:
    return workspace


@pytest.fixture
def source_id(remembered: int) -> int:
    """See `workspace`."""
    return remembered


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps so small that every piece of work takes many."""
    for name in ("LEAST", "FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, 20)
    monkeypatch.setattr(rows, "PART", 3)
