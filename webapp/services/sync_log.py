"""Long work in words: what it will change, how far it is, and what it has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from webapp.domain import mapping as mappings
from webapp.models import Source, Sync, now
from webapp.models.source import POLICIES
from webapp.models.sync import OPEN
from webapp.services.audit import COMMAND_LINE
from webapp.services.comparing import CHANGED, GONE, NEW

if TYPE_CHECKING:
    from webapp.services.previews import Preview

SHOWN, PAGE = 10, 50  # pieces of work on the settings page, and on one of the history
NAMED = 3  # of many in a sentence
SILENT_AFTER = 5_000_000
NAMES = {"resync": "Re-sync", "rebuild": "Rebuild from events", "deletion": "Deletion"}
# What the counts of progress count, by kind of work.
UNITS = {"resync": "people and companies", "rebuild": "rows", "deletion": "rows"}
_KINDS = {"user": "User ID", "anonymous": "Anonymous ID", "company": "Company"}
_WAYS = {CHANGED: "Told differently", NEW: "Not there before", GONE: "Not made again"}
_STATES = {
    "queued": "Waiting for a worker",
    "running": "Running",
    "cancelling": "Cancelling",
    "done": "Done",
    "cancelled": "Cancelled",
    "failed": "Failed",
}


@dataclass(frozen=True, slots=True)
class History:
    """Some of the work on a source that has ended, the latest first.

    Attributes:
        syncs: their rows.
        older: the `before` of the page of older ones; None when there is none.
    """

    syncs: list[Sync]
    older: int | None


@dataclass(frozen=True, slots=True)
class Difference:
    """One record that a rebuild made differently.

    Attributes:
        what: `User ID`, `Anonymous ID` or `Company`; empty when an earlier release noted it.
        name: its id.
        how: it differs, in words; empty when an earlier release noted it.
    """

    what: str
    name: str
    how: str


@dataclass(frozen=True, slots=True)
class Differences:
    """Those that are named, and how many more there are."""

    named: list[Difference]
    more: int


def history(session: Session, source: Source, before: int | None = None, most: int = SHOWN) -> History:
    """One page of the work on a source that has ended.

    Args:
        session: to read with.
        source: whose.
        before: only work that was asked for before the one with this id.
        most: the greatest number of them.
    """
    wanted = select(Sync).where(Sync.source_id == source.id, Sync.state.not_in(OPEN)).order_by(Sync.id.desc())
    if before is not None:
        wanted = wanted.where(Sync.id < before)
    rows = list(session.scalars(wanted.limit(most + 1)))
    return History(rows[:most], rows[most - 1].id if len(rows) > most else None)


def find(session: Session, source: Source, sync_id: int) -> Sync | None:
    """One piece of work on this source."""
    return session.scalars(select(Sync).where(Sync.source_id == source.id, Sync.id == sync_id)).one_or_none()


def state_in_words(sync: Sync) -> str:
    """What became of it so far."""
    return _STATES.get(sync.state, sync.state)


def begun_in_words(sync: Sync, kind: str, is_new: bool, fits: bool) -> str:
    """What is said to whoever asked for work of a kind, and got this: see `long_work.Asked`."""
    if is_new:
        return f"{NAMES[sync.kind]} started."
    under_way = f"A {NAMES[sync.kind].lower()} is under way already"
    if fits:
        return f"{under_way}."
    if sync.state == "cancelling":
        said = f"A {NAMES[sync.kind].lower()} is being cancelled"
    elif sync.kind != kind:
        said = f"{under_way}, so no {NAMES[kind].lower()} was started"
    else:
        said = f"{under_way}, with what was chosen when it was asked for"
    return f"{said}. Ask again when it has ended."


def why_in_words(sync: Sync) -> str:
    """Why it was asked for, as far as that can be told: what had been chosen since the tables were made."""
    reasons = []
    if sync.policy and sync.policy != sync.previous_policy:
        reasons.append(f"“{POLICIES[sync.policy]}” was chosen")
    if sync.kind == "rebuild" and not mappings.same(sync.mapping, sync.previous_mapping):
        reasons.append("another mapping was chosen")
    if keys := (sync.result or {}).get("attributes"):
        reasons.append(f"attributes were ignored or imported again: {_some(keys)}")
    return "; ".join(reasons) or "Asked for with nothing changed"


def who(sync: Sync) -> str:
    """Who asked for it: an e-mail address, whether the account is there or gone."""
    return sync.asked_by or COMMAND_LINE


def silent(sync: Sync) -> bool:
    """Whether its worker has said nothing for a while: it was ended, and the sweeper will find another."""
    last = sync.heartbeat_at or sync.started_at
    return bool(sync.running and last and now() - last > SILENT_AFTER)


def seconds_left(sync: Sync) -> float | None:
    """About how long it will still take; None until that can be told, and while nobody works on it."""
    if not (sync.running and sync.started_at and sync.total and sync.done) or silent(sync):
        return None
    # The way back of what was cancelled counts anew.
    elapsed = (now() - (sync.result or {}).get("back_since", sync.started_at)) / 1_000_000
    return elapsed * max(0, sync.total - sync.done) / sync.done if elapsed >= 1 else None


def preview_in_words(preview: Preview) -> str:
    """What a re-sync will change: `+12 customers, −340 individual customers, 340 people will wait`."""
    parts = [
        _change("+", preview.customers_appear, "customer"),
        _change("−", preview.customers_go, "individual customer"),
        _change("+", preview.contacts_appear, "contact"),
        _change("−", preview.contacts_go, "contact"),
        _waiting(preview.waiting) if preview.contacts_go or preview.customers_go else "",
    ]
    return ", ".join(part for part in parts if part) or "No customer or contact will be added or removed"


def result_in_words(sync: Sync) -> str:
    """What it has changed, or what went wrong."""
    result = sync.result or {}
    if "error" in result:
        return str(result["error"])
    if sync.running:
        return ""
    if sync.state == "cancelled":
        return _taken_back(result)
    parts = [
        _change("+", result.get("customers_added", 0), "customer"),
        _change("−", result.get("customers_removed", 0), "customer"),
        _change("+", result.get("contacts_added", 0), "contact"),
        _change("−", result.get("contacts_removed", 0), "contact"),
        f"{moved} moved" if (moved := _change("", result.get("contacts_moved", 0), "contact")) else "",
    ]
    changes = ", ".join(part for part in parts if part)
    if sync.state != "done":
        return changes
    done = f"{changes or 'No customer or contact was added or removed'}."
    return " ".join(part for part in (done, _comparison(result)) if part)


def _taken_back(result: Mapping[str, Any]) -> str:
    """What a cancelled one left: attributes follow what is chosen of them now, whatever was cancelled."""
    applied, meanwhile = result.get("applied"), result.get("meanwhile")
    if not (applied or meanwhile):
        return "Everything is as it was before."
    said = "The policy is as it was before."
    if applied:
        said += f" What was ignored or imported again is so for everybody now: {_some(applied)}."
    if meanwhile:
        said += f" Ignored or imported again meanwhile, which takes another re-sync: {_some(meanwhile)}."
    return said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _comparison(result: Mapping[str, Any]) -> str:
    """What a rebuild found when it compared what it had made with what was shown."""
    compared, differing = result.get("compared"), result.get("differing", 0)
    if compared is None:
        return ""
    if not differing:
        return f"All {compared:,} ids and companies came out as they were."
    named = ", ".join(each.name for each in _examples(result)[:NAMED])
    of_them = f", such as {named}" if named else ""
    return f"{differing:,} of {compared:,} ids and companies came out differently{of_them}."


def differences(sync: Sync) -> Differences:
    """Which ids and companies a rebuild made that differ from those that were shown."""
    result = sync.result or {}
    named = _examples(result)
    return Differences(named, max(0, result.get("differing", 0) - len(named)))


def _examples(result: Mapping[str, Any]) -> list[Difference]:
    """What was named, in the order of its finding."""
    found = [("", "", each) if isinstance(each, str) else each for each in result.get("examples", ())]
    return [Difference(_KINDS.get(kind, ""), name, _WAYS.get(way, "")) for way, kind, name in found]


def _change(sign: str, count: int, noun: str) -> str:
    return f"{sign}{count:,} {noun}{'' if count == 1 else 's'}" if count else ""


def _waiting(count: int) -> str:
    return f"{count:,} {'person' if count == 1 else 'people'} will wait" if count else ""
