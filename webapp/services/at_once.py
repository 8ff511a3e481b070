"""The webhook's transaction as one statement of PostgreSQL, for calls of which nothing has to be said.

Nearly all are like that: their URL still opens what it opened a moment ago, their source takes them, and
they bring events. Four times to the server and back (to begin, to look at the URLs, to write and to commit)
is most of what a transaction of a few calls takes; this goes once. What it cannot do it leaves alone, all of
it, to `inbox.write`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, LargeBinary

from webapp.database import run
from webapp.services.arrays import pack
from webapp.services.event_rows import MOST, counting
from webapp.services.inbox import OPENED_BY, Call, Notes, Verdict, Written

_BYTES, _INTEGERS = LargeBinary(), BigInteger()

_HOLDS = "(SELECT count(*) FROM opened) = %(ways)s"
_CAME = f"unnest(%(sources)s, %(instants)s) AS came (source_id, received_at) WHERE {_HOLDS}"
# Ids are given in the order of the arrays. The lock on sources is that of `inbox.standing`.
_STORE = f"""
WITH opened AS MATERIALIZED (
    SELECT sources.id FROM unnest(%(tokens)s, %(asked)s, %(opens)s) AS wanted (token, asked, source_id)
    JOIN webhook_urls ON token_digest = token
    JOIN sources ON sources.id = webhook_urls.source_id AND sources.id = wanted.source_id
    WHERE {OPENED_BY} AND pause = '' AND replaced_at IS NULL AND ends_at IS NULL
    FOR KEY SHARE OF sources
), stored AS (
    INSERT INTO events (source_id, received_at, body, state)
    SELECT source_id, received_at, body, 0
    FROM unnest(%(sources)s, %(instants)s, %(bodies)s) AS came (source_id, received_at, body)
    WHERE {_HOLDS}
), counted AS (
    {counting(_CAME, "%(writer)s")}
)
SELECT count(*) FROM opened
"""  # noqa: S608


def fits(calls: Sequence[Call]) -> bool:
    """Whether calls may be written at once: there are some, each brings events, not too many for one
    statement, and the source it opens is remembered."""
    return 0 < sum(len(call.events) for call in calls) <= MOST and all(
        call.events and call.source_id for call in calls
    )


def write(connection: Connection, calls: Sequence[Call], notes: Notes, writer: int) -> Written | None:
    """Write what many calls brought, and commit.

    Args:
        connection: of PostgreSQL, which commits each statement by itself.
        calls: of which `fits` holds.
        notes: counted before, of which nothing is written; this adds to them.
        writer: the number under which this process keeps its tallies.

    Returns:
        None if nothing was written, since something has to be said of one of them.
    """
    ways = {(call.token, call.signing, call.source_id) for call in calls}
    tokens, asked, opens = zip(*ways, strict=True)
    sources: list[int] = []
    instants: list[int] = []
    bodies: list[bytes] = []
    for call in calls:
        sources += [call.source_id] * len(call.events)
        instants += [call.received_at] * len(call.events)
        bodies += call.events
    values: dict[str, Any] = {
        "tokens": pack(_BYTES, tokens),
        "asked": pack(_BYTES, asked),
        "opens": pack(_INTEGERS, opens),
        "ways": len(ways),
        "sources": pack(_INTEGERS, sources),
        "instants": pack(_INTEGERS, instants),
        "bodies": pack(_BYTES, bodies),
        "writer": writer,
    }
    if run(connection, _STORE, values).fetchone() != (len(ways),):
        return None
    for call in calls:
        notes.hear(call.source_id, call.received_at)
    return Written([Verdict.ACCEPTED] * len(calls), set(opens), Notes(heard=notes.heard))
