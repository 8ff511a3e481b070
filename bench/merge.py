"""How quickly an automation tests, merges and takes back its merges, how that grows, beside the ordinary way.

`.venv/bin/python -m bench.merge [--rows N] [--only PASS] [--database sqlite|postgresql|URL] [--json FILE]`

At a million customers a tenth of the merges is taken back, and the ordinary way is left out.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from bench import common, pairs
from tests.conftest import ROOT
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.models import Automation, AutomationRun, Customer
from webapp.services.automations import runs

SIZES = (10_000, 100_000, 1_000_000)
ORDINARY_MERGES, ORDINARY_ROWS = 1000, 100_000
UNDONE = 25_000
"""What is slow is measured on fewer."""
PASSES = (("test", runs.TEST), ("apply", runs.APPLY), ("undo", runs.UNDO))
Numbers = dict[str, Any]


def main() -> None:
    parser = common.arguments(__doc__, 0, "customers; 10,000, 100,000 and 1,000,000 unless given")
    parser.add_argument("--only", nargs="+", choices=list(dict(PASSES)), help="passes; all unless given")
    asked = parser.parse_args()
    passes = asked.only or list(dict(PASSES))
    found: dict[int, Numbers] = {}
    with common.installation(asked.database) as settings:
        database = common.name_of(settings.database_url)
        for rows in common.sizes(asked, SIZES):
            found[rows] = _measured(settings, rows, passes)
            print(f"{database}, {rows:,} customers: {_told(found[rows])}", flush=True)
    results = {
        "bench": "merge",
        "database": database,
        "machine": common.machine(),
        "rows": found,
        "lines": _lines(found),
    }
    common.report(asked.json, results)


def _measured(settings: Settings, rows: int, passes: Sequence[str]) -> Numbers:
    """Passes over so many customers, and some merges the ordinary way."""
    engine = common.emptied(settings)
    there = pairs.fill(engine, rows)
    with begin(engine) as connection:
        connection.execute(update(Automation).values(keys=["email", "domain"]))
    found: Numbers = {"pairs": there}
    merged = 0
    for name, kind in PASSES:
        if name not in passes:
            continue
        seconds, result = _passed(engine, kind)
        told = result.get("undone" if kind == runs.UNDO else "pairs", 0)
        merged += {runs.APPLY: told, runs.UNDO: -told}.get(kind, 0)
        left = _customers(engine)
        if left != rows - merged or (told != there if kind != runs.UNDO else told < min(there, UNDONE)):
            sys.exit(f"The pass {name!r} found {told} of {there} pairs and left {left} customers.")
        found[name] = round(seconds, 2)
        found[f"{name}_rate"] = round((told if kind == runs.UNDO else rows) / seconds)
        if kind == runs.APPLY:
            found["merge_rate"] = round(told / seconds)
    engine.dispose()
    if rows <= ORDINARY_ROWS and len(passes) == len(PASSES):
        found["ordinary_rate"] = _ordinary(settings, rows, min(there, ORDINARY_MERGES))
    return found


def _passed(engine: Engine, kind: str) -> tuple[float, dict[str, int]]:
    """Seconds that a pass takes, and what it counted; an undoing ends after UNDONE merges or soon after."""
    with writing(), Session(engine) as session:
        run_id = runs.request(session, session.scalars(select(Automation)).one(), kind).id
        session.commit()

    def counted() -> dict[str, int]:
        with Session(engine) as session:
            return dict(session.get_one(AutomationRun, run_id).result)

    started = time.perf_counter()
    runs.run(engine, run_id, stop=lambda: counted().get("undone", 0) >= UNDONE)
    seconds = time.perf_counter() - started
    return seconds, counted()


def _customers(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Customer)) or 0


def _ordinary(settings: Settings, rows: int, merges: int) -> int:
    common.emptied(settings).dispose()
    command = [sys.executable, "-m", "bench.baselines.merge_one_by_one", settings.database_url]
    command += [str(rows), str(merges)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return round(merges / float(done.stdout))


WHAT = {
    "test_rate": "Automation's test, customers/s",
    "apply_rate": "Automation's merges, customers/s",
    "merge_rate": "Automation's merges, merges/s",
    "undo_rate": "Merges taken back, merges/s",
    "ordinary_rate": "Merges the ordinary way, merges/s",
}


def _told(run: Numbers) -> str:
    return "; ".join(f"{what}: {run[name]:,}" for name, what in WHAT.items() if name in run)


def _lines(found: dict[int, Numbers]) -> list[dict[str, str]]:
    few, most = min(found), max(found)
    run = found[most]
    told = [common.line(what, f"{run[name]:,}") for name, what in WHAT.items() if name in run]
    if "ordinary_rate" in run:
        for name, what in (("merge_rate", "Automation's merges"), ("undo_rate", "Merges taken back")):
            times = f"{run[name] / run['ordinary_rate']:.1f}"
            told.append(common.line(f"{what}, times the ordinary way", times))
    if few < most:
        for name, what in (("test_rate", "Automation's test"), ("apply_rate", "Automation's merges")):
            if name in run:
                growth = f"{found[few][name] / run[name]:.2f}"
                what += f", growth from {few:,} to {most:,} customers"
                told.append(common.line(what, growth, "< 1.5"))
    return told


if __name__ == "__main__":
    main()
