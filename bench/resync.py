"""How quickly a re-sync goes through persons, beside the limit, how that grows, and what the webhook notices.

`.venv/bin/python -m bench.resync [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from bench import common, people
from bench.baselines import set_based
from bench.callers import Callers, served
from tests.conftest import migrate, settings_for
from webapp.config import Settings
from webapp.database import begin, make_engine, writing
from webapp.models import Source, Sync
from webapp.services import previews, syncs

SIZES = (10_000, 100_000, 1_000_000)
IDLE = 10.0  # seconds in which the webhook is measured alone
# What is asked for, one after the other. The last leaves what the first did.
CASES = (
    ("everybody placed for the first time", "company"),
    ("those without a company appear", "user"),
    ("those without a company go", "company"),
    ("the same policy again", "company"),
)


def main() -> None:
    asked = arguments("bench.resync", __doc__ or "")
    found: dict[int, dict[str, Any]] = {}
    for rows in common.sizes(asked, SIZES):
        with common.database(asked.database) as url, tempfile.TemporaryDirectory() as folder:
            found[rows] = _measured(settings_for(url, Path(folder) / "data"), rows)
        common.report(asked.json, results("resync", asked, found) | {"lines": _lines(found)})


def arguments(program: str, doc: str) -> argparse.Namespace:
    """What long work's benchmarks are asked for."""
    parser = argparse.ArgumentParser(prog=f"python -m {program}", description=doc.partition("\n")[0])
    parser.add_argument("--rows", type=int, help="persons; 10,000, 100,000 and 1,000,000 unless given")
    parser.add_argument(
        "--database", default="sqlite", help="sqlite, postgresql, or the URL of an empty database"
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser.parse_args()


def results(bench: str, asked: argparse.Namespace, found: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What is written as JSON."""
    return {"bench": bench, "database": asked.database, "machine": common.machine(), "rows": found}


def _measured(settings: Settings, rows: int) -> dict[str, Any]:
    migrate(settings)
    engine = make_engine(settings)
    started = time.monotonic()
    source_id = people.fill(engine, rows, "Bench")
    seconds = time.monotonic() - started
    print(f"{common.name_of(settings.database_url)}: filled {rows:,} persons in {seconds:.0f} s")
    with served(engine, settings) as callers:
        idle = callers.idle(IDLE)
        print(f"  {'webhook while nothing goes on':<40} {told(idle)}", flush=True)
        found: dict[str, Any] = {"idle": idle}
        for name, policy in CASES:
            found[f"preview: {name}"] = _previewed(engine, source_id, policy)
            found[name] = _case(engine, settings, callers, source_id, policy, rows)
            print(f"  {name:<40} {told(found[name])}", flush=True)
            people.analyze(engine)
        found["limit"] = _limit(engine, callers, rows)
        print(f"  {'the same rows, nothing but written':<40} {told(found['limit'])}", flush=True)
    engine.dispose()
    return found


def _limit(engine: Engine, callers: Callers, persons: int) -> dict[str, Any]:
    """Write the customers and contacts that are there once more, into empty tables."""
    with tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
        final = Path(folder) / "rows"
        set_based.keep(engine, final, set_based.PLACED)
        with begin(engine) as connection:
            for model in reversed(set_based.PLACED):
                connection.execute(delete(model))
        people.analyze(engine)
        callers.begin()
        seconds = set_based.write(engine, final)
        webhook = callers.end()
    return webhook | {"seconds": round(seconds, 2), "per_second": round(persons / seconds)}


def _previewed(engine: Engine, source_id: int, policy: str) -> dict[str, float]:
    """How long the page's numbers take before that re-sync."""
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        taken = common.timed(lambda: previews.preview(session, source, policy), 10)
        taken += common.timed(lambda: previews.going(session, source), 5)
    found = common.summary(taken)
    print(
        f"  {'its preview':<40} {found['median_ms']:.0f} ms, at the 95th percentile {found['p95_ms']:.0f} ms"
    )
    return found


def _case(
    engine: Engine, settings: Settings, callers: Callers, source_id: int, policy: str, rows: int
) -> dict[str, Any]:
    with writing(), Session(engine) as session:
        source = session.get_one(Source, source_id)
        source.policy = policy
        session.flush()
        sync_id = syncs.request(session, source).id
        session.commit()
    callers.begin()
    started = time.perf_counter()
    syncs.run(engine, sync_id, settings=settings)
    seconds = time.perf_counter() - started
    webhook = callers.end()
    with engine.connect() as connection:
        result = connection.scalar(select(Sync.result).where(Sync.id == sync_id))
    return webhook | {"seconds": round(seconds, 2), "per_second": round(rows / seconds), "result": result}


def _lines(found: dict[int, dict[str, Any]]) -> list[dict[str, str]]:
    """What each re-sync of the largest size came to, how it grew, and the webhook's worst meanwhile."""
    few, most = min(found), max(found)
    names = [name for name, _ in CASES]
    rates = " / ".join(f"{found[most][name]['per_second']:,}" for name in names)
    lines = [
        common.line(
            f"Re-sync of {most:,} persons, persons/s: placed / appear / go / again",
            rates,
            "PostgreSQL ≥ 20,000",
        ),
        common.line(
            "Re-sync, everybody placed, of the limit",
            f"{found[most][names[0]]['per_second'] / found[most]['limit']['per_second']:.2f}",
        ),
        webhook_line("Re-sync", [found[most][name] for name in names], found[most]["idle"]),
    ]
    if few < most:
        growth = max(found[few][name]["per_second"] / found[most][name]["per_second"] for name in names)
        what = f"Re-sync, growth of the time a person takes, from {few:,} persons, at most"
        lines.append(common.line(what, f"{growth:.2f}", "< 1.5"))
    return lines


def webhook_line(what: str, cases: list[dict[str, Any]], idle: dict[str, Any]) -> dict[str, str]:
    """The webhook's worst 99th percentile while something goes on, beside the one while nothing does."""
    heard = [numbers["p99_ms"] for numbers in cases if numbers["calls"]]
    worst = f"{max(heard):.0f} ms, {max(heard) / idle['p99_ms']:.1f} times" if heard else ""
    return common.line(f"{what}, the webhook's p99 meanwhile, times that of nothing going on", worst, "≤ 2")


def told(numbers: dict[str, Any]) -> str:
    """One line of a report."""
    rate = (
        f"{numbers['per_second']:>9,} a second, {numbers['seconds']:>8.2f} s; "
        if "seconds" in numbers
        else ""
    )
    webhook = f"webhook p50 {numbers.get('median_ms', 0):.1f}, p99 {numbers.get('p99_ms', 0):.1f} ms"
    return f"{rate}{webhook} of {numbers['calls']:,} calls, {numbers['failed']} failed"


if __name__ == "__main__":
    main()
