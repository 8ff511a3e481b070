"""The world that a module's `filling` made once."""

import pytest
from sqlalchemy import Engine

from tests.merging.world import Remembered, World
from webapp.config import Settings


@pytest.fixture
def world(remembered: Remembered, engine: Engine, settings: Settings) -> World:
    """A copy of what the module's `filling` made."""
    return World(engine, settings, remembered)
