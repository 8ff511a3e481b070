"""Ask for a re-sync, a rebuild or a deletion, with the audit line. The caller then rings the queue."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from webapp.models import Source, Sync
from webapp.services import audit, locks, syncs
from webapp.services.sources import Refused, hold, only_segment
from webapp.services.transactions import write

_ACTIONS = {"resync": "source.resynced", "rebuild": "source.rebuilt"}


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a request.

    Attributes:
        sync: the work to follow.
        is_new: whether it was asked for just now; else it was under way already.
        fits: whether its end is what was asked for; else that has to be asked for again then.
    """

    sync: Sync
    is_new: bool
    fits: bool


def begin(session: Session, source: Source, kind: str, by: int | None = None) -> Asked:
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
        hold(session, source)
        is_new = syncs.open_sync(session, source.id) is None
        try:
            sync = syncs.request(session, source, kind, by)
        except (LookupError, syncs.CannotRebuild) as error:
            raise Refused("", str(error)) from None
        if is_new:
            audit.record(session, _ACTIONS[kind], by, source.uuid, name=source.name)
        return Asked(sync, is_new, is_new or syncs.brings(session, sync, source, kind))


def cancel(session: Session, sync: Sync, by: int | None = None) -> None:
    """Take a re-sync or a rebuild back.

    Args:
        session: committed here.
        sync: the work.
        by: the id of the user who asks; None for the command line.

    Raises:
        Refused: it has ended, or can no longer be taken back.
    """
    with write(session):
        try:
            is_new = syncs.request_cancel(session, sync)
        except syncs.CannotCancel as error:
            raise Refused("", str(error)) from None
        if is_new:
            audit.record(session, "source.cancelled", by, sync.source.uuid, name=sync.source.name)


def delete(session: Session, source: Source, by: int | None = None) -> Sync:
    """Hide a source at once and ask for its erasure.

    Args:
        session: committed here.
        source: what goes.
        by: the id of the user who asks; None for the command line.
    """
    with write(session):
        locks.lock_one(session, source.id)  # before its own row: everybody takes these in one order
        session.refresh(source)
        under_way = source.state != "active"
        sync = syncs.request_deletion(session, source, by)
        if not under_way:
            audit.record(session, "source.deleted", by, source.uuid, name=source.name)
    return sync
