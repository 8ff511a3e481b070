"""How many events a second one worker projects, beside the limit and the ordinary way; memory; growth.

`.venv/bin/python -m bench.project [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import bodies, common, growth, inboxes, memory
from bench.baselines import set_based
from webapp.config import Settings

ORDINARY_ROWS, SPREAD_ROWS = 2000, 100_000
"""What is slow is measured on fewer rows."""
STORED = (10_000, 1_000_000)
Run = inboxes.Run


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
            results["growth"] = growth.measured(settings, sorted(stored), min(growth.ROWS, asked.rows))
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
        found["visits"] = _ours(settings, rows, crowd, bodies.NEIGHBOURS, final)
        found["limit"] = _limit(settings, rows, crowd, final)
    found["ordinary"] = _ordinary(settings, min(rows, ORDINARY_ROWS))
    print(f"  {rows:>9,} events: " + ", ".join(f"{way} {run['rate']:,.0f}/s" for way, run in found.items()))
    sys.stdout.flush()
    return found


def _ours(settings: Settings, rows: int, crowd: int, window: int, final: Path | None = None) -> Run:
    engine = common.emptied(settings)
    source_id = inboxes.make_source(engine)
    inboxes.receive(engine, source_id, bodies.backlog(rows, crowd, window))
    run = inboxes.drained(settings, source_id)
    if final is not None:
        set_based.keep(engine, final, set_based.PROJECTED)
    engine.dispose()
    return run


def _limit(settings: Settings, rows: int, crowd: int, final: Path) -> Run:
    engine = common.emptied(settings)
    source_id = inboxes.make_source(engine)
    inboxes.receive(engine, source_id, bodies.backlog(rows, crowd, bodies.NEIGHBOURS))
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
    return told + ([growth.line(results["growth"])] if "growth" in results else [])


def _show(results: dict[str, Any]) -> None:
    rates = results["rates"]
    print(f"\n{results['database']}, {results['rows']:,} events of {results['people']:,} people, events/s")
    for way, rate in rates.items():
        print(f"  {way:<10} {rate:>10,}")
    print(f"  of the limit {results['of_limit']:.2f} (spread {results['of_limit_spread']:.2f})")
    print(f"  of the ordinary way {results['of_ordinary']:.1f} (spread {results['of_ordinary_spread']:.1f})")
    print(f"  memory {results['memory_mb']} MB; the most of each {results['each_mb']} MB")
    if "growth" in results:
        print(f"  growth {growth.line(results['growth'])['told']}")


if __name__ == "__main__":
    main()
