"""Imports in words: what one is doing, what became of it, and what a call would import."""

from __future__ import annotations

from collections.abc import Iterable

from webapp.domain.attributes import Value
from webapp.domain.calls import MICROS_PER_DAY, Choice, day_of
from webapp.domain.segment import REASONS, Reading
from webapp.domain.text import clean
from webapp.models import Import, now
from webapp.models.imports import CANCELLED, CANCELLING, CHOOSING, DONE, FAILED, INSPECTING, STORING
from webapp.services.heartbeats import STALLED_AFTER
from webapp.services.imports.crowd import Appearing
from webapp.services.imports.storing import choice_of

STATES = {
    INSPECTING: "Looking through the files",
    CHOOSING: "Waits for your choice",
    STORING: "Importing",
    CANCELLING: "Cancelling",
    DONE: "Done",
    CANCELLED: "Cancelled",
    FAILED: "Failed",
}
TONES = {INSPECTING: "working", CHOOSING: "waiting", STORING: "working", CANCELLING: "working"}
TONES |= {DONE: "ok", CANCELLED: "", FAILED: "failing"}
SILENT_AFTER = STALLED_AFTER


def silent(asked: Import) -> bool:
    """Whether its worker has said nothing for a while: it was ended, and the sweeper will find another."""
    last = asked.heartbeat_at or asked.started_at
    return bool(asked.busy and last and now() - last > SILENT_AFTER)


def seconds_left(asked: Import) -> float | None:
    """About how long this pass will still take; None until that can be told."""
    if not (asked.busy and asked.started_at and asked.total and asked.done) or silent(asked):
        return None
    elapsed = (now() - asked.started_at) / 1_000_000
    return elapsed * max(0, asked.total - asked.done) / asked.done if elapsed >= 1 else None


def report(asked: Import) -> list[tuple[str, str]]:
    """The counts of an import: pairs of what was counted, and how many."""
    counts = asked.counts
    return [
        ("Calls read", f"{counts.get('read', 0):,}"),
        ("Stored", f"{counts.get('stored', 0):,}"),
        ("Known already", f"{counts.get('known', 0):,}"),
        ("Not chosen", f"{counts.get('left_out', 0):,}"),
        ("Could not be read", f"{counts.get('unreadable', 0):,}"),
    ]


def ended(asked: Import) -> str:
    """What became of an import, in a sentence or two."""
    if asked.error:
        return asked.error
    if asked.busy or asked.state == CHOOSING:
        return ""
    stored = int(asked.counts.get("stored", 0))
    calls = f"{stored:,} {'call' if stored == 1 else 'calls'}"
    if asked.state == CANCELLED:
        kept = f"{calls} that had been stored before {'stays' if stored == 1 else 'stay'}." if stored else ""
        return f"It was cancelled, and its files were removed. {kept or 'Nothing had been stored.'}"
    known = int(asked.counts.get("known", 0))
    if not stored and known:
        return f"Nothing is new: all {known:,} calls had been received before."
    return f"{calls} stored" + (f", {known:,} had been received before." if known else ".")


def chosen(asked: Import) -> str:
    """What was chosen: `identify, group, from 1 Jan to ...`."""
    return in_words(choice_of(asked)) if asked.choice is not None else ""


def in_words(choice: Choice) -> str:
    """A choice, in words."""
    parts = [", ".join(choice.types) if choice.types is not None else "all types"]
    if choice.events is not None:
        parts.append(f"track calls named {', '.join(choice.events) or 'nothing'}")
    if choice.first is not None:
        parts.append(f"from {day_of(choice.first // MICROS_PER_DAY)}")
    if choice.end is not None:
        parts.append(f"to {day_of(choice.end // MICROS_PER_DAY - 1)}")
    return "; ".join(parts)


def appearing(found: Appearing, calls: int) -> tuple[str, str]:
    """What would appear, and what that was counted from."""
    about = "" if found.one_in == 1 else "about "
    parts = [_counted(found.customers, "customer"), _counted(found.contacts, "contact")]
    said = f"{about}{parts[0]} and {about}{parts[1]} would appear"
    if found.waiting:
        who = "1 person" if found.waiting == 1 else f"{found.waiting:,} people"
        said += f"; {about}{who} would wait for a company"
    if found.one_in == 1:
        how = f"Counted from everybody in all {calls:,} chosen calls"
    else:
        how = f"Estimated from every {found.one_in:,}th person and company in all {calls:,} chosen calls"
    how += ". Whoever the source knows already is left out; anonymous visitors count once per e-mail."
    return said[:1].upper() + said[1:], how


def would_import(reading: Reading) -> str:
    """What one call would import, in a sentence."""
    if reading.reason is not None:
        return f"nothing: {REASONS.get(reading.reason, reading.reason)}"
    parts = []
    who = reading.user_id or reading.anonymous_id
    if who is not None:
        told = _fields([*reading.contact, *reading.weak], reading.contact_custom)
        parts.append(f"contact {clean(who)}{told}")
    if reading.group_id is not None:
        told = _fields(reading.company, reading.company_custom)
        parts.append(f"customer {clean(reading.group_id)}{told}")
    return " and ".join(parts) or "nothing"


def _fields(standard: Iterable[str], custom: dict[str, Value]) -> str:
    parts = [", ".join(dict.fromkeys(standard))]
    if custom:
        attributes = "custom attribute" if len(custom) == 1 else "custom attributes"
        parts.append(f"{attributes} {', '.join(custom)}")
    told = "; ".join(part for part in parts if part)
    return f" ({told})" if told else ""


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
