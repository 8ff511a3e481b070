"""Ask for an import, choose what it stores, cancel it. The caller then rings the queue."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import msgspec
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from webapp.domain.calls import Choice
from webapp.domain.text import clean
from webapp.models import Import, ImportProblem, Source, now
from webapp.models.imports import BUSY, CANCELLING, CHOOSING, INSPECTING, STORING
from webapp.services import audit
from webapp.services.imports import files
from webapp.services.sources import Refused
from webapp.services.transactions import write

SHOWN = 10


def begin(
    session: Session,
    source: Source,
    given: Iterable[tuple[str, Path | None, int]],
    *,
    folder: str | None = None,
    choice: Choice | None = None,
    by: int | None = None,
) -> Import:
    """Ask for an import.

    Args:
        session: committed here.
        source: into whose inbox.
        given: the files, in the order in which they are read: (name, where it lies, bytes).
        folder: of uploaded files, which have no place of their own.
        choice: what is stored; None: the files are looked through first, and a person chooses.
        by: the id of the user who asks; None for the command line.

    Raises:
        Refused: there is nothing to import, or the source is being deleted.
    """
    listed = [(clean(name)[:500] or "file", path, size) for name, path, size in given]
    if not listed:
        raise Refused("files", "Choose at least one file.")
    with write(session):
        session.refresh(source, with_for_update={"key_share": True})
        if source.state != "active":
            raise Refused("", "This source is being deleted, so nothing can be imported into it any more.")
        asked = Import(
            source_id=source.id,
            user_id=by,
            folder=folder,
            state=INSPECTING if choice is None else STORING,
            choice=None if choice is None else msgspec.to_builtins(choice),
            total=sum(size for *_, size in listed),
            created_at=now(),
        )
        session.add(asked)
        session.flush()
        files.add(session.connection(), asked.id, listed)
        if choice is not None:
            audit.record(session, "source.imported", by, source.uuid, name=source.name)
    return asked


def choose(session: Session, source: Source, asked: Import, choice: Choice, by: int | None = None) -> bool:
    """Begin to store what was chosen; False when it has begun already, or has ended.

    Args:
        session: committed here.
        source: of the import.
        asked: the import.
        choice: what is stored.
        by: the id of the user who chose.
    """
    with write(session):
        session.refresh(asked, with_for_update=True)
        if asked.state != CHOOSING:
            return False
        asked.state, asked.choice = STORING, msgspec.to_builtins(choice)
        asked.place, asked.counts, asked.done = {}, {}, 0
        asked.started_at = asked.heartbeat_at = None
        session.execute(delete(ImportProblem).where(ImportProblem.import_id == asked.id))
        audit.record(session, "source.imported", by, source.uuid, name=source.name)
    return True


def cancel(session: Session, asked: Import) -> None:
    """Have an import end where it is; what it has stored stays."""
    with write(session):
        session.refresh(asked, with_for_update=True)
        if asked.state in (*BUSY, CHOOSING):
            asked.state, asked.heartbeat_at = CANCELLING, None


def find(session: Session, source: Source, import_id: int) -> Import | None:
    """One import of a source."""
    wanted = select(Import).where(Import.source_id == source.id, Import.id == import_id)
    return session.scalars(wanted).one_or_none()


def latest(session: Session, source: Source) -> list[Import]:
    """The last imports of a source, the latest first."""
    wanted = select(Import).where(Import.source_id == source.id).order_by(Import.id.desc())
    return list(session.scalars(wanted.limit(SHOWN)))
