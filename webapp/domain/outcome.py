"""What an event's row says became of it, once it was read."""

from __future__ import annotations

from typing import Any

from webapp.domain.identity import company_key, keyed
from webapp.domain.segment import Reading
from webapp.domain.text import clean, indexed

PENDING, APPLIED, IGNORED, PARKED = 0, 1, 2, 3
MOST_WARNINGS = 100


def outcome_of(event_id: int, reading: Reading) -> dict[str, Any]:
    """The columns by which an event's row says what became of it."""
    says = reading.reason is None
    return _outcome(
        event_id,
        APPLIED if says else IGNORED,
        type=reading.type,
        message_id=indexed(clean(reading.message_id)) or None,
        occurred_at=reading.time,
        subject=keyed(reading) if says else None,
        company=company_key(reading.group_id) if says and reading.group_id is not None else None,
        reason=reading.reason,
        warnings=_kept(reading.warnings),
    )


def unreadable(event_id: int, error: str) -> dict[str, Any]:
    """The columns of an event that could not be read, by a fault of ours; `error` names its class."""
    return _outcome(event_id, PARKED, reason=f"could not be read ({error})")


def _kept(warnings: list[tuple[str, str]]) -> list[list[str]] | None:
    """An event's warnings as its row keeps them: a hostile event can give rise to very many."""
    if not warnings:
        return None
    kept = [list(warning) for warning in warnings[:MOST_WARNINGS]]
    if len(warnings) > MOST_WARNINGS:
        kept.append(["more", f"{len(warnings) - MOST_WARNINGS:,}"])
    return kept


_COLUMNS = ("type", "message_id", "occurred_at", "subject", "company", "reason", "warnings")
_BLANK = dict.fromkeys(_COLUMNS)


def _outcome(event_id: int, state: int, **columns: Any) -> dict[str, Any]:
    return {"id": event_id, "state": state, **_BLANK, **columns}
