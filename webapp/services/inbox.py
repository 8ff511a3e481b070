"""What one transaction of the webhook writes: the events of many calls, and what is counted of them.

Every statement is for all calls of the transaction at once. Locks are taken in one order (sources shared,
then counters by key), so that the writers of several processes never wait in a circle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any, NamedTuple, cast

from sqlalchemy import (
    BigInteger,
    Connection,
    Table,
    Update,
    bindparam,
    case,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from webapp.database import run
from webapp.models import Rejection, Source, WebhookUrl
from webapp.models.source import KEY, URL
from webapp.services.event_rows import Row, insert_events

_SOURCES = cast(Table, Source.__table__)

# Who has the write key cannot sign.
_SIGNING = f"CASE WHEN webhook_urls.kind = '{URL}' THEN signing_sealed END"
OPENED_BY = f"sources.state = 'active' AND {_SIGNING} IS NOT DISTINCT FROM asked"
"""SQL: that a URL opens its source to calls that were checked with the secret `asked`."""
_STANDING = f"""
SELECT token_digest, webhook_urls.id AS url_id, source_id, webhook_urls.kind, replaced_at, ends_at, pause,
    {_SIGNING} AS signing
FROM webhook_urls JOIN sources ON sources.id = source_id WHERE state = 'active' AND token_digest IN
"""  # noqa: S608
# A drain holds the row of its source while it works; calls must not wait for it.
_FREE = (
    select(Source.id)
    .where(Source.id.in_(bindparam("sources", expanding=True)))
    .order_by(Source.id)
    .with_for_update(key_share=True, skip_locked=True)
)
_KEPT = (
    select(Source.id)
    .where(Source.id.in_(bindparam("sources", expanding=True)), Source.state == "active")
    .with_for_update(read=True, key_share=True)
)
_LATE = (
    update(WebhookUrl)
    .where(WebhookUrl.id == bindparam("url"))
    .values(
        late_calls=WebhookUrl.late_calls + bindparam("more"),
        last_late_call_at=bindparam("at", type_=BigInteger()),
    )
)
FORBIDDEN = "access forbidden"
TURNED_AWAY = {URL: (403, FORBIDDEN), KEY: (401, "the write key is unknown, or has been replaced")}


class Verdict(Enum):
    """How a call ended."""

    ACCEPTED = "accepted"
    FORBIDDEN = "forbidden"
    PAUSED = "paused"
    CHANGED = "changed"
    """Meanwhile the source asks for another signature than the one that was checked."""


@dataclass(slots=True)
class Call:
    """One call with events, or the connection test.

    Attributes:
        token: digest of the token it came with.
        received_at: one instant for all its events.
        events: their bodies, in the order in which they came.
        is_test: whether it was `{}`.
        signing: the sealed secret that its signature was checked with; None: none was asked for.
        source_id: the source that its token opened a moment ago; 0: not known.
    """

    token: bytes
    received_at: int
    events: Sequence[bytes] = ()
    is_test: bool = False
    signing: bytes | None = None
    source_id: int = 0


@dataclass(slots=True)
class Notes:
    """What is counted of calls beside the events, added up until a transaction writes it.

    Attributes:
        rejections: `{(source id, status, reason): how many}`.
        late: `{id of a replaced URL: how many calls}`.
        at: when the last of them came.
        tested: `{source id: when its connection was tested}`.
        heard: `{source id: when its last event came}`.
    """

    rejections: Counter[tuple[int, int, str]] = field(default_factory=Counter)
    late: Counter[int] = field(default_factory=Counter)
    at: int = 0
    tested: dict[int, int] = field(default_factory=dict)
    heard: dict[int, int] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.rejections or self.late or self.tested or self.heard)

    @property
    def can_wait(self) -> bool:
        """Whether nothing is in them but what is only shown, when a source last heard something."""
        return not (self.rejections or self.late or self.tested)

    def add(self, other: Notes) -> None:
        """Add what others noted."""
        self.rejections.update(other.rejections)
        self.late.update(other.late)
        self.at = max(self.at, other.at)
        for source_id, at in other.tested.items():
            self.test(source_id, at)
        for source_id, at in other.heard.items():
            self.hear(source_id, at)

    def reject(self, source_id: int, status: int, reason: str, at: int) -> None:
        """Note a call that was turned away; the reason is one of ours, never anything of the body."""
        self.rejections[source_id, status, reason] += 1
        self.at = max(self.at, at)

    def test(self, source_id: int, at: int) -> None:
        """Note when a connection was tested."""
        self.tested[source_id] = max(at, self.tested.get(source_id, 0))

    def hear(self, source_id: int, at: int) -> None:
        """Note when an event came."""
        self.heard[source_id] = max(at, self.heard.get(source_id, 0))

    def be_late(self, url_id: int, at: int) -> None:
        """Note a call to a URL that was replaced."""
        self.late[url_id] += 1
        self.at = max(self.at, at)


@dataclass(slots=True)
class Written:
    """What a transaction did.

    Attributes:
        verdicts: one per call, in their order.
        stored: ids of the sources that have new events, and whose worker should be woken.
        owed: notes that somebody's lock kept out; for the next transaction.
    """

    verdicts: list[Verdict]
    stored: set[int]
    owed: Notes


class Url(NamedTuple):
    """A URL, or write key, and what is asked of its source."""

    token_digest: bytes
    url_id: int
    source_id: int
    kind: str
    replaced_at: int | None
    ends_at: int | None
    pause: str
    signing: bytes | None


def standing(connection: Connection, tokens: Iterable[bytes], hold: bool = False) -> dict[bytes, Url]:
    """The URLs that these tokens open, with their sources; a token of no source that exists is left out.

    Args:
        tokens: digests.
        hold: keep the sources from being deleted until the transaction ends; events have no foreign key.
            The lock is the one that PostgreSQL takes for such a key: who works on a source does not wait.

    Returns:
        `{digest: its URL}`.
    """
    wanted = tuple(tokens)
    rows = run(connection, _standing(connection.dialect.name, len(wanted), hold), wanted).fetchall()
    return {url.token_digest: url for url in map(Url._make, rows)}


@lru_cache
def _standing(dialect: str, count: int, hold: bool) -> str:
    """The driver's statement for so many tokens."""
    if dialect == "sqlite":
        return f"{_STANDING} ({', '.join('?' * count)})"
    return f"{_STANDING} ({', '.join(['%s'] * count)}) {'FOR KEY SHARE OF sources' if hold else ''}"


def write(
    connection: Connection, calls: Sequence[Call], notes: Notes, writer: int, *, hurried: bool = False
) -> Written:
    """Write what many calls brought, in the transaction of the connection.

    Args:
        connection: in a write transaction (`database.begin`); the caller commits.
        calls: each is stored whole or not at all.
        notes: counted before; this adds to them.
        writer: the number under which this process keeps its tallies.
        hurried: leave what is only shown, when a source last heard something, to a later transaction.
    """
    urls = standing(connection, {call.token for call in calls}, hold=True) if calls else {}
    verdicts: list[Verdict] = []
    rows: list[Row] = []
    for call in calls:
        url = urls.get(call.token)
        verdict = _judge(url, call, notes)
        verdicts.append(verdict)
        if verdict is Verdict.ACCEPTED and url is not None:
            rows += [(url.source_id, call.received_at, body) for body in call.events]
            if call.is_test:
                notes.test(url.source_id, call.received_at)
            if call.events:
                notes.hear(url.source_id, call.received_at)
    if rows:
        insert_events(connection, rows, writer)
    owed = _write_notes(connection, notes, hurried)
    awake = {url.source_id for url in urls.values() if not url.pause}
    return Written(verdicts, awake & {source_id for source_id, _, _ in rows}, owed)


def _judge(url: Url | None, call: Call, notes: Notes) -> Verdict:
    if url is None:
        return Verdict.FORBIDDEN
    ended = url.ends_at is not None and url.ends_at <= call.received_at
    if not ended and url.signing != call.signing:
        return Verdict.CHANGED
    if url.replaced_at is not None:
        notes.be_late(url.url_id, call.received_at)
    if ended:
        notes.reject(url.source_id, *TURNED_AWAY[url.kind], call.received_at)
        return Verdict.FORBIDDEN
    return Verdict.PAUSED if url.pause == "refuse" else Verdict.ACCEPTED


def _write_notes(connection: Connection, notes: Notes, hurried: bool) -> Notes:
    """Write what was noted; returns what a lock kept out, or the hurry."""
    _reject(connection, notes)
    if notes.late:
        late = [{"url": url, "more": more, "at": notes.at} for url, more in sorted(notes.late.items())]
        connection.execute(_LATE, late)
    touched = sorted(notes.tested.keys() | notes.heard.keys())
    if not touched or (hurried and not notes.tested):
        return Notes(heard=notes.heard)
    free = set(connection.scalars(_FREE, {"sources": touched}))
    _touch(connection, "connection_tested_at", {key: at for key, at in notes.tested.items() if key in free})
    _touch(connection, "last_event_at", {key: at for key, at in notes.heard.items() if key in free})
    owed = Notes()
    owed.tested = {key: at for key, at in notes.tested.items() if key not in free}
    owed.heard = {key: at for key, at in notes.heard.items() if key not in free}
    return owed


def _reject(connection: Connection, notes: Notes) -> None:
    if not notes.rejections:
        return
    concerned = {source_id for source_id, _, _ in notes.rejections}
    kept = set(connection.scalars(_KEPT, {"sources": sorted(concerned)}))
    rows = [
        {"source_id": source_id, "status": status, "reason": reason, "count": count, "last_at": notes.at}
        for (source_id, status, reason), count in sorted(notes.rejections.items())
        if source_id in kept
    ]
    if rows:
        _add_up(connection, Rejection, ("source_id", "status", "reason"), rows)


def _touch(connection: Connection, column: str, instants: dict[int, int]) -> None:
    """Move an instant of sources forward, never back."""
    if instants:
        rows = [{"source": source_id, "at": instant} for source_id, instant in sorted(instants.items())]
        connection.execute(_touching(column), rows)


@lru_cache
def _touching(column: str) -> Update:
    at = bindparam("at", type_=BigInteger())
    present = _SOURCES.c[column]
    values: dict[str, Any] = {column: case((or_(present.is_(None), present < at), at), else_=present)}
    if column == "last_event_at":
        values["first_event_at"] = func.coalesce(_SOURCES.c.first_event_at, at)
    return update(_SOURCES).where(_SOURCES.c.id == bindparam("source")).values(values)


def _add_up(connection: Connection, model: Any, key: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    """Insert counters, or add to those that are there; instants move forward."""
    connection.execute(_adding(connection.dialect.name, model, key, tuple(rows[0])), rows)


@lru_cache
def _adding(dialect: str, model: Any, key: tuple[str, ...], columns: tuple[str, ...]) -> Any:
    table = model.__table__
    statement = (postgresql.insert if dialect == "postgresql" else sqlite.insert)(table)
    changed: dict[str, Any] = {}
    for name in columns:
        if name not in key:
            new, old = statement.excluded[name], table.c[name]
            changed[name] = case((old < new, new), else_=old) if name.endswith("_at") else old + new
    return statement.on_conflict_do_update(index_elements=list(key), set_=changed)
