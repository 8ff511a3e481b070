"""Sources with a mapping, and rebuilds run step by step, for tests of mappings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from tests.projection.support import drain, make_source, receive
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.models import Event, PathSighting, Source, Sync
from webapp.services import export, mapping, syncs

IDS = ("uuid", "customer_uuid")


def choose(engine: Engine, source_id: int, document: Any) -> None:
    """Make a mapping the chosen one."""
    with Session(engine) as session:
        mapping.replace(session, session.get_one(Source, source_id), document)


def mapped_source(engine: Engine, document: Any, policy: str = "user") -> int:
    """A source that has followed a mapping from its first event on; its id."""
    source_id = make_source(engine, policy)
    with begin(engine) as connection:
        columns = {"mapping": document, "applied_mapping": document}
        connection.execute(update(Source).where(Source.id == source_id).values(**columns))
    return source_id


def ask(engine: Engine, source_id: int, kind: str = "rebuild") -> int:
    """Ask for a rebuild; its id."""
    with writing(), Session(engine) as session:
        sync = syncs.request(session, session.get_one(Source, source_id), kind)
        session.commit()
        return sync.id


def work(engine: Engine, settings: Settings, sync_id: int, steps: int | None = None) -> None:
    """Do it to its end, or so many steps of it."""
    left = [10**9 if steps is None else steps]

    def stop() -> bool:
        left[0] -= 1
        return left[0] < 0

    syncs.run(engine, sync_id, settings=settings, stop=stop)


def rebuild(engine: Engine, settings: Settings, source_id: int) -> None:
    """Rebuild a source."""
    work(engine, settings, ask(engine, source_id))


def row(engine: Engine, model: Any, row_id: int) -> Any:
    """A row as the database has it."""
    with engine.connect() as connection:
        return connection.execute(select(model.__table__).where(model.id == row_id)).one()


def phase(engine: Engine, sync_id: int) -> str:
    """What a piece of work is busy with."""
    return str(row(engine, Sync, sync_id).phase)


def exported(engine: Engine, source_id: int, folder: Path) -> list[list[tuple[str, str]]]:
    """What the two files of a source say but the uuids, in an order of their content alone."""
    told = []
    for path in export.write(engine, source_id, folder):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        told += [sorted((name, value) for name, value in each.items() if name not in IDS) for each in rows]
        told.append([("columns", ",".join(rows[0]) if rows else "")])
    return sorted(told)


def outcomes(engine: Engine, source_id: int) -> list[tuple[Any, ...]]:
    """What the events' rows say became of them, by body."""
    columns = (Event.body, Event.state, Event.reason, Event.subject, Event.company, Event.warnings)
    with engine.connect() as connection:
        rows = connection.execute(select(*columns).where(Event.source_id == source_id)).all()
    return sorted((bytes(each[0]), *map(repr, each[1:])) for each in rows)


def counted(engine: Engine, source_id: int) -> dict[tuple[str, str, str], int]:
    """Calls by (path, call, name), of the generation that is shown."""
    query = select(PathSighting.path, PathSighting.call, PathSighting.name, PathSighting.count)
    query = query.join(Source, Source.id == PathSighting.source_id)
    query = query.where(PathSighting.source_id == source_id, PathSighting.generation == Source.generation)
    with engine.connect() as connection:
        return {(each[0], each[1], each[2]): each[3] for each in connection.execute(query)}


def add(engine: Engine, settings: Settings, source_id: int, events: list[Any]) -> None:
    """Receive some events and fold them."""
    receive(engine, source_id, events)
    drain(engine, settings, source_id)


def cancel(engine: Engine, sync_id: int) -> None:
    """Take a rebuild back."""
    with writing(), Session(engine) as session:
        syncs.request_cancel(session, session.get_one(Sync, sync_id))
        session.commit()


def sync(engine: Engine, sync_id: int) -> Any:
    """A piece of work as the database has it."""
    return row(engine, Sync, sync_id)


def source(engine: Engine, source_id: int) -> Source:
    """A source as the database has it."""
    with Session(engine) as session:
        found = session.get_one(Source, source_id)
        session.expunge(found)
        return found
