"""How quickly a deletion erases rows, how that grows, and what the webhook of another source notices of it.

`.venv/bin/python -m bench.delete [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from bench import common, people
from bench.callers import Callers, served
from bench.resync import IDLE, SIZES, arguments, results, told, webhook_line
from tests.conftest import migrate, settings_for
from webapp.config import Settings
from webapp.database import make_engine, writing
from webapp.models import Event, Source, Sync
from webapp.services import deletion, syncs


def main() -> None:
    asked = arguments("bench.delete", __doc__ or "")
    found: dict[int, dict[str, Any]] = {}
    for rows in common.sizes(asked, SIZES):
        with common.database(asked.database) as url, tempfile.TemporaryDirectory() as folder:
            found[rows] = _measured(settings_for(url, Path(folder) / "data"), rows)
        common.report(asked.json, results("delete", asked, found) | {"lines": _lines(found)})


def _measured(settings: Settings, rows: int) -> dict[str, Any]:
    """Fill two sources, half as many persons in the one that stays, and delete the other."""
    migrate(settings)
    engine = make_engine(settings)
    started = time.monotonic()
    for name, persons in (("Stays", rows // 2), ("Goes", rows)):
        source_id = people.fill(engine, persons, name, events=persons)
        _work(engine, settings, source_id, "resync")
    people.analyze(engine)
    name = common.name_of(settings.database_url)
    print(f"{name}: filled and placed {rows:,} persons and events in {time.monotonic() - started:.0f} s")
    with served(engine, settings) as callers:
        found: dict[str, Any] = {"idle": callers.idle(IDLE)}
        print(f"  {'webhook while nothing goes on':<40} {told(found['idle'])}", flush=True)
        found |= _erased(engine, settings, callers, source_id)
    for part, words in (
        ("erased", f"{found['erased']['rows']:,} rows erased"),
        ("rest", "the rest, such as wiping SQLite's file"),
    ):
        print(f"  {words:<40} {told(found[part])}", flush=True)
    with engine.connect() as connection:
        found["left"] = connection.scalar(
            select(func.count()).select_from(Event).where(Event.source_id == source_id)
        )
    engine.dispose()
    return found


def _erased(
    engine: Engine, settings: Settings, callers: Callers, source_id: int
) -> dict[str, dict[str, Any]]:
    """Erase the rows, then do what follows, each with its own numbers."""
    with writing(), Session(engine) as session:
        sync_id = syncs.request_deletion(session, session.get_one(Source, source_id)).id
        session.commit()
    erased: list[int] = [0]

    def wipes() -> bool:
        with engine.connect() as connection:
            query = select(Sync.phase, Sync.done).where(Sync.id == sync_id)
            phase, erased[0] = connection.execute(query).one()
        return bool(phase == deletion.WIPING)

    callers.begin()
    started = time.perf_counter()
    syncs.run(engine, sync_id, settings=settings, stop=wipes)
    seconds = time.perf_counter() - started
    rows = callers.end() | {
        "rows": erased[0],
        "seconds": round(seconds, 2),
        "per_second": round(erased[0] / seconds),
    }
    callers.begin()
    started = time.perf_counter()
    syncs.run(engine, sync_id, settings=settings)
    seconds = time.perf_counter() - started
    rest = callers.end() | {"seconds": round(seconds, 2), "per_second": 0}
    return {"erased": rows, "rest": rest}


def _lines(found: dict[int, dict[str, Any]]) -> list[dict[str, str]]:
    few, most = min(found), max(found)
    erased = {rows: found[rows]["erased"] for rows in found}
    lines = [
        common.line(f"Deletion of {most:,} persons, rows/s", f"{erased[most]['per_second']:,}", "≥ 20,000"),
        webhook_line("Deletion", [erased[most], found[most]["rest"]], found[most]["idle"]),
    ]
    if few < most:
        growth = erased[few]["per_second"] / erased[most]["per_second"]
        what = f"Deletion, growth of the time a row takes, from {few:,} persons"
        lines.append(common.line(what, f"{growth:.2f}", "< 1.5"))
    return lines


def _work(engine: Engine, settings: Settings, source_id: int, kind: str) -> None:
    with writing(), Session(engine) as session:
        sync_id = syncs.request(session, session.get_one(Source, source_id), kind).id
        session.commit()
    syncs.run(engine, sync_id, settings=settings)


if __name__ == "__main__":
    main()
