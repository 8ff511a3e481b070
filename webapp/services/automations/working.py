"""Working off what changed: match keys are written anew, clear matches merged, the others noted for a person.

One transaction a page, which locks the sources in the order of their ids: no projection writes meanwhile what
is being merged. What changed is found by its mark, never by time, so nothing that commits late is missed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, exists, select, update

from webapp.database import begin
from webapp.models import Automation, DataSourceCustomer, Match, now
from webapp.services import merges
from webapp.services.automations import keys, matching
from webapp.services.automations.matching import Found
from webapp.services.automations.sharing import sharing
from webapp.services.locks import lock_sources
from webapp.services.projection import never
from webapp.services.rows import chunks, delete_in, select_in, update_by_id, upsert

PAGE = {"sqlite": 200, "postgresql": 1000}
_WAITS = select(exists().where(DataSourceCustomer.unmatched))


@dataclass(frozen=True, slots=True)
class Looked:
    """What came of a look at some customers.

    Attributes:
        merged: pairs that were.
        clear, ambiguous: how many more matches are noted than before, of either kind; fewer below zero.
    """

    merged: int
    clear: int
    ambiguous: int


def waits(engine: Engine) -> bool:
    """Whether something changed that an automation has not looked at."""
    with engine.connect() as connection:
        return bool(connection.scalar(_WAITS))


def work_off(engine: Engine, *, stop: Callable[[], bool] = never) -> int:
    """Look at everything that changed, with every automation that is on.

    Args:
        stop: asked between pages.

    Returns:
        How many data source customers were looked at.
    """
    looked_at = 0
    while not stop():
        with begin(engine) as connection:
            lock_sources(connection)
            rows = _changed(connection)
            if not rows:
                return looked_at
            _look_at(connection, rows)
        looked_at += len(rows)
    return looked_at


def _changed(connection: Connection) -> list[Any]:
    query = select(DataSourceCustomer.__table__).where(DataSourceCustomer.unmatched)
    limit = PAGE[connection.dialect.name]
    return list(connection.execute(query.order_by(DataSourceCustomer.id).limit(limit)).all())


def _look_at(connection: Connection, rows: Sequence[Any]) -> None:
    automations = connection.execute(
        select(Automation.__table__).where(Automation.__table__.c.switched_on)
    ).all()
    keys.refresh(connection, rows, keys.kinds(automations))
    for automation in automations:
        apply(connection, automation, [row.id for row in rows])
    update_by_id(connection, DataSourceCustomer, [{"id": row.id, "unmatched": False} for row in rows])


def apply(connection: Connection, automation: Any, ids: Sequence[int], merging: bool = True) -> Looked:
    """Let a rule look at some data source customers of either side, in the caller's transaction.

    Args:
        automation: its row.
        ids: of data source customers whose match keys are as they should be. Of billing ones those of Segment
            that share a value are looked at.
        merging: whether clear matches are merged; else all are noted only.
    """
    # Customers of Segment that share a value with some of these: what changed for one changed for all.
    concerned = set(ids) | {each.other_id for each in sharing(connection, ids, automation.keys, False)}
    found = matching.find(connection, automation, concerned)
    forgotten = delete_in_rule(connection, automation.id, concerned)
    clear = [each for each in found if not each.ambiguous] if merging else []
    _merge(connection, automation, clear)
    done = {each.row.id for each in clear}
    noted = [each for each in found if each.row.id not in done]
    _note(connection, automation, noted)
    more = Counter(each.ambiguous for each in noted)
    more.subtract(forgotten)
    return Looked(len(clear), more[False], more[True])


def delete_in_rule(connection: Connection, automation_id: int, ids: Iterable[int]) -> Counter[bool]:
    """Forget what a rule noted of some customers of Segment; how many matches, by whether ambiguous."""
    query = select(Match.id, Match.ambiguous).where(Match.automation_id == automation_id)
    rows = select_in(connection, query, Match.data_source_customer_id, ids)
    delete_in(connection, Match, Match.id, [row.id for row in rows])
    return Counter(row.ambiguous for row in rows)


def _merge(connection: Connection, automation: Any, clear: Sequence[Found]) -> None:
    if not clear:
        return
    query = select(DataSourceCustomer.id, DataSourceCustomer.origin_uuid)
    ids = [each.candidate[0] for each in clear]
    billing = {row.id: row.origin_uuid for row in select_in(connection, query, DataSourceCustomer.id, ids)}
    pairs = {}
    for each in clear:
        candidate, matched = each.candidate
        by = merges.By(automation_id=automation.id, why={"keys": matched})
        pairs[billing[candidate], each.row.origin_uuid] = by
    merges.merge_each(connection, pairs)


def _note(connection: Connection, automation: Any, found: Sequence[Found]) -> None:
    moment = now()
    rows = [
        {
            "automation_id": automation.id,
            "data_source_customer_id": each.row.id,
            "candidate_id": each.candidate[0],
            "candidates": len(each.candidates),
            "rivals": each.rivals,
            "keys": each.candidate[1],
            "ambiguous": each.ambiguous,
            "created_at": moment,
        }
        for each in found
    ]
    upsert(connection, Match, rows, ("automation_id", "data_source_customer_id"))


def mark(connection: Connection, customer_ids: Iterable[int]) -> None:
    """Have the automations look at some customers again, when a person decided about them."""
    for chunk in chunks(sorted(set(customer_ids))):
        marked = update(DataSourceCustomer).where(DataSourceCustomer.customer_id.in_(chunk))
        connection.execute(marked.values(unmatched=True))
