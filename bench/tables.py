"""How long pages of the data tables take, at some sizes, and how that grows.

`.venv/bin/python -m bench.tables [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import urlencode

from flask.testing import FlaskClient
from sqlalchemy import Engine, delete, select

from bench import common, filling, processor
from tests import people
from tests.conftest import migrate, settings_for
from webapp import garbage
from webapp.app import create_app
from webapp.database import begin, make_engine
from webapp.models import AttributeIndex, Customer
from webapp.services import attribute_indexes, tables
from webapp.services.tables import CONTACTS, CUSTOMERS, Cursor, Table, expressions

SIZES = (10_000, 100_000, 1_000_000)
TIMES = 20
CSV_ROWS = 100_000
CSV = "CSV per 100,000 rows"
CUSTOM = {"customers": ("plan", "seats", "signed_at"), "contacts": ("role", "score", "newsletter")}
FILTERS = {
    "customers": (
        "custom.plan:is:enterprise",
        "custom.plan:contains:enter",
        "custom.seats:greater:498",
        "custom.signed_at:before:2020-01-12",
        "custom.signed_at:empty",
    ),
    "contacts": ("custom.role:contains:own", "custom.score:is:7", "custom.newsletter:is:true"),
}
Case = tuple[str, Callable[[], Any]]
Times = dict[str, dict[str, float]]
UNINDEXED = "customers: sort by a custom attribute that has no index yet"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.tables", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--rows", type=int, help="customers, and as many contacts; 10,000 to 1,000,000 unless given"
    )
    parser.add_argument(
        "--database",
        default="sqlite",
        help="sqlite, postgresql, or a URL: of an empty database, or one filled before",
    )
    parser.add_argument(
        "--processor",
        action="store_true",
        help="count processor time instead: for a machine that others use too",
    )
    parser.add_argument("--json", type=Path, help="file for the results")
    asked = parser.parse_args()
    found: dict[int, Times] = {}
    for rows in common.sizes(asked, SIZES):
        with common.database(asked.database) as url, tempfile.TemporaryDirectory() as folder:
            found[rows] = _measured(url, Path(folder), rows, asked.processor)
        _show(found)
    results = {
        "bench": "tables",
        "database": asked.database,
        "processor_time": asked.processor,
        "machine": common.machine(),
        "rows": found,
        "lines": _lines(found),
    }
    common.report(asked.json, results)


def _measured(url: str, folder: Path, rows: int, processor_time: bool) -> Times:
    settings = settings_for(url, folder / "data")
    migrate(settings)
    engine = make_engine(settings)
    name = common.name_of(url)
    clock = processor.clock(engine) if processor_time else time.perf_counter
    if not _is_filled(engine):
        started = time.monotonic()
        filling.fill(engine, rows)
        print(f"{name}: filled {rows:,} customers and contacts in {time.monotonic() - started:.0f} s")
    _unindex(engine)
    app = create_app(settings)
    client = people.signed_in(app)
    garbage.settle()  # as the web server does
    found = _timed(_first_asked(client), rows, clock)
    started = time.monotonic()
    made = _index(engine)
    print(f"{name}: made {made} indexes of custom attributes in {time.monotonic() - started:.1f} s")
    for table in (CUSTOMERS, CONTACTS):
        found |= _timed(_cases(client, engine, settings.secret_key, table, rows), rows, clock)
    with app.app_context():
        app.extensions["sqlalchemy"].engine.dispose()
    engine.dispose()
    return found


def _is_filled(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.scalar(select(Customer.id).limit(1)) is not None


def _unindex(engine: Engine) -> None:
    """Forget the indexes of custom attributes that an earlier run had made."""
    with begin(engine) as connection:
        connection.execute(delete(AttributeIndex))
    attribute_indexes.tend(engine)


def _index(engine: Engine) -> int:
    """Have the attributes indexed that pages are sorted and filtered by; how many were not yet."""
    for table, keys in CUSTOM.items():
        attribute_indexes.ask(engine, table.removesuffix("s"), keys)
    return sum(1 for _ in iter(lambda: attribute_indexes.tend(engine), False))


def _timed(cases: list[Case], rows: int, clock: Callable[[], float]) -> Times:
    found = {}
    for name, call in cases:
        taken = common.timed(call, TIMES, 10.0, clock)
        if name.endswith(CSV) and rows < CSV_ROWS:
            taken = [seconds * CSV_ROWS / rows for seconds in taken]
        found[name] = common.summary(taken)
        print(f"  {name:<60} {found[name]['median_ms']:>9.1f} {found[name]['p95_ms']:>9.1f}", flush=True)
    return found


def _page(client: FlaskClient, table: Table, **args: Any) -> Callable[[], Any]:
    address = f"/{table.noun}?{urlencode(args, doseq=True)}"

    def call() -> None:
        response = client.get(address)
        assert response.status_code == 200, address

    return call


def _first_asked(client: FlaskClient) -> list[Case]:
    """What the first one waits for who sorts by a custom attribute, before it has its index."""
    call = _page(client, CUSTOMERS, sort="-custom.mrr")
    return [(UNINDEXED, call)]


def _cases(client: FlaskClient, engine: Engine, secret: str, table: Table, rows: int) -> list[Case]:
    def get(**args: Any) -> Callable[[], Any]:
        return _page(client, table, **args)

    def csv() -> None:
        # A hundred thousand rows of the stream, whatever there are.
        response = client.get(f"/{table.noun}.csv", buffered=False)
        lines = 0
        for piece in response.response:
            lines += piece.count(b"\n")
            if lines >= CSV_ROWS:
                break
        response.close()

    deep = _deep(engine, table, rows, secret)
    cases: list[Case] = [("first page", get()), ("deep page", get(page=deep)), ("100 rows", get(size=100))]
    for column in table.standard:
        for sign, way in (("", "ascending"), ("-", "descending")):
            order = {} if sign + column.key == table.sort else {"sort": sign + column.key}
            cases.append((f"sort {column.key} {way}", get(**order)))
    custom = CUSTOM[table.noun]
    cases += [
        (f"sort custom {key} {'descending' if sign else 'ascending'}", get(sort=f"{sign}custom.{key}"))
        for key in custom
        for sign in ("-", "")
    ]
    filters = (
        ["country:is:DE", "custom.plan:is:pro"]
        if table is CUSTOMERS
        else ["title:is:engineer", "custom.role:is:owner"]
    )
    rare = f"{filling.WORDS[7]}{rows - rows % 15 - 8}." if table is CUSTOMERS else f"{rows - 7}@"
    cases += [
        ("search, few hits", get(q=rare)),
        ("search, many hits", get(q="example")),
        ("search, many hits, sorted by name", get(q="example", sort="name")),
        ("search, some hits", get(q=f"{'maple' if table is CUSTOMERS else 'lamport'}1")),
        ("search, one letter", get(q="n")),
        ("search, no hits", get(q="zzzzqq")),
        ("filter by a standard and a custom attribute", get(f=filters)),
        ("filters, search and sort", get(f=filters, q="ma", sort="-last_seen")),
        ("filter by a rare custom value", get(f=f"custom.{custom[1]}:greater:100000")),
        *(
            (f"filter {each.partition(':')[0]} {each.split(':')[1]}", get(f=each, sort="-last_seen"))
            for each in FILTERS[table.noun]
        ),
        ("news", lambda: client.get(f"/{table.noun}/news?since=1")),
        (CSV, csv),
    ]
    return [(f"{table.noun}: {name}", call) for name, call in cases]


def _deep(engine: Engine, table: Table, rows: int, secret: str) -> str:
    """The address of the page in the middle of the table."""
    with engine.connect() as connection:
        view = tables.read_view(table, tables.columns_of(connection, table), {})
        key, id = expressions.sort_key(table, view.sort, engine.dialect.name), table.model.id
        query = select(id, key.label("key")).order_by(key.desc(), id.desc()).offset(rows // 2).limit(1)
        row = connection.execute(query).one()
        return Cursor(view.ordering, row.key, row.id).dump(secret)


def _lines(found: dict[int, Times]) -> list[dict[str, str]]:
    """The first page, the deep one beside it, the slowest of all, and what grew most, at the largest size."""
    few, most = min(found), max(found)
    run, small = found[most], found[few]
    pages = [name for name in run if name != UNINDEXED and not name.endswith(CSV)]
    slowest = max(pages, key=lambda name: run[name]["p95_ms"])
    first = "customers: first page"
    deep = run["customers: deep page"]["median_ms"] / run[first]["median_ms"]
    csv = CSV_ROWS / run[f"customers: {CSV}"]["median_ms"] * 1000
    what = f"Tables of {most:,} rows"
    told = [
        common.line(f"{what}: first page, p50 / p95", _told(run[first])),
        common.line(f"{what}: the slowest of {len(pages)} pages, p50 / p95", _told(run[slowest])),
        common.line(f"{what}: a page in the middle, times the first", f"{deep:.2f}", "≤ 1.5"),
        common.line(f"{what}: CSV, rows/s", f"{csv:,.0f}"),
    ]
    if few < most:
        growths = [run[name]["median_ms"] / max(small[name]["median_ms"], 0.01) for name in pages]
        what = f"{what}: growth from {few:,}, half of the pages / the most"
        told.append(common.line(what, f"{median(growths):.1f} / {max(growths):.1f}", "< 3"))
    return told


def _told(times: dict[str, float]) -> str:
    return f"{times['median_ms']:.0f} / {times['p95_ms']:.0f} ms"


def _show(found: dict[int, Times]) -> None:
    sizes = sorted(found)
    print(f"\n{'milliseconds, median / p95':<55}" + "".join(f"{size:>20,}" for size in sizes) + "    growth")
    for name in found[sizes[0]]:
        cells = [f"{found[s][name]['median_ms']:>10.1f} / {found[s][name]['p95_ms']:>7.1f}" for s in sizes]
        growth = found[sizes[-1]][name]["median_ms"] / max(found[sizes[0]][name]["median_ms"], 0.01)
        print(f"{name:<55}{''.join(cells)}{growth:>9.1f}")


if __name__ == "__main__":
    main()
