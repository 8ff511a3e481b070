"""How fast an archive in Segment's layout is looked through, and read and stored in an inbox.

`.venv/bin/python -m bench.history [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`

Beside it, in the same run, the ordinary way: one line read, one row added to an ORM session and committed.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bench import archive, common
from tests import factories
from tests.conftest import migrate, settings_for
from webapp.config import Settings
from webapp.database import begin, make_engine, writing
from webapp.domain import digests
from webapp.domain.calls import Choice
from webapp.models import Event, Import, Source, now
from webapp.services.imports import asking, files, running
from webapp.services.imports.containers import Opened
from webapp.services.imports.texts import Position, texts

ROWS = 1_000_000
ORDINARY = 2000
"""Calls for which the ordinary way is measured; its pace does not depend on how many there are."""


class Taken(NamedTuple):
    """What some calls took."""

    calls: int
    seconds: float
    processor: float
    """Seconds of a processor in this process; PostgreSQL's own come on top."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.history", description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=ROWS, help="calls of the archive")
    parser.add_argument(
        "--database", default="sqlite", help="sqlite, postgresql, or the URL of an empty database"
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    asked = parser.parse_args()
    with common.database(asked.database) as url, tempfile.TemporaryDirectory() as folder:
        found = measured(url, Path(folder), asked.rows)
    results = {
        "bench": "history",
        "database": asked.database,
        "machine": common.machine(),
        "rows": asked.rows,
    }
    common.report(asked.json, results | found)


def measured(url: str, folder: Path, rows: int) -> dict[str, Any]:
    """Make an archive and import it; what that took."""
    settings = settings_for(url, folder / "data")
    migrate(settings)
    engine = make_engine(settings)
    home = archive.write(folder, rows)
    given = files.in_place([home])
    size = sum(each for *_, each in given)
    print(
        f"{common.name_of(url)}: an archive of {rows:,} calls, {size / 2**20:,.0f} MiB in {len(given)} files"
    )
    taken = {"ordinary": _ordinary(engine, given)}
    taken["inspected"], _ = _run(engine, settings, given, None, rows)
    taken["stored"], source_id = _run(engine, settings, given, Choice(), rows)
    with engine.connect() as connection:
        stored = connection.scalar(select(func.count()).where(Event.source_id == source_id)) or 0
        of_these = connection.scalar(select(Import.counts).order_by(Import.id.desc())) or {}
    assert stored == of_these["stored"], (stored, of_these)
    taken["again"], _ = _run(engine, settings, given, Choice(), rows, source_id)
    engine.dispose()
    pace = {name: round(each.calls / each.seconds) for name, each in taken.items()}
    processor = {name: round(each.processor / each.calls * 1e6, 1) for name, each in taken.items()}
    for name, label in (
        ("inspected", "looked through"),
        ("stored", "read and stored"),
        ("again", "the same archive again"),
        ("ordinary", "the ordinary way"),
    ):
        print(f"  {label:<28} {pace[name]:>10,} calls/s {processor[name]:>8} µs of a processor each")
    ratio = round(pace["stored"] / pace["ordinary"], 1)
    print(f"  {ratio} times the ordinary way; {stored:,} calls in the inbox, the others are never imported")
    lines = [
        common.line(f"Archive of {rows:,} calls, stored, calls/s", f"{pace['stored']:,}", "≥ 20,000"),
        common.line("Archive, times the ordinary way", f"{ratio:.1f}"),
    ]
    found = {"calls_per_second": pace, "processor_us": processor, "lines": lines}
    return found | {"times_the_ordinary_way": ratio, "stored": stored, "bytes": size}


def _run(
    engine: Engine,
    settings: Settings,
    given: list[tuple[str, Path, int]],
    choice: Choice | None,
    rows: int,
    source_id: int | None = None,
) -> tuple[Taken, int]:
    """One import, or one look at it: what it took, and the source's id."""
    if source_id is None:
        with begin(engine) as connection:
            source_id = factories.source(connection, f"Bench {now()}")
    with Session(engine) as session, writing():
        asked = asking.begin(session, session.get_one(Source, source_id), given, choice=choice).id
    started, worked = time.perf_counter(), time.process_time()
    running.run(engine, asked, settings=settings)
    return Taken(rows, time.perf_counter() - started, time.process_time() - worked), source_id


def _ordinary(engine: Engine, given: list[tuple[str, Path, int]]) -> Taken:
    """The same lines, each an object of the ORM and a commit."""
    with begin(engine) as connection:
        source_id = factories.source(connection, "Ordinary")
    opened = Opened(given[0][1], given[0][0])
    member = next(opened.members())
    started, worked, calls = time.perf_counter(), time.process_time(), 0
    for text in texts(member.stream, Position(), 1 << 20):
        body = text.text or b""
        json.loads(body)
        with Session(engine) as session, writing():
            row = Event(
                source_id=source_id, digest=digests.digest(body), received_at=now(), body=body, state=0
            )
            session.add(row)
            session.commit()
        calls += 1
        if calls == ORDINARY:
            break
    opened.close()
    return Taken(calls, time.perf_counter() - started, time.process_time() - worked)


if __name__ == "__main__":
    main()
