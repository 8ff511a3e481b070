"""How long calls of the API take with many customers and contacts there: pages, filters, one record, changes.

`.venv/bin/python -m bench.api [--rows N] [--database sqlite|postgresql|URL] [--json FILE]`
"""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, text

from bench import common, filling
from tests import factories
from tests.api.support import Caller, make_key
from tests.conftest import migrate, settings_for
from webapp.app import create_app
from webapp.config import Settings
from webapp.database import begin, make_engine
from webapp.views.api.limits import Buckets

TIMES = 20
BEHIND = """
    INSERT INTO data_source_customers (customer_id, source_id, kind, origin_uuid, external_id, told,
        first_seen, last_seen, leads, unmatched, created_at, updated_at)
    SELECT id, source_id, 'company', uuid, external_id, custom,
        first_seen, last_seen, true, false, created_at, updated_at FROM customers
"""


def main() -> None:
    asked = common.arguments(__doc__ or "", 1_000_000, "customers, and as many contacts").parse_args()
    with common.database(asked.database) as url, tempfile.TemporaryDirectory() as folder:
        found = _measured(settings_for(url, Path(folder) / "data"), asked.rows)
    results = {
        "bench": "api",
        "database": asked.database,
        "rows": asked.rows,
        "results": found,
        "lines": _lines(found, asked.rows),
    }
    common.report(asked.json, {"machine": common.machine(), **results})


def _measured(settings: Settings, rows: int) -> dict[str, Any]:
    """Fill a Segment source, and time calls beside a small billing source."""
    migrate(settings)
    engine = make_engine(settings)
    source_id = filling.fill(engine, rows)
    with begin(engine) as connection:
        connection.execute(text(BEHIND))
        uuid = factories.public_id(connection, source_id)
    _analyze(engine)
    app = create_app(settings)
    app.extensions["api_buckets"] = Buckets(10**6, 10**6)
    found = {}
    for what, ask in _calls(Caller(app.test_client(), make_key(engine)), uuid, rows):
        found[what] = common.summary(common.timed(ask, TIMES))
        print(f"  {what:<46} {found[what]}", flush=True)
    engine.dispose()
    return found


def _calls(api: Caller, segment: str, rows: int) -> Iterator[tuple[str, Callable[[], Any]]]:
    middle = base64.urlsafe_b64encode(str(rows // 2).encode()).decode()
    some, contact = (
        next(each for each in api("GET", f"/{what}?cursor={middle}&per_page=20")["entries"] if each["email"])
        for what in ("customers", "contacts")
    )
    billing = api.source()
    paid = api.customer(billing, "paid")
    names = count()
    yield "a customer", lambda: api("GET", f"/customers/{some['uuid']}")
    yield "a page of 200 customers", lambda: api("GET", "/customers")
    yield "a page in the middle", lambda: api("GET", f"/customers?cursor={middle}")
    yield "a page of a source", lambda: api("GET", f"/customers?data_source_uuid={segment}&cursor={middle}")
    yield "a page of a small source", lambda: api("GET", f"/customers?data_source_uuid={billing}")
    yield "customers of a kind of source", lambda: api("GET", "/customers?system=Import API")
    yield "customers of a rare status", lambda: api("GET", "/customers?status=Past_Due")
    yield "customers by external id", lambda: api("GET", f"/customers?external_id={some['external_id']}")
    yield "customers by e-mail", lambda: api("GET", f"/customers/search?email={some['email']}")
    yield "a page of 200 contacts", lambda: api("GET", "/contacts")
    yield "a page of contacts in the middle", lambda: api("GET", f"/contacts?cursor={middle}")
    yield "contacts of a source", lambda: api("GET", f"/contacts?data_source_uuid={segment}&cursor={middle}")
    yield "contacts by e-mail", lambda: api("GET", f"/contacts?email={contact['email']}")
    yield "contacts of a customer", lambda: api("GET", f"/customers/{some['uuid']}/contacts")
    yield "making a customer", lambda: api.customer(billing, f"cus_{next(names)}", name="New")
    yield (
        "changing a billing customer",
        lambda: api("PATCH", f"/customers/{paid}", {"name": str(next(names))}),
    )
    yield (
        "setting a value over Segment's",
        lambda: api("PATCH", f"/customers/{some['uuid']}", {"name": str(next(names))}),
    )
    yield "making a subscription", lambda: api.subscription(paid, billing, f"sub_{next(names)}")


def _lines(found: dict[str, Any], rows: int) -> list[dict[str, str]]:
    """One record, a page, the slowest of all calls; and a page in the middle beside the first."""
    slowest = max(found.values(), key=lambda times: times["p95_ms"])
    page, middle = found["a page of 200 customers"], found["a page in the middle"]
    what = f"API, {rows:,} customers"
    lines = [
        common.line(f"{what}: {words}, p50 / p95", f"{times['median_ms']:.0f} / {times['p95_ms']:.0f} ms")
        for words, times in (
            ("one of them", found["a customer"]),
            ("a page of 200", page),
            (f"the slowest of {len(found)} calls", slowest),
        )
    ]
    ratio = middle["median_ms"] / page["median_ms"]
    return [*lines, common.line(f"{what}: a page in the middle, times the first", f"{ratio:.2f}", "≤ 1.5")]


def _analyze(engine: Engine) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


if __name__ == "__main__":
    main()
