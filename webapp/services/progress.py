"""How far long work is, as each of its steps writes it into its row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, update

from webapp.models import Sync

_SYNC = update(Sync).where(Sync.id == bindparam("of"))


def note(connection: Connection, sync_id: int, **columns: Any) -> None:
    """Set columns of the row of long work, in the caller's transaction."""
    connection.execute(_SYNC, {"of": sync_id, **columns})


def corrected(done: int, total: int, left: int) -> tuple[int, int]:
    """What to write once it is known how much is left; where it is more, the share that is done stays.

    Whoever watches would not believe a percentage that falls. So both numbers grow, by which the rest is told
    as it is.

    Args:
        done: rows gone through, as was written.
        total: rows to go through, as was thought.
        left: rows to go through from now on.

    Returns:
        `done` and `total` anew; `total - done` is what is left.
    """
    if done + left <= total or not done < total:
        return done, done + left
    whole = -(-left * total // (total - done))
    return whole - left, whole
