"""Every benchmark, on SQLite and PostgreSQL, and one table of what came out: `make bench`.

`.venv/bin/python -m bench.all [--only NAME ...] [--rows N] [--json FILE] [--docs FILE]`
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench import common
from tests.conftest import ROOT

DATABASES = ("sqlite", "postgresql")
LONGEST = 1500  # seconds for one benchmark on one database
_LONG = ("tables", "resync", "delete", "history", "merge", "billing_file")
ROWS = dict.fromkeys(_LONG, 100_000)
"""Where a benchmark by itself goes through sizes that take an hour."""
BEGIN, END = "<!-- written by make bench -->", "<!-- until here -->"


def names() -> list[str]:
    """The benchmarks: modules here that say that they take a database and write JSON."""
    modules = sorted(Path(__file__).parent.glob("*.py"))
    told = ((path.stem, path.read_text()) for path in modules if path.stem != "all")
    return [name for name, text in told if "[--database" in text and "[--json FILE]" in text]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="*", help="some of them: " + ", ".join(names()))
    parser.add_argument("--rows", type=int, help="rows of each, to shrink them")
    parser.add_argument("--json", type=Path, help="file for all results")
    parser.add_argument("--docs", type=Path, help="page in which the table is written anew")
    asked = parser.parse_args()
    found, failed = [], []
    for name in asked.only or names():
        for database in DATABASES:
            results = run(name, database, asked.rows)
            if results is None:
                failed.append(f"{name} on {database}")
            else:
                found.append(results)
    text = table(found)
    print("\n" + text)
    common.report(asked.json, {"machine": common.machine(), "results": found})
    if asked.docs:
        write(asked.docs, text)
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


def run(name: str, database: str, rows: int | None) -> dict[str, Any] | None:
    """Run one benchmark in a process of its own; what it wrote, or None when it failed or took too long."""
    rows = rows or ROWS.get(name)
    with tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
        file = Path(folder) / "results.json"
        command = [sys.executable, "-m", f"bench.{name}", "--database", database, "--json", str(file)]
        command += ["--rows", str(rows)] if rows else []
        print(f"\n== {name} on {database}", flush=True)
        started = time.monotonic()
        try:
            done = subprocess.run(command, cwd=ROOT, check=False, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            return None
        if done.returncode or not file.exists():
            return None
        results: dict[str, Any] = json.loads(file.read_text())
        return results | {"database": database, "took_seconds": round(time.monotonic() - started)}


def table(found: list[dict[str, Any]]) -> str:
    """What benchmarks say in lines (`common.line`), one row each, with both databases side by side."""
    rows: dict[str, dict[str, str]] = {}
    for results in found:
        for line in results.get("lines", ()):
            row = rows.setdefault(line["what"], {"wanted": line["wanted"]})
            row[results["database"]] = line["told"]
    head = ["| | SQLite | PostgreSQL | wanted |", "|---|--:|--:|--:|"]
    told = [
        f"| {what} | {row.get('sqlite', '')} | {row.get('postgresql', '')} | {row['wanted']} |"
        for what, row in rows.items()
    ]
    return "\n".join([*head, *told])


def write(page: Path, text: str) -> None:
    """Put the table into a page, in place of the one that stands between the two marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    machine = common.machine()
    where = (
        f"{machine['processors']} processors, {machine['memory_gib']:.0f} GiB of memory, "
        f"Python {machine['python']}, load {machine['load']:.1f} at the end."
    )
    page.write_text(f"{before}{BEGIN}\n{text}\n\n{where}\n{END}{after}")


if __name__ == "__main__":
    sys.exit(main())
