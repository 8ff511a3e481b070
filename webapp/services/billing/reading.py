"""Reading a billing file into its source: a page of rows a transaction, with the place where it ended.

A killed worker has left nothing half done: rows, refused rows and place move together, and whoever takes the
file up skips what is done with. The same row again changes nothing: rows are known by their external ids.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, insert, select, update

from webapp.config import Settings
from webapp.database import CROWDED, begin
from webapp.domain.billing_rows import CUSTOMERS, Row, read
from webapp.failpoints import reach
from webapp.models import BillingFile, Customer, DataSourceCustomer, RefusedRow, Source, Subscription, now
from webapp.models.billing_file import BUSY, CANCELLED, CANCELLING, DONE, FAILED
from webapp.services.billing import files
from webapp.services.billing.records import CustomerChange, put_customers
from webapp.services.billing.subscriptions import PlanTold, SubscriptionTold, put_plans, put_subscriptions
from webapp.services.growing import Growing
from webapp.services.locks import lock_sources
from webapp.services.pacing import Pace, collecting_later
from webapp.services.projection import never
from webapp.services.rows import select_in

Numbered = tuple[int, list[str], Row]
"""A row's number as a spreadsheet counts it, its cells, and what it says."""

log = structlog.get_logger(__name__)


def run(engine: Engine, file_id: int, *, settings: Settings, stop: Callable[[], bool] = never) -> None:
    """Read a file to its end. May be run again, and by two at once: each page locks the file's row.

    Args:
        stop: asked between pages; True leaves the rest to the next run.
    """
    with engine.connect() as connection:
        file = _file(connection, file_id)
    if file is None or file.state not in BUSY:
        return
    try:
        with files.open_text(settings, file) as text:
            _read(engine, file, _numbered(file, files.rows(text, file.delimiter)), stop)
    except files.Unreadable as unreadable:
        _end(engine, file_id, FAILED, str(unreadable))
    except FileNotFoundError:
        missing = "The uploaded file is no longer there. What was imported before is kept; upload it again."
        _end(engine, file_id, FAILED, missing)
    with engine.connect() as connection:
        file = _file(connection, file_id)
    if file is not None and file.state not in BUSY:
        files.remove(settings, file.folder)


def _file(connection: Connection, file_id: int) -> Any:
    return connection.execute(select(BillingFile.__table__).where(BillingFile.id == file_id)).first()


def _numbered(file: Any, rows: Iterator[tuple[int, list[str]]]) -> Iterator[Numbered]:
    """What is left of a file: its heading and the rows that are done with are passed over."""
    for number, cells in itertools.islice(rows, file.rows + 1, None):
        yield number, cells, read(file.kind, file.columns, cells)


def _read(engine: Engine, file: Any, rows: Iterator[Numbered], stop: Callable[[], bool]) -> None:
    at = file.rows
    pace = Pace(engine.dialect.name)
    growing = Growing(Customer, DataSourceCustomer, Subscription)
    while not stop():
        with pace.batch() as batch, collecting_later():
            page = list(itertools.islice(rows, batch.size))
            with begin(engine) as connection:
                batch.begun(connection.info.get(CROWDED, False))
                lock_sources(connection)
                now_there = _file(connection, file.id)
                if now_there is None or now_there.rows != at or not _goes_on(connection, now_there):
                    return
                _write(connection, now_there, page)
                if not page:
                    _close(connection, file.id, DONE)
                    return
                growing.by(connection, len(page))
                batch.worked = len(page)
                reach("billing.before_commit")
            reach("billing.after_commit")
        at += len(page)
        pace.rest()


def _goes_on(connection: Connection, file: Any) -> bool:
    """Whether a file is still to be read; one that was cancelled is closed by this."""
    if file.state == CANCELLING:
        _close(connection, file.id, CANCELLED)
    active = connection.scalar(select(Source.state).where(Source.id == file.source_id)) == "active"
    return active and file.state in BUSY and file.state != CANCELLING


def _write(connection: Connection, file: Any, page: Sequence[Numbered]) -> None:
    write = _customers if file.kind == CUSTOMERS else _subscriptions
    added, updated = write(connection, file.source_id, page)
    reach("billing.mid_batch")
    refused = [(number, cells, row.problems) for number, cells, row in page if row.problems]
    if refused:
        connection.execute(
            insert(RefusedRow),
            [
                {"file_id": file.id, "row": number, "cells": cells, "problems": problems}
                for number, cells, problems in refused
            ],
        )
    counted = {
        "rows": file.rows + len(page),
        "place": file.place + sum(sum(map(len, cells)) + len(cells) + 1 for _, cells, _ in page),
        "added": file.added + added,
        "updated": file.updated + updated,
        "refused": file.refused + len(refused),
        "heartbeat_at": now(),
    }
    connection.execute(update(BillingFile).where(BillingFile.id == file.id).values(**counted))


def _customers(connection: Connection, source_id: int, page: Sequence[Numbered]) -> tuple[int, int]:
    good = [row for _, _, row in page if not row.problems]
    changes = [
        CustomerChange(
            row.values["external_id"],
            {name: value for name, value in row.values.items() if name != "external_id"},
            row.custom,
        )
        for row in good
    ]
    if not changes:
        return 0, 0
    put = put_customers(connection, source_id, changes)
    return len(put.added), len(changes) - len(put.added)


def _subscriptions(connection: Connection, source_id: int, page: Sequence[Numbered]) -> tuple[int, int]:
    good = [row for _, _, row in page if not row.problems]
    origins = _origins(connection, source_id, [row.values["customer"] for row in good])
    for row in good:
        if row.values["customer"] not in origins:
            row.problems.append(
                f"No customer of this source has the external ID “{row.values['customer'][:80]}”. "
                "Upload its customers first."
            )
    told = [row.values for row in good if not row.problems]
    plans = put_plans(connection, source_id, [_plan(values) for values in told if "plan" in values])
    subscriptions = [_subscription(row.values, origins, plans) for row in good if not row.problems]
    added = put_subscriptions(connection, source_id, subscriptions) if subscriptions else 0
    return added, len(subscriptions) - added


def _origins(connection: Connection, source_id: int, external_ids: Sequence[str]) -> dict[str, str]:
    query = select(DataSourceCustomer.external_id, DataSourceCustomer.origin_uuid).where(
        DataSourceCustomer.source_id == source_id, DataSourceCustomer.kind == "billing"
    )
    rows = select_in(connection, query, DataSourceCustomer.external_id, external_ids)
    return {row.external_id: row.origin_uuid for row in rows}


def _plan(values: dict[str, Any]) -> PlanTold:
    unit, count = values["interval"]
    return PlanTold(values["plan"], values["plan"], unit, count)


def _subscription(values: dict[str, Any], origins: dict[str, str], plans: dict[str, int]) -> SubscriptionTold:
    unit, count = values["interval"]
    return SubscriptionTold(
        external_id=values["external_id"],
        origin_uuid=origins[values["customer"]],
        amount=values["amount"],
        currency=values["currency"],
        interval_unit=unit,
        interval_count=count,
        start_at=values["start"],
        end_at=values.get("end"),
        past_due=values.get("past_due", False),
        plan_id=plans.get(values.get("plan", "")),
    )


def _close(connection: Connection, file_id: int, state: str, error: str | None = None) -> None:
    ended = {"state": state, "error": error, "finished_at": now(), "heartbeat_at": now()}
    connection.execute(update(BillingFile).where(BillingFile.id == file_id).values(**ended))


def _end(engine: Engine, file_id: int, state: str, error: str) -> None:
    with begin(engine) as connection:
        _close(connection, file_id, state, error)
    log.warning("billing_file.failed", file_id=file_id)
