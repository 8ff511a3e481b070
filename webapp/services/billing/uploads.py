"""Uploading billing files: taken in, told which column is what, read by a worker, cancelled, listed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from webapp.domain import billing_rows
from webapp.models import BillingFile, Source, now
from webapp.models.billing_file import BUSY, CANCELLED, CANCELLING, CHOOSING, READING
from webapp.services import audit
from webapp.services.billing import files
from webapp.services.heartbeats import silent
from webapp.services.transactions import write

LATEST = 20


class Unfit(ValueError):
    """Columns cannot be like this; the message is for the person who chose them."""


def take_in(
    session: Session, source: Source, kind: str, name: str, path: Path, size: int, by: int | None
) -> BillingFile:
    """Note an uploaded file, with a guess of which column is what.

    Args:
        kind: `customers` or `subscriptions`.
        name: as its sender calls it.
        path: where it lies, in a folder of `files.new_folder`.
        size: in bytes.

    Raises:
        files.Unreadable: it is no CSV file.
    """
    encoding, delimiter, heading = files.layout(path)
    with write(session):
        file = BillingFile(
            source_id=source.id,
            user_id=by,
            kind=kind,
            name=name[:255],
            folder=path.parent.name,
            state=CHOOSING,
            encoding=encoding,
            delimiter=delimiter,
            heading=heading,
            columns=billing_rows.guess(kind, heading),
            size=size,
            created_at=now(),
        )
        session.add(file)
    return file


def begin(
    session: Session, source: Source, file: BillingFile, columns: Sequence[str], by: int | None
) -> None:
    """Have a file read. The caller then rings the queue.

    Args:
        columns: what each column is.

    Raises:
        Unfit: something that is needed is missing, or told twice.
    """
    known = [name if _is_known(file.kind, name) else billing_rows.IGNORED for name in columns]
    if (problem := billing_rows.unfit(file.kind, known)) is not None:
        raise Unfit(problem)
    with write(session):
        session.refresh(file)
        if file.state == CHOOSING:
            file.columns, file.state = known, READING
            audit.record(session, "billing.file_begun", by, source.uuid, name=source.name, of=file.kind)


def _is_known(kind: str, name: str) -> bool:
    return name in billing_rows.FIELDS[kind] or (
        kind == billing_rows.CUSTOMERS and name.startswith("custom.")
    )


def cancel(session: Session, file: BillingFile) -> None:
    """End a file where it is: what was imported stays. One that nobody has begun ends at once."""
    with write(session):
        session.refresh(file)
        if file.state == CHOOSING:
            file.state, file.finished_at = CANCELLED, now()
        elif file.state == READING:
            file.state = CANCELLING


def find(session: Session, source: Source, file_id: int) -> BillingFile | None:
    """One file of a source."""
    query = select(BillingFile).where(BillingFile.id == file_id, BillingFile.source_id == source.id)
    return session.scalar(query)


def latest(session: Session, source: Source) -> list[BillingFile]:
    """The newest files of a source, newest first."""
    query = select(BillingFile).where(BillingFile.source_id == source.id)
    return list(session.scalars(query.order_by(BillingFile.id.desc()).limit(LATEST)))


def stalled(engine: Engine) -> list[int]:
    """Ids of files that nobody works on."""
    query = select(BillingFile.id).where(BillingFile.state.in_(BUSY), silent(BillingFile.heartbeat_at))
    with engine.connect() as connection:
        return list(connection.scalars(query.order_by(BillingFile.id)))
