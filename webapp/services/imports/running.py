"""Long work on an import: its files are looked through, or what was chosen of them is stored.

Whoever takes an import up counts its `turn` up, and writes only while that is still its own. Calls, the place
up to which files are read and the counts move in one transaction, so a killed worker has left nothing half
done.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Engine, select, update
from sqlalchemy.exc import SQLAlchemyError

from webapp.config import Settings
from webapp.database import begin
from webapp.domain import mapping as mappings
from webapp.domain import segment, wire
from webapp.domain.calls import glance
from webapp.domain.mapping import Mapping
from webapp.domain.text import clean
from webapp.failpoints import reach
from webapp.models import Import, Source, now
from webapp.models.imports import CANCELLED, CANCELLING, CHOOSING, DONE, FAILED, INSPECTING, STORING
from webapp.services.imports import files, storing
from webapp.services.imports.findings import Findings
from webapp.services.imports.reading import Piece, Reader
from webapp.services.imports.turns import Lost, move, own, take_up
from webapp.services.projection import never

BEAT = 2.0  # seconds between two times at which an inspection says how far it is
CHECKPOINT = 12.0  # seconds between two times at which what it has found is kept, too

FAULT = (
    "A fault of Tributary's own ({}) has ended it. What was stored before is kept, and importing the same "
    "files again adds nothing twice."
)

log = structlog.get_logger(__name__)


def run(
    engine: Engine,
    import_id: int,
    *,
    settings: Settings,
    stop: Callable[[], bool] = never,
    ring: Callable[[int], Any] = lambda _: None,
) -> None:
    """Do what an import waits for, to its end. May be run again, and by two at once.

    Args:
        stop: asked between batches; True leaves the rest to the next run.
        ring: told a source's id whenever it has new events.
    """
    row = take_up(engine, import_id)
    if row is None:
        return
    try:
        if row.state == INSPECTING:
            _inspect(engine, row, files.reader(engine, row, settings), stop)
        elif row.state == STORING:
            storing.store(engine, row, files.reader(engine, row, settings), stop, ring)
    except Lost:
        log.info("import.left", import_id=import_id)
    except files.Missing as missing:
        _fail(engine, row, str(missing))
    except SQLAlchemyError:
        raise  # the database is away; whoever tries again goes on from here
    except Exception as error:
        _fail(engine, row, FAULT.format(type(error).__name__))
        raise
    reach("import.before_clearing")
    _clear(engine, import_id, settings)


def _inspect(engine: Engine, row: Any, reader: Reader, stop: Callable[[], bool]) -> None:
    found, at = Findings.load(row.found), time.monotonic()
    beat, keep = at + BEAT, at + CHECKPOINT
    with engine.connect() as connection:
        applied = connection.scalar(select(Source.applied_mapping).where(Source.id == row.source_id))
    mapping = mappings.of(applied)
    for piece in reader:
        _look(found, piece, mapping, now())
        at = time.monotonic()
        if at < beat:
            continue
        ends = stop()
        kept = {"place": piece.place.dump(), "found": found.dump()} if ends or at >= keep else {}
        with begin(engine) as connection:
            move(connection, row, done=reader.done, **kept)
        if ends:
            return
        beat, keep = time.monotonic() + BEAT, (time.monotonic() + CHECKPOINT if kept else keep)
    with begin(engine) as connection:
        move(connection, row, state=CHOOSING, done=row.total, found=found.dump(), place={})


def _look(found: Findings, piece: Piece, mapping: Mapping, at: int) -> None:
    """Count what a piece of the files comes to, looked at as if it were received at an instant."""
    if piece.problem:
        found.fail(piece.file, piece.line, clean(piece.problem))
    for event in piece.events:
        call = glance(event, at)
        call = call._replace(type=clean(call.type), name=clean(call.name))
        found.add(call, segment.read(wire.decode(event), at, mapping), event, at)


def _fail(engine: Engine, row: Any, error: str) -> None:
    with begin(engine) as connection:
        values = {"state": FAILED, "error": error, "finished_at": now(), "found": None}
        connection.execute(update(Import).where(*own(row)).values(**values))


def _clear(engine: Engine, import_id: int, settings: Settings) -> None:
    """Close what was cancelled, and remove the files of what has ended."""
    with begin(engine) as connection:
        cancelling = (Import.id == import_id, Import.state == CANCELLING)
        closed = {"state": CANCELLED, "finished_at": now(), "found": None}
        connection.execute(update(Import).where(*cancelling).values(**closed))
    with engine.connect() as connection:
        row = connection.execute(select(Import.folder, Import.state).where(Import.id == import_id)).first()
    if row is not None and row.state in (DONE, CANCELLED, FAILED):
        files.remove(settings, row.folder)
