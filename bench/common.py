"""What benchmarks share: a database to fill, times taken, and their report."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from sqlalchemy import Engine, create_engine
from sqlalchemy.engine import make_url

from tests import postgres
from tests.conftest import migrate, settings_for
from webapp.config import Settings
from webapp.database import make_engine

SERVER = {"shared_buffers": "1GB", "work_mem": "64MB", "maintenance_work_mem": "512MB", "max_wal_size": "4GB"}
"""Settings of a throw-away PostgreSQL of some size, beside those of the tests."""


DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "autovacuum": "on"}
"""What makes it keep what it acknowledges, and tidy up, as one that is in use does."""


@contextmanager
def database(asked: str, durable: bool = False) -> Iterator[str]:
    """The URL of an empty database, gone afterwards when it was made here.

    Args:
        asked: `sqlite`, `postgresql` (a server of our own is started), or the URL of an empty database.
        durable: whether a commit has to reach the disk; SQLite's always does.
    """
    if asked == "sqlite":
        with tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
            yield f"sqlite:///{folder}/bench.db"
    elif asked == "postgresql":
        folder_ = postgres.programs()
        if folder_ is None:
            sys.exit("PostgreSQL is not installed here (on Debian: apt-get install postgresql).")
        with postgres.running(folder_, SERVER | DURABLE if durable else SERVER) as server:
            yield server.url(server.create())
    else:
        yield asked


@contextmanager
def installation(asked: str, durable: bool = True) -> Iterator[Settings]:
    """Settings of an installation with a database as `database` gives it; `emptied` makes its tables."""
    with database(asked, durable) as url, tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
        yield replace(settings_for(url, Path(folder) / "data"), testing=False)


def emptied(settings: Settings) -> Engine:
    """An engine on the database with new, empty tables; whatever was in it is gone."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        for end in ("", "-wal", "-shm"):
            Path(f"{url.database}{end}").unlink(missing_ok=True)
    else:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        engine.dispose()
    migrate(settings)
    return make_engine(settings)


def arguments(module: Any, rows: int, help: str) -> argparse.ArgumentParser:
    """A parser with what every benchmark understands: `--rows`, `--database` and `--json`.

    Args:
        module: `__doc__` of the benchmark.
        rows: unless given.
        help: what rows are.
    """
    parser = argparse.ArgumentParser(description=module.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=rows, help=f"{help}; {rows:,} unless given")
    parser.add_argument(
        "--database", default="sqlite", help="sqlite, postgresql, or the URL of an empty database"
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    return parser


def sizes(asked: argparse.Namespace, usual: Sequence[int]) -> tuple[int, ...]:
    """At which sizes to measure, smallest first.

    Args:
        asked: whose `rows` asks for one size, beside which the smallest is measured, to tell the growth; a
            `database` that was not made here holds only one.
        usual: unless one is asked for.
    """
    if asked.database not in ("sqlite", "postgresql"):
        return (asked.rows or usual[0],)
    return tuple(sorted({min(usual[0], asked.rows), asked.rows})) if asked.rows else tuple(usual)


def median_of(runs: list[dict[str, float]], key: str) -> float:
    """The median of one number of several runs."""
    return float(median(run[key] for run in runs))


def timed(
    function: Callable[[], Any],
    times: int,
    longest: float = 20.0,
    clock: Callable[[], float] = time.perf_counter,
) -> list[float]:
    """Seconds that each of some calls takes, after one that is not counted.

    Args:
        function: what is measured.
        times: how often.
        longest: seconds after which no further call is made.
        clock: what measures, in seconds.
    """
    function()
    taken: list[float] = []
    while len(taken) < times and (len(taken) < 3 or sum(taken) < longest):
        start = clock()
        function()
        taken.append(clock() - start)
    return taken


def summary(taken: list[float]) -> dict[str, float]:
    """Median and 95th percentile of some times, in milliseconds."""
    p95 = quantiles(taken, n=20, method="inclusive")[-1] if len(taken) > 1 else taken[0]
    return {"median_ms": round(median(taken) * 1000, 2), "p95_ms": round(p95 * 1000, 2)}


def line(what: str, told: str, wanted: str = "") -> dict[str, str]:
    """One line of the table that `make bench` writes.

    Args:
        what: was measured; the same words on both databases.
        told: what came out, as it is to be read.
        wanted: what should have, as it is to be read.
    """
    return {"what": what, "told": told, "wanted": wanted}


def machine() -> dict[str, Any]:
    """Where numbers were taken: processors, memory, Python."""
    pages, size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "processors": os.cpu_count(),
        "memory_gib": round(pages * size / 2**30, 1),
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
    }


def report(path: Path | None, results: dict[str, Any]) -> None:
    """Print what `make bench` has in its table, and write results as JSON where that is wanted."""
    for each in results.get("lines", ()):
        wanted = f" (wanted: {each['wanted']})" if each["wanted"] else ""
        print(f"  {each['what']}: {each['told']}{wanted}", flush=True)
    if path is not None:
        path.write_text(json.dumps(results, indent=2) + "\n")


def name_of(url: str) -> str:
    """`sqlite` or `postgresql`: what a report calls a database."""
    return make_url(url).get_backend_name()
