"""Ask for a re-sync, a rebuild or a deletion, with the audit line. The caller then rings the queue."""

from __future__ import annotations

from sqlalchemy.orm import Session

from webapp.models import Source, Sync
from webapp.services import audit, syncs
from webapp.services.sources import Refused, only_segment
from webapp.services.transactions import write

CANCELLABLE = ("queued", "running")
_ACTIONS = {"resync": "source.resynced", "rebuild": "source.rebuilt"}


def begin(session: Session, source: Source, kind: str, by: int | None = None) -> Sync:
    """Ask for a re-sync or a rebuild, or join the work under way.

    Args:
        session: committed here.
        source: what it is about.
        kind: `resync` or `rebuild`.
        by: the id of the user who asks; None for the command line.

    Raises:
        Refused: the source is being deleted, or is a billing source.
    """
    only_segment(source)
    with write(session):
        under_way = syncs.open_sync(session, source.id)
        try:
            sync = syncs.request(session, source, kind, by)
        except (LookupError, syncs.CannotRebuild) as error:
            raise Refused("", str(error)) from None
        if under_way is None:
            audit.record(session, _ACTIONS[kind], by, source.uuid, name=source.name)
    return sync


def cancel(session: Session, sync: Sync, by: int | None = None) -> None:
    """Take a re-sync or a rebuild back; the tables end as they were.

    Args:
        session: committed here.
        sync: the work.
        by: the id of the user who asks; None for the command line.
    """
    with write(session):
        if sync.kind != "deletion" and sync.state in CANCELLABLE:
            audit.record(session, "source.cancelled", by, sync.source.uuid, name=sync.source.name)
        syncs.request_cancel(session, sync)


def delete(session: Session, source: Source, by: int | None = None) -> Sync:
    """Hide a source at once and ask for its erasure.

    Args:
        session: committed here.
        source: what goes.
        by: the id of the user who asks; None for the command line.
    """
    with write(session):
        session.refresh(source, with_for_update={"key_share": True})
        under_way = source.state != "active"
        sync = syncs.request_deletion(session, source, by)
        if not under_way:
            audit.record(session, "source.deleted", by, source.uuid, name=source.name)
    return sync
