"""Match keys: what each data source customer can be matched by, kept where an index finds it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, exists, select

from webapp.domain.matching import keys_of
from webapp.models import Automation, FreeMailDomain, MatchKey
from webapp.services.rows import delete_in, select_in, upsert

_ANY_ON = select(exists().where(Automation.on))
_KEYS = select(MatchKey.id, MatchKey.data_source_customer_id, MatchKey.kind, MatchKey.value)


def free_mail(connection: Connection) -> frozenset[str]:
    """The domains that never match."""
    return frozenset(connection.scalars(select(FreeMailDomain.domain)))


def kinds(automations: Sequence[Any]) -> frozenset[str]:
    """Everything that some rules match by."""
    return frozenset(kind for each in automations for kind in each.keys)


def is_any_on(connection: Connection) -> bool:
    """Whether changes of customers are to be looked at."""
    return bool(connection.scalar(_ANY_ON))


def refresh(connection: Connection, rows: Sequence[Any], wanted: Collection[str]) -> None:
    """Write the match keys of some data source customers, in the caller's transaction.

    Args:
        rows: of `data_source_customers`.
        wanted: kinds of keys; others that are kept already stay as they are.
    """
    skipped = free_mail(connection)
    ids = [row.id for row in rows]
    known = {
        (key.data_source_customer_id, key.kind): key
        for key in select_in(connection, _KEYS, MatchKey.data_source_customer_id, ids)
    }
    fresh: list[dict[str, Any]] = []
    gone: list[int] = []
    for row in rows:
        found = keys_of(row.external_id, row.told, wanted, skipped)
        for kind in wanted:
            before = known.get((row.id, kind))
            if kind not in found:
                gone += [before.id] if before else []
            elif before is None or before.value != found[kind]:
                fresh.append(
                    {
                        "data_source_customer_id": row.id,
                        "source_id": row.source_id,
                        "billing": row.kind == "billing",
                        "kind": kind,
                        "value": found[kind],
                    }
                )
    delete_in(connection, MatchKey, MatchKey.id, gone)
    upsert(connection, MatchKey, fresh, ("data_source_customer_id", "kind"))
