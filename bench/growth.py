"""How much slower one worker projects when many persons are stored, with their customers and contacts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Engine

from bench import bodies, common, inboxes, people
from webapp.config import Settings

ROWS = 40_000
NEW = 50_000_000  # the number of the first person whom nobody has stored
WAYS = {"again": "people who come again", "new": "new people"}


def measured(settings: Settings, stored: list[int], rows: int) -> dict[str, Any]:
    """Project events of people who are stored, then events of new ones, ten of each person.

    Args:
        settings: of an installation whose tables are emptied.
        stored: how many persons there are, the fewest first.
        rows: events of each way, of as many persons whatever is stored.

    Returns:
        By number of persons and way what `inboxes.drained` tells; under `growth` by way how many times as
        long an event takes with the most as with the fewest.
    """
    found: dict[str, Any] = {}
    for number in stored:
        engine = common.emptied(settings)
        source_id = people.fill(engine, number, "Stored", policy="user")
        people.place(engine, source_id, settings)
        _settle(engine)
        found[str(number)] = {way: _run(engine, settings, source_id, way, rows, number) for way in WAYS}
        engine.dispose()
    few, many = found[str(stored[0])], found[str(stored[-1])]
    return found | {"growth": {way: few[way]["rate"] / many[way]["rate"] for way in WAYS}}


def _settle(engine: Engine) -> None:
    """Have PostgreSQL write to its files what filling left in memory, instead of beside what is measured."""
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("CHECKPOINT")


def _run(engine: Engine, settings: Settings, source_id: int, way: str, rows: int, number: int) -> inboxes.Run:
    inboxes.receive(engine, source_id, _events(way, rows, number))
    run = inboxes.drained(settings, source_id)
    print(f"  {number:>9,} persons stored, {WAYS[way]}: {run['rate']:,.0f} events/s", flush=True)
    return run


def _events(way: str, rows: int, number: int) -> Iterator[bytes]:
    if way == "again":
        return bodies.returning(rows, number, bodies.NEIGHBOURS)
    return bodies.backlog(rows, rows // bodies.PER_PERSON, bodies.NEIGHBOURS, NEW)


def line(results: dict[str, Any]) -> dict[str, str]:
    """The line of the table that `make bench` writes."""
    few, many = sorted(int(name) for name in results if name != "growth")[:: len(results) - 2]
    what = f"Projection, growth from {few:,} to {many:,} persons: who come again / new people"
    told = " / ".join(f"{results['growth'][way]:.2f}" for way in WAYS)
    return common.line(what, told, "< 1.5")
