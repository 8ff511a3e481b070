"""What was chosen of an archive goes into the inbox: read in one thread, written in another, in batches."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, func, insert, select, update

from webapp.database import begin
from webapp.domain import digests
from webapp.domain.calls import Choice, glance
from webapp.domain.text import clean
from webapp.failpoints import reach
from webapp.models import Import, ImportProblem, Source, now
from webapp.models.imports import DONE
from webapp.services.imports.reading import Piece, Place, Reader
from webapp.services.imports.turns import Lost, own

# Calls a batch: on SQLite the webhook's writers wait for it.
CALLS = {"sqlite": 2000, "postgresql": 10_000}
MOST_BYTES = 8 << 20
MOST_PROBLEMS = 10_000
"""Lines of the report; what is past them is counted."""
AT_LEAST = 1.5
"""Seconds after which a batch is written though it is not full, so that its import is seen to live."""


@dataclass(slots=True)
class Batch:
    """What one transaction writes.

    Attributes:
        received_at: of its calls.
        events: pairs of digest and body, in the files' order.
        problems: what could not be read.
        counts: of calls: `read`, `left_out`, `unreadable`.
        place: up to where its calls go.
        done: bytes of the files that were read by then.
        begun: when it was begun, by a clock that only counts.
    """

    received_at: int
    events: list[tuple[bytes, bytes]] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    place: Place = field(default_factory=Place)
    done: int = 0
    bytes: int = 0
    begun: float = field(default_factory=time.monotonic)

    def add(self, piece: Piece, choice: Choice) -> None:
        """Take in what a piece of the files comes to."""
        if piece.problem:
            self.counts["unreadable"] += 1
            row = {"file": piece.file, "line": piece.line, "reason": clean(piece.problem)}
            self.problems.append(row)
        for event in piece.events:
            self.counts["read"] += 1
            if choice.takes(glance(event, self.received_at)):
                self.events.append((digests.digest(event), event))
                self.bytes += len(event)
            else:
                self.counts["left_out"] += 1
        self.place = piece.place

    def is_full(self, most: int) -> bool:
        """Whether it is time to write it."""
        if len(self.events) >= most or self.bytes >= MOST_BYTES or len(self.problems) >= most:
            return True
        return self.counts["read"] % 256 == 0 and time.monotonic() - self.begun >= AT_LEAST


def store(
    engine: Engine,
    row: Any,
    reader: Reader,
    stop: Callable[[], bool],
    ring: Callable[[int], Any],
) -> None:
    """Store what was chosen, from where it was left.

    While one batch is written the next is read: the database works beside this process.

    Args:
        row: of the table `imports`, as it was taken up.
        reader: of its files.
        stop: asked between batches; True leaves the rest to the next run.
        ring: told the source's id after each batch with new events.

    Raises:
        Lost: it is not ours any more.
    """
    choice = choice_of(row)
    most = CALLS[engine.dialect.name]
    writing: Future[int] | None = None
    with ThreadPoolExecutor(1, "import writer") as writer:

        def written() -> None:
            if writing is not None and writing.result():
                ring(row.source_id)

        batch = Batch(now())
        for piece in reader:
            batch.add(piece, choice)
            if batch.is_full(most):
                batch.done = reader.done
                written()
                writing = writer.submit(_write, engine, row, batch)
                batch = Batch(now())
                if stop():
                    written()
                    return
        written()
        batch.done = row.total
        writing = writer.submit(_write, engine, row, batch, True)
        written()


def _write(engine: Engine, row: Any, batch: Batch, last: bool = False) -> int:
    """One transaction; how many of its calls are new."""
    with begin(engine) as connection:
        # Holds the source as the webhook does: until this is committed it cannot begin to be deleted.
        here = select(Source.id).where(Source.id == row.source_id, Source.state == "active")
        if connection.scalar(here.with_for_update(read=True, key_share=True)) is None:
            raise Lost
        new = insert_events(connection, row.source_id, batch.received_at, batch.events)
        reach("import.mid_batch")
        _move(connection, row, batch, new, last)
        reach("import.before_commit")
    reach("import.after_commit")
    return new


def _move(connection: Connection, row: Any, batch: Batch, new: int, last: bool) -> None:
    counts = connection.scalar(select(Import.counts).where(*own(row)).with_for_update())
    if counts is None:
        raise Lost
    total = Counter(counts)
    room = MOST_PROBLEMS - total["unreadable"]
    total.update(batch.counts)
    total["stored"] += new
    total["known"] += len(batch.events) - new
    values: dict[str, Any] = {"counts": dict(total), "done": batch.done, "heartbeat_at": now()}
    if last:
        values |= {"state": DONE, "finished_at": now(), "found": None}
    else:
        values["place"] = batch.place.dump()
    if batch.problems and room > 0:
        problems = [{"import_id": row.id} | problem for problem in batch.problems[:room]]
        connection.execute(insert(ImportProblem), problems)
    connection.execute(update(Import).where(Import.id == row.id).values(**values))


def insert_events(
    connection: Connection, source_id: int, received_at: int, events: list[tuple[bytes, bytes]]
) -> int:
    """Put calls into an inbox, the very same one once.

    Args:
        events: pairs of digest and body, in the order of receipt.

    Returns:
        How many were new.
    """
    if not events:
        return 0
    if connection.dialect.name == "postgresql":
        return _copy(connection, source_id, received_at, events)
    return connection.exec_driver_sql(
        "INSERT INTO events (source_id, digest, received_at, body, state) VALUES (?, ?, ?, ?, 0) "
        "ON CONFLICT (source_id, digest) WHERE digest IS NOT NULL DO NOTHING",
        [(source_id, digest, received_at, body) for digest, body in events],
    ).rowcount


def _copy(connection: Connection, source_id: int, received_at: int, events: list[tuple[bytes, bytes]]) -> int:
    """PostgreSQL's own way for many rows, several times as fast as sending them as parameters."""
    connection.exec_driver_sql(
        "CREATE TEMPORARY TABLE IF NOT EXISTS told_calls (id bigint, digest bytea, body bytea) "
        "ON COMMIT DELETE ROWS"
    )
    # Rows go in by digest, as drains give them, so that two writers never wait for each other in a circle.
    # Their ids are drawn before that, so that these still follow the order of receipt.
    draw = select(func.nextval(func.pg_get_serial_sequence("events", "id")))
    ids = sorted(connection.scalars(draw.select_from(func.generate_series(1, len(events)).alias())))
    rows = sorted(zip(ids, events, strict=True), key=lambda pair: (pair[1][0], pair[0]))
    cursor = connection.connection.cursor()
    with cursor.copy("COPY told_calls FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(("int8", "bytea", "bytea"))
        for event_id, (digest, body) in rows:
            copy.write_row((event_id, digest, body))
    cursor.execute(
        "INSERT INTO events (id, source_id, digest, received_at, body, state) "
        "SELECT id, %s, digest, %s, body, 0 FROM told_calls ORDER BY digest, id "
        "ON CONFLICT (source_id, digest) WHERE digest IS NOT NULL DO NOTHING",
        (source_id, received_at),
    )
    return int(cursor.rowcount)


def choice_of(row: Any) -> Choice:
    """What an import's row says was chosen; everything, where nothing was said."""
    return msgspec.convert(row.choice or {}, Choice)
