"""How many events a second one worker projects, beside the limit and the ordinary way; memory; growth.

`.venv/bin/python -m bench.project [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import update

from bench import bodies, common, filling, inboxes, memory, people
from bench.baselines import set_based
from tests.conftest import environment_of
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Source

ORDINARY_ROWS, SPREAD_ROWS = 2000, 100_000
"""What is slow is measured on fewer rows."""
NEIGHBOURS = 2000
"""Where people come in visits, the events of one person are found among so many of others."""
STORED = (10_000, 1_000_000)
Run = dict[str, float]


def main() -> None:
    parser = common.arguments(__doc__, 500_000, "events that wait")
    parser.add_argument(
        "--times", type=int, default=2, help="rounds, each of all that is compared, the last of all rows; 2"
    )
    parser.add_argument(
        "--stored",
        type=int,
        nargs="*",
        help="persons stored, to tell the growth; of many rows 10,000, 1,000,000",
    )
    asked = parser.parse_args()
    with common.installation(asked.database) as settings:
        results = {
            "bench": "project",
            "database": common.name_of(settings.database_url),
            "machine": common.machine(),
            "rows": asked.rows,
            "people": asked.rows // bodies.PER_PERSON,
            **_compared(settings, asked.rows, asked.times),
        }
        stored = [n for n in STORED if n <= asked.rows * 10] if asked.stored is None else asked.stored
        if len(stored) > 1:
            results["growth"] = _growth(settings, sorted(stored), min(20_000, asked.rows))
    results["lines"] = _lines(results)
    _show(results)
    common.report(asked.json, results)


def _compared(settings: Settings, rows: int, times: int) -> dict[str, Any]:
    """Tributary, the limit and the ordinary way in turns, after a round that is not counted."""
    _round(settings, min(rows, 5000), rows)
    rounds = [_round(settings, rows // (4 if n < times - 1 else 1), rows) for n in range(times)]
    ours = [r[way] for r in rounds for way in ("visits", "spread")]
    best = {way: common.median_of([r[way] for r in rounds], "rate") for way in rounds[0]}
    return {
        "rates": {way: round(rate) for way, rate in best.items()},
        "rounds": rounds,
        "of_limit": common.median_of([_ratio(r, "visits", "limit") for r in rounds], "ratio"),
        "of_limit_spread": common.median_of([_ratio(r, "spread", "limit") for r in rounds], "ratio"),
        "of_ordinary": common.median_of([_ratio(r, "visits", "ordinary") for r in rounds], "ratio"),
        "of_ordinary_spread": common.median_of([_ratio(r, "spread", "ordinary") for r in rounds], "ratio"),
        **{name: round(max(run[name] for run in ours)) for name in ("memory_mb", "each_mb")},
    }


def _ratio(runs: dict[str, Run], one: str, other: str) -> Run:
    return {"ratio": runs[one]["rate"] / runs[other]["rate"]}


def _round(settings: Settings, rows: int, whole: int) -> dict[str, Run]:
    crowd = max(1, rows // bodies.PER_PERSON)
    with tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
        final = Path(folder) / "final"
        some = min(rows, SPREAD_ROWS)
        found = {"spread": _ours(settings, some, max(1, some // bodies.PER_PERSON), some)}
        found["visits"] = _ours(settings, rows, crowd, NEIGHBOURS, final)
        found["limit"] = _limit(settings, rows, crowd, final)
    found["ordinary"] = _ordinary(settings, min(rows, ORDINARY_ROWS))
    print(f"  {rows:>9,} events: " + ", ".join(f"{way} {run['rate']:,.0f}/s" for way, run in found.items()))
    sys.stdout.flush()
    return found


def _ours(settings: Settings, rows: int, crowd: int, window: int, final: Path | None = None) -> Run:
    engine = common.emptied(settings)
    source_id = inboxes.make_source(engine)
    inboxes.receive(engine, source_id, bodies.backlog(rows, crowd, window))
    run = drained(settings, source_id)
    if final is not None:
        set_based.keep(engine, final)
    engine.dispose()
    return run


def drained(settings: Settings, source_id: int) -> Run:
    """Drain a source in a process of its own.

    Returns:
        What `bench.draining` tells, `rate` in events a second, and the memory (`Memory.told`).
    """
    said, seen = memory.run(["bench.draining", str(source_id)], environment_of(settings))
    run: Run = json.loads(said)
    return run | {"rate": run["events"] / run["seconds"], **seen.told()}


def _limit(settings: Settings, rows: int, crowd: int, final: Path) -> Run:
    engine = common.emptied(settings)
    source_id = inboxes.make_source(engine)
    inboxes.receive(engine, source_id, bodies.backlog(rows, crowd, NEIGHBOURS))
    seconds = set_based.write(engine, final)
    engine.dispose()
    return {"seconds": seconds, "events": rows, "rate": rows / seconds}


def _ordinary(settings: Settings, rows: int) -> Run:
    common.emptied(settings).dispose()
    crowd = max(1, rows // bodies.PER_PERSON)
    with tempfile.NamedTemporaryFile(prefix="tributary-bench-") as file:
        file.writelines(body + b"\n" for body in bodies.backlog(rows, crowd, rows))
        file.flush()
        command = ["bench.baselines.one_by_one", settings.database_url, file.name]
        seconds = float(memory.run(command, {})[0])
    return {"seconds": seconds, "events": rows, "rate": rows / seconds}


def _growth(settings: Settings, stored: list[int], rows: int) -> dict[str, Any]:
    """Events a second about persons who are stored already, with few and with many rows in all tables."""
    found: dict[str, Any] = {}
    for number in stored:
        engine = common.emptied(settings)
        filling.fill(engine, number)
        source_id = people.fill(engine, number, "Stored")
        with begin(engine) as connection:
            connection.execute(update(Source).values(policy="user", applied_policy="user"))
        inboxes.receive(engine, source_id, bodies.returning(rows, number))
        engine.dispose()
        found[str(number)] = run = drained(settings, source_id)
        print(f"  {number:>9,} persons stored: {run['rate']:,.0f} events/s", flush=True)
    found["growth"] = found[str(stored[0])]["rate"] / found[str(stored[-1])]["rate"]
    return found


def _lines(results: dict[str, Any]) -> list[dict[str, str]]:
    rates = results["rates"]
    told = [
        common.line(f"Projection, events/s: {words}", f"{rates[way]:,}")
        for way, words in (
            ("visits", "people come in visits"),
            ("spread", "each person's events over the whole backlog"),
            ("limit", "limit"),
            ("ordinary", "ordinary way"),
        )
    ]
    told += [
        common.line(
            "Projection, of the limit: visits / spread",
            f"{results['of_limit']:.2f} / {results['of_limit_spread']:.2f}",
            "≥ 0.33",
        ),
        common.line(
            "Projection, times the ordinary way: visits / spread",
            f"{results['of_ordinary']:.0f} / {results['of_ordinary_spread']:.0f}",
            "≥ 20",
        ),
        common.line(
            "Projection, memory of the worker and its reader, at most",
            f"{results['memory_mb']} MB",
            "< 300 MB",
        ),
    ]
    if "growth" in results:
        few, many, *_ = results["growth"]
        what = f"Projection, growth from {int(few):,} to {int(many):,} persons"
        told.append(common.line(what, f"{results['growth']['growth']:.2f}", "< 1.5"))
    return told


def _show(results: dict[str, Any]) -> None:
    rates = results["rates"]
    print(f"\n{results['database']}, {results['rows']:,} events of {results['people']:,} people, events/s")
    for way, rate in rates.items():
        print(f"  {way:<10} {rate:>10,}")
    print(f"  of the limit {results['of_limit']:.2f} (spread {results['of_limit_spread']:.2f})")
    print(f"  of the ordinary way {results['of_ordinary']:.1f} (spread {results['of_ordinary_spread']:.1f})")
    print(f"  memory {results['memory_mb']} MB; the most of each {results['each_mb']} MB")
    if "growth" in results:
        print(f"  growth {results['growth']['growth']:.2f}")


if __name__ == "__main__":
    main()
