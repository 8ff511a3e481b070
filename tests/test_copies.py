"""Tests that begin alike are given copies of one database, and know nothing of each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests import factories
from tests.conftest import settings_for
from tests.copies import Copy
from webapp.config import Settings
from webapp.database import begin, make_engine
from webapp.models import Source


def names(copy: Copy, folder: Path) -> list[str]:
    """The sources of a copy, to which one is added once they are read."""
    engine = make_engine(settings_for(copy.url, folder / "data"))
    with begin(engine) as connection:
        found = connection.scalars(select(Source.name).order_by(Source.id)).all()
        factories.source(connection, "Only here")
    engine.dispose()
    return list(found)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_is_made_once_is_in_every_copy_and_what_a_test_makes_in_its_own_alone(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str
) -> None:
    """No test can pass or fail for what another has done, be its database filled or empty."""
    asked = []

    def fill(engine: Engine, _settings: Settings) -> dict[str, int]:
        asked.append(1)
        with begin(engine) as connection:
            return {"id": factories.source(connection, "Everywhere")}

    originals: Any = request.getfixturevalue(f"{kind}_originals")
    for number, (filling, expected) in enumerate([(fill, ["Everywhere"]), (None, [])] * 2):
        folder = tmp_path / str(number)
        folder.mkdir()
        copy = originals.copy(folder, filling)
        assert names(copy, folder) == expected
        assert copy.remembered == (None if filling is None else {"id": 1})
        if filling is not None:
            copy.remembered["id"] = 2
        originals.kind.drop(copy.name)
    assert len(asked) == 1
