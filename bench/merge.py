"""How quickly an automation tests, merges and takes back its merges, how that grows, beside the ordinary way.

`.venv/bin/python -m bench.merge [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import subprocess
import sys
import time
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
ORDINARY_MERGES = 1000
"""What is slow is measured on fewer."""
PASSES = (("test", runs.TEST), ("apply", runs.APPLY), ("undo", runs.UNDO))
Numbers = dict[str, Any]


def main() -> None:
    parser = common.arguments(__doc__, 0, "customers; 10,000, 100,000 and 1,000,000 unless given")
    asked = parser.parse_args()
    found: dict[int, Numbers] = {}
    with common.installation(asked.database) as settings:
        database = common.name_of(settings.database_url)
        for rows in (min(SIZES[0], asked.rows), asked.rows) if asked.rows else SIZES:
            if rows not in found:
                found[rows] = _measured(settings, rows)
                print(f"{database}, {rows:,} customers: {_told(found[rows])}", flush=True)
    results = {
        "bench": "merge",
        "database": database,
        "machine": common.machine(),
        "rows": found,
        "lines": _lines(found),
    }
    common.report(asked.json, results)


def _measured(settings: Settings, rows: int) -> Numbers:
    """A test, the merges and their undoing over so many customers, and some merges the ordinary way."""
    engine = common.emptied(settings)
    there = pairs.fill(engine, rows)
    with begin(engine) as connection:
        connection.execute(update(Automation).values(keys=["email", "domain"]))
    found: Numbers = {"pairs": there}
    for name, kind in PASSES:
        seconds, result = _passed(engine, kind)
        told = result.get("undone" if kind == runs.UNDO else "pairs")
        left = _customers(engine)
        if told != there or left != rows - (there if kind == runs.APPLY else 0):
            sys.exit(f"The pass {name!r} found {told} of {there} pairs and left {left} customers.")
        found[name] = round(seconds, 2)
    found["test_rate"] = round(rows / found["test"])
    found["apply_rate"] = round(rows / found["apply"])
    found["merge_rate"] = round(there / found["apply"])
    found["undo_rate"] = round(there / found["undo"])
    engine.dispose()
    found["ordinary_rate"] = _ordinary(settings, rows, min(there, ORDINARY_MERGES))
    return found


def _passed(engine: Engine, kind: str) -> tuple[float, dict[str, int]]:
    """Seconds that a whole pass takes, and what it counted."""
    with writing(), Session(engine) as session:
        run_id = runs.request(session, session.scalars(select(Automation)).one(), kind).id
        session.commit()
    started = time.perf_counter()
    runs.run(engine, run_id)
    seconds = time.perf_counter() - started
    with Session(engine) as session:
        return seconds, dict(session.get_one(AutomationRun, run_id).result)


def _customers(engine: Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(Customer)) or 0


def _ordinary(settings: Settings, rows: int, merges: int) -> int:
    common.emptied(settings).dispose()
    command = [sys.executable, "-m", "bench.baselines.merge_one_by_one", settings.database_url]
    command += [str(rows), str(merges)]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return round(merges / float(done.stdout))


def _told(run: Numbers) -> str:
    return (
        f"test {run['test_rate']:,} customers/s, apply {run['apply_rate']:,} customers/s "
        f"and {run['merge_rate']:,} merges/s, undo {run['undo_rate']:,} merges/s; "
        f"ordinary way {run['ordinary_rate']:,} merges/s"
    )


def _lines(found: dict[int, Numbers]) -> list[dict[str, str]]:
    few, most = min(found), max(found)
    run = found[most]
    told = [
        common.line("Automation's test, customers/s", f"{run['test_rate']:,}"),
        common.line("Automation's merges, customers/s", f"{run['apply_rate']:,}"),
        common.line("Automation's merges, merges/s", f"{run['merge_rate']:,}"),
        common.line("Merges taken back, merges/s", f"{run['undo_rate']:,}"),
        common.line("Merges the ordinary way, merges/s", f"{run['ordinary_rate']:,}"),
    ]
    if few < most:
        what = f"Automation's merges, growth from {few:,} to {most:,} customers"
        told.append(common.line(what, f"{found[few]['apply_rate'] / run['apply_rate']:.2f}", "< 1.5"))
    return told


if __name__ == "__main__":
    main()
