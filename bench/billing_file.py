"""How quickly a billing CSV with errors in it is read, how much memory that takes, and the ordinary way.

`.venv/bin/python -m bench.billing_file [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from bench import common, memory
from tests import factories
from tests.conftest import ROOT, environment_of
from webapp.config import Settings
from webapp.database import begin, make_engine
from webapp.models import BillingFile, Source
from webapp.services.billing import files, reading, uploads

BAD = 50
"""Of so many rows one is wrong."""
ORDINARY_ROWS = 2000
"""What is slow is measured on fewer."""
HEADING = "Customer ID,Name,E-mail,Website,Country,City,Seats,Tier"


def main() -> None:
    if sys.argv[1:2] == ["--read"]:
        read(int(sys.argv[2]))
        return
    asked = common.arguments(__doc__, 500_000, "rows of the file").parse_args()
    with common.installation(asked.database) as settings:
        engine = common.emptied(settings)
        file_id = upload(engine, settings, asked.rows)
        engine.dispose()
        results = {
            "bench": "billing_file",
            "database": common.name_of(settings.database_url),
            "machine": common.machine(),
            "rows": asked.rows,
            **_measured(settings, file_id),
        }
        results["ordinary_rate"] = _ordinary(settings, min(asked.rows, ORDINARY_ROWS))
    results["lines"] = [
        common.line(f"Billing file of {asked.rows:,} rows, rows/s", f"{results['rate']:,}"),
        common.line(
            "Billing file, times the ordinary way", f"{results['rate'] / results['ordinary_rate']:.1f}"
        ),
        common.line("Billing file, memory of the worker", f"{results['memory_mb']:.0f} MB", "< 300 MB"),
    ]
    print(
        f"{results['database']}, {asked.rows:,} rows, {results['refused']:,} of them refused: "
        f"{results['rate']:,} rows/s, {results['memory_mb']:.0f} MB; "
        f"{results['ordinary_rate']:,} the ordinary way"
    )
    common.report(asked.json, results)


def upload(engine: Engine, settings: Settings, rows: int) -> int:
    """Have a made-up file of customers wait to be read; its id."""
    with begin(engine) as connection:
        source_id = factories.source(connection, "Billing", kind="billing", policy="", applied_policy="")
    path: Path = files.new_folder(settings) / "0"
    write(path, rows)
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        size = path.stat().st_size
        file = uploads.take_in(session, source, "customers", "customers.csv", path, size, None)
        uploads.begin(session, source, file, file.columns, None)
        return file.id


def write(path: Path, rows: int) -> None:
    """Write a made-up file of customers."""
    with path.open("w") as text:
        text.write(HEADING + "\n")
        text.writelines(row(n) for n in range(1, rows + 1))


def row(n: int) -> str:
    """One line: of every `BAD` one has no external id, or an e-mail address that is none."""
    name = "" if n % (2 * BAD) == 0 else f"cus_{n}"
    email = "nobody" if n % (2 * BAD) == BAD else f"office{n}@company{n}.example"
    return f'{name},"Company {n}, Inc.",{email},https://company{n}.example,DE,City {n % 2000},{n % 500},pro\n'


def read(file_id: int) -> None:
    """What a worker does, in a process of its own; prints the seconds as JSON."""
    settings = Settings.from_env()
    engine = make_engine(settings)
    started = time.perf_counter()
    reading.run(engine, file_id, settings=settings)
    seconds = time.perf_counter() - started
    print(json.dumps({"seconds": seconds}))


def _measured(settings: Settings, file_id: int) -> dict[str, Any]:
    said, seen = memory.run(["bench.billing_file", "--read", str(file_id)], environment_of(settings))
    run = json.loads(said) | seen.told()
    engine = make_engine(settings)
    with engine.connect() as connection:
        file = connection.execute(select(BillingFile.__table__).where(BillingFile.id == file_id)).one()
    engine.dispose()
    if file.state != "done" or file.refused != file.rows // BAD:
        sys.exit(f"The file is {file.state}, with {file.refused:,} of {file.rows:,} rows refused.")
    return run | {"rate": round(file.rows / run["seconds"]), "added": file.added, "refused": file.refused}


def _ordinary(settings: Settings, rows: int) -> int:
    """Rows a second, read as people would."""
    common.emptied(settings).dispose()
    with tempfile.TemporaryDirectory(prefix="tributary-bench-") as folder:
        path = Path(folder) / "customers.csv"
        write(path, rows)
        command = [sys.executable, "-m", "bench.baselines.row_by_row", settings.database_url]
        command += [str(path), str(rows)]
        done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return round(rows / float(done.stdout))


if __name__ == "__main__":
    main()
