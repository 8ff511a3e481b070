"""How far long work is, as each of its steps writes it into its row."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, bindparam, update

from webapp.models import Sync

_SYNC = update(Sync).where(Sync.id == bindparam("of"))


def note(connection: Connection, sync_id: int, **columns: Any) -> None:
    """Set columns of the row of long work, in the caller's transaction."""
    connection.execute(_SYNC, {"of": sync_id, **columns})
