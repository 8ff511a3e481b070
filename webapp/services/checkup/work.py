"""What goes on: events that wait or failed, long work, retention, and who may sign in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection, Row, func, select

from webapp.config import Settings
from webapp.models import Event, Import, Source, Sync, User, WebhookUrl, now
from webapp.models.event import PENDING
from webapp.models.imports import BUSY
from webapp.models.source import URL
from webapp.models.sync import OPEN
from webapp.services import event_list, tokens
from webapp.services import retention as keeping
from webapp.services.checkup import OK, PROBLEM, WARNING, Finding

SECOND = 1_000_000
LATE, VERY_LATE = 60 * SECOND, 600 * SECOND  # for an event to wait
SILENT = 60 * SECOND  # for long work to say nothing
DAY = 86_400 * SECOND
_FLASK = "flask --app wsgi"


def pending_events(connection: Connection) -> Iterator[Finding]:
    """Whether events are folded soon after they came."""
    count, at, late = 0, now(), False
    for source in _sources(connection):
        waits = event_list.pending(source)
        number = connection.scalar(select(func.count()).select_from(Event).where(waits)) or 0
        if not number:
            continue
        count += number
        oldest = connection.scalar(select(Event.received_at).where(waits).order_by(Event.id).limit(1))
        age = at - (oldest or at)
        if source.pause:
            said = f"{source.name} is paused, with {_events(number)} waiting."
            yield Finding(
                "Pending events", WARNING, said, "Resume it on its settings page when you want them."
            )
        elif age > LATE:
            yield Finding(
                "Pending events",
                PROBLEM if age > VERY_LATE else WARNING,
                f"{source.name}: {_events(number)} waiting, the oldest for {length(age)}.",
                f"See that a worker and the sweeper run. Here and now: {_FLASK} drain",
            )
            late = True
    if not late:
        yield Finding("Pending events", OK, f"{_events(count)} waiting, none for long." if count else "None.")


def failed_events(connection: Connection) -> Iterator[Finding]:
    """Events that could not be folded, and sources where nothing can."""
    found = False
    for source in _sources(connection):
        if source.failing_since is not None:
            said = f"{source.name}: nothing can be folded since {length(now() - source.failing_since)}."
            fix = "The log of the worker says why (event_parked, batch_failed)."
            yield Finding("Failed events", PROBLEM, said, fix)
            found = True
        parked = select(func.count()).select_from(Event).where(event_list.parked(source))
        if number := connection.scalar(parked):
            yield Finding(
                "Failed events",
                WARNING,
                f"{source.name}: {_events(number)} could not be folded; they are kept.",
                f"After an upgrade: {_FLASK} source rebuild ds_{source.uuid}",
            )
            found = True
    if not found:
        yield Finding("Failed events", OK, "None.")


def long_work(connection: Connection) -> Iterator[Finding]:
    """Re-syncs, rebuilds and deletions that nobody works on."""
    heard_at = func.coalesce(Sync.heartbeat_at, Sync.created_at).label("heard_at")
    query = select(Sync.kind, heard_at, Source.uuid, Source.name).join(Source, Source.id == Sync.source_id)
    rows = connection.execute(query.where(Sync.state.in_(OPEN))).all()
    stalled = [row for row in rows if now() - row.heard_at > SILENT]
    for row in stalled:
        said = f"{row.name}: its {row.kind} has said nothing for {length(now() - row.heard_at)}."
        verb = "delete" if row.kind == "deletion" else row.kind
        command = f"{_FLASK} source {verb} ds_{row.uuid}{' --yes' if verb == 'delete' else ''}"
        fix = "See that a worker for syncs, or the sweeper, runs: it goes on where it was. "
        fix += f"Here and now: {command}"
        yield Finding("Long work", PROBLEM, said, fix)
    silent, imports = _silent_imports(connection)
    yield from silent
    if not stalled and not silent:
        under_way = len(rows) + imports
        yield Finding("Long work", OK, f"{under_way} under way." if under_way else "None under way.")


def _silent_imports(connection: Connection) -> tuple[list[Finding], int]:
    """Imports of existing data that nobody works on, and how many there are under way."""
    heard_at = func.coalesce(Import.heartbeat_at, Import.created_at).label("heard_at")
    query = select(heard_at, Source.name).join(Source, Source.id == Import.source_id)
    rows = connection.execute(query.where(Import.state.in_(BUSY))).all()
    fix = "See that a worker for syncs, or the sweeper, runs: it goes on where it was."
    found = [
        Finding(
            "Long work",
            PROBLEM,
            f"{row.name}: its import has said nothing for {length(now() - row.heard_at)}.",
            fix,
        )
        for row in rows
        if now() - row.heard_at > SILENT
    ]
    return found, len(rows)


def retention(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Whether old events leave the inbox when they are to."""
    kept = {source: keeping.days(source.retention_days, settings) for source in _sources(connection)}
    for source, days in kept.items():
        if not days:
            continue
        before = now() - (days + 1) * DAY
        first = select(Event.received_at, Event.state).where(Event.source_id == source.id)
        oldest = connection.execute(first.order_by(Event.id).limit(1)).first()
        if oldest is not None and oldest.received_at < before and oldest.state != PENDING:
            said = (
                f"{source.name}: its oldest event is {length(now() - oldest.received_at)} old, not {days} d."
            )
            yield Finding("Retention", WARNING, said, "See that the sweeper runs; it erases what is too old.")
            return
    limited = [f"{source.name} for {days} d" for source, days in kept.items() if days]
    said = f"Events are kept for as long as their source{', but of ' if limited else ''}{', '.join(limited)}."
    yield Finding("Retention", OK, said)


def webhook_urls(settings: Settings, connection: Connection) -> Iterator[Finding]:
    """Whether the secret key is the one that the webhook URLs are sealed with."""
    query = select(WebhookUrl.token_sealed, WebhookUrl.kind, Source.name, Source.uuid).join(Source)
    live = connection.execute(query.where(WebhookUrl.replaced_at.is_(None), Source.state == "active"))
    unreadable = [
        row
        for row in live
        if row.token_sealed is None or tokens.unseal(settings.secret_key, row.token_sealed) is None
    ]
    for row in unreadable:
        noun, option = ("URL", "") if row.kind == URL else ("write key", "--write-key ")
        yield Finding(
            "Webhook URLs",
            WARNING,
            f"{row.name}: its {noun} works, but cannot be shown: it was sealed with another secret key.",
            f"Put the old key back, or make a new one: {_FLASK} source regenerate ds_{row.uuid} "
            f"{option}--grace 24h",
        )
    if not unreadable:
        yield Finding("Webhook URLs", OK, "All can be shown again.")


def administrators(connection: Connection) -> Iterator[Finding]:
    """Whether anybody may sign in to change something."""
    query = select(func.count()).select_from(User).where(User.role == "administrator")
    count = connection.scalar(query) or 0
    if count:
        yield Finding("Administrators", OK, f"{count}.")
    else:
        fix = f"Open the link that make run prints, or: {_FLASK} user add --email YOU@EXAMPLE.COM"
        yield Finding("Administrators", WARNING, "There is none, so nobody can change anything.", fix)


def _sources(connection: Connection) -> list[Row[Any]]:
    columns = (Source.id, Source.uuid, Source.name, Source.pause, Source.failing_since, Source.retention_days)
    query = select(*columns)
    found: list[Row[Any]] = list(
        connection.execute(query.where(Source.state == "active").order_by(Source.id))
    )
    return found


def _events(number: int) -> str:
    return "1 event" if number == 1 else f"{number:,} events"


def length(micros: int) -> str:
    """A length of time in its largest fitting unit: `45 s`, `12 min`, `5 h`, `3 d`."""
    seconds = max(0, micros) // SECOND
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:,} {unit}"
    return f"{seconds} s"
