"""Who does long work says so in its row with every step; work whose row is silent has lost its worker."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, or_

from webapp.models import now

STALLED_AFTER = 8_000_000  # microseconds of silence


def silent(heartbeat: Any) -> ColumnElement[bool]:
    """Whether nobody works on a row: it has no heartbeat yet, or none of about now.

    One that is still to come was given before the clock was set back; whoever gave it may be long gone.

    Args:
        heartbeat: the column.
    """
    at = now()
    return or_(heartbeat.is_(None), ~heartbeat.between(at - STALLED_AFTER, at + STALLED_AFTER))
