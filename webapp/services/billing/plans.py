"""Deleting plans."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select

from webapp.models import Plan, Subscription


class InUse(ValueError):
    """Subscriptions are on this plan; the message is for who asked."""


def remove(connection: Connection, plan_id: int) -> None:
    """Delete a plan, in the caller's transaction, which holds the source's lock.

    Raises:
        InUse: subscriptions are on it.
    """
    used = connection.scalar(select(func.count()).where(Subscription.plan_id == plan_id)) or 0
    if used:
        raise InUse(
            f"Subscriptions are on this plan: {used:,}. Nothing was deleted. Change or delete them first."
        )
    connection.execute(delete(Plan).where(Plan.id == plan_id))
