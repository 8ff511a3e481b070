"""Sources that were merged are projected at once by several workers, and nobody's word is lost."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import Engine, select

from tests.merging.world import World
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Customer
from webapp.services.composing import compose
from webapp.services.composing_contacts import compose_contacts

CALLS = 25


def calls(kind: str) -> list[dict[str, Any]]:
    """Calls that each change what both a company and its person say."""
    return [
        {
            "type": "identify",
            "userId": "u1",
            "timestamp": at,
            "traits": {
                "email": "ada@x.example",
                f"{kind}_{at}": at,
                "company": {"id": "g1", "name": f"{kind} {at}", f"{kind}_{at}": at},
            },
        }
        for at in range(1, CALLS + 1)
    ]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_two_workers_on_two_merged_sources_lose_nothing(engine: Engine, settings: Settings) -> None:
    """What is shown in the end is what composing everything anew gives."""
    world = World(engine, settings)
    for source in "st":
        world.tell(source, calls(source)[:1])
    assert world.merge(("s", "gg1"), ("t", "gg1"))

    def work(source: str) -> None:
        for call in calls(source)[1:]:
            world.tell(source, [call])

    workers = [threading.Thread(target=work, args=(source,)) for source in "st"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    before = world.rows()
    world.check()
    with begin(engine) as connection:
        ids = connection.scalars(select(Customer.id)).all()
        compose(connection, ids)
        compose_contacts(connection, ids)
    assert world.rows() == before
    with engine.connect() as connection:
        (custom,) = connection.scalars(select(Customer.custom)).all()
    assert len(custom) == 2 * CALLS
