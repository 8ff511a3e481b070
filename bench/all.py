"""Every benchmark, on SQLite and PostgreSQL, and one table of what came out: `make bench`.

`.venv/bin/python -m bench.all [--only NAME ...] [--rows N] [--minutes N] [--json FILE] [--docs FILE]`

The table is written anew after each benchmark. What has not ended when the minutes are over stands below it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from bench import common
from tests.conftest import ROOT

MINUTES = 40
DATABASES = ("sqlite", "postgresql")
ROWS: dict[str, int | None] = {
    "ingest": None,
    "fresh": 100,
    "project": 300_000,
    "merge": 100_000,
    "history": 100_000,
    "billing_file": 100_000,
    "tables": 100_000,
    "api": 100_000,
    "hosts": None,
    "delete": 50_000,
    "resync": 50_000,
}
"""The benchmarks in their order, and rows that fit into the time; None: what each takes by itself."""
BEGIN, END = "<!-- written by make bench -->", "<!-- until here -->"
Results = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", metavar="NAME", choices=list(ROWS), help=", ".join(ROWS))
    parser.add_argument("--rows", type=int, help="rows of each, to shrink them")
    parser.add_argument("--minutes", type=float, default=MINUTES, help=f"for all of them; {MINUTES}")
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument("--docs", type=Path, help="page in which the table is written anew")
    asked = parser.parse_args()
    end = time.monotonic() + asked.minutes * 60
    found: list[Results] = []
    missing: list[str] = []
    for name, database in runs(asked.only or ROWS):
        results = run(name, database, asked.rows or ROWS[name], end - time.monotonic())
        if results is None:
            missing.append(f"{name} on {database}")
        else:
            found.append(results)
        common.report(asked.json, {"machine": common.machine(), "results": found, "missing": missing})
        if asked.docs:
            write(asked.docs, page(found, missing))
    print("\n" + page(found, missing))
    return 1 if missing else 0


def runs(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of benchmark and database; several hosts need PostgreSQL, and root to make them."""
    for name in names:
        for database in DATABASES:
            if name != "hosts" or (database == "postgresql" and os.geteuid() == 0):
                yield name, database


def run(name: str, database: str, rows: int | None, longest: float) -> Results | None:
    """Run one benchmark in a process of its own.

    Args:
        name: of the benchmark.
        database: `sqlite` or `postgresql`.
        rows: as many as it takes by itself, if None.
        longest: seconds that it may take.

    Returns:
        What it wrote, or None when it failed or took too long.
    """
    print(f"\n== {name} on {database}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
        file = Path(folder) / "results.json"
        command = [sys.executable, "-m", f"bench.{name}", "--database", database, "--json", str(file)]
        command += ["--rows", str(rows)] if rows else []
        if longest <= 0 or _code(command, longest) != 0 or not file.exists():
            return None
        results: Results = json.loads(file.read_text())
    return results | {"database": database, "took_seconds": round(time.monotonic() - started)}


def _code(command: list[str], longest: float) -> int:
    """The exit code of a process that is interrupted, so that it tidies up, when it takes too long."""
    with subprocess.Popen(command, cwd=ROOT) as process:
        try:
            return process.wait(longest)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
        try:
            return process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            return process.wait()


def page(found: list[Results], missing: list[str]) -> str:
    """The table, and what is to be known of it."""
    machine = common.machine()
    minutes = sum(results["took_seconds"] for results in found) / 60
    where = (
        f"{machine['processors']} processors, {machine['memory_gib']:.0f} GiB of memory, "
        f"Python {machine['python']}; {minutes:.0f} minutes, load {machine['load']:.1f} at the end."
    )
    told = [table(found), where]
    if missing:
        told.append(f"Failed, or not within the time: {', '.join(missing)}.")
    return "\n\n".join(told)


def table(found: list[Results]) -> str:
    """What benchmarks say in lines (`common.line`), one row each, with both databases side by side."""
    rows: dict[str, dict[str, str]] = {}
    for results in found:
        for line in results["lines"]:
            row = rows.setdefault(line["what"], {"wanted": line["wanted"]})
            row[results["database"]] = line["told"]
    head = ["| | SQLite | PostgreSQL | wanted |", "|---|--:|--:|--:|"]
    told = [
        f"| {what} | {row.get('sqlite', '')} | {row.get('postgresql', '')} | {row['wanted']} |"
        for what, row in rows.items()
    ]
    return "\n".join([*head, *told])


def write(file: Path, text: str) -> None:
    """Put a text into a page, in place of what stands between the two marks."""
    before, _, rest = file.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
