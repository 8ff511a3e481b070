"""Billing files and automations whose process is killed at each named place, and goes on."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests.faults.support import House
from tests.merging.test_automations import asked, company, number, rule
from tests.merging.test_merging import billing
from tests.projection import support
from webapp.database import writing
from webapp.models import AutomationRun, BillingFile, Decision, RefusedRow, Source
from webapp.services.automations import runs
from webapp.services.billing import files, uploads
from webapp.services.billing.records import CustomerChange

ROWS = 1100
TABLE = "id,name,seats\n" + "".join(
    f"{n},Name {n},{n}\n" if n % 7 else f",Nobody {n},\n" for n in range(ROWS)
)
TIMES = {"first_seen", "last_seen"}  # of a row of a file, when it was read
NUMBERS = range(1, 701)  # of companies


def test_a_billing_file_killed_anywhere_is_read_as_if_nothing_had_been(house: House) -> None:
    """Each row is there once, or refused once with its reason, and the file is removed."""
    undisturbed = uploaded(house)
    house.finished("read_file", undisturbed)
    file_id = uploaded(house)
    for place in ("mid_batch:2", "before_commit:1", "after_commit:1", "mid_batch:1"):
        house.killed("read_file", file_id, f"billing.{place}")
        assert list((house.settings.data_dir / "billing").iterdir())
    house.finished("read_file", file_id)
    assert came_to(house, file_id) == came_to(house, undisturbed)
    assert not list((house.settings.data_dir / "billing").iterdir())


def uploaded(house: House) -> int:
    """A file of customers of a billing source of its own, that is to be read; its id."""
    source_id = billing(house.engine)
    path = files.new_folder(house.settings) / "0"
    path.write_text(TABLE)
    with Session(house.engine) as session, writing():
        source = session.get_one(Source, source_id)
        file = uploads.take_in(session, source, "customers", "table.csv", path, len(TABLE), None)
        uploads.begin(session, source, file, file.columns, None)
        return file.id


def came_to(house: House, file_id: int) -> tuple[Any, ...]:
    """What became of a file: its counts, the rows it was refused, and its customers."""
    counted = select(BillingFile.state, BillingFile.rows, BillingFile.added, BillingFile.refused)
    refused = select(RefusedRow.row, RefusedRow.cells, RefusedRow.problems)
    with house.engine.connect() as connection:
        source_id = connection.scalar(select(BillingFile.source_id).where(BillingFile.id == file_id))
        counts = connection.execute(counted.where(BillingFile.id == file_id)).one()
        rows = connection.execute(refused.where(RefusedRow.file_id == file_id).order_by(RefusedRow.id)).all()
    assert counts.state == "done"
    assert counts.rows == ROWS
    assert source_id is not None
    customers, contacts = house.facts(source_id)
    assert not contacts
    told = [{name: row[name] for name in row.keys() - TIMES} for row in customers]
    return counts, rows, told


def test_an_automation_killed_anywhere_merges_and_takes_back_what_another_does(house: House) -> None:
    """The same pairs and the same files; taken back, the files from before."""
    segment = support.make_source(house.engine)
    told = [company(str(n), name=f"Company {n}", website=f"c{n}.com") for n in NUMBERS]
    support.receive(house.engine, segment, told)
    support.drain(house.engine, house.settings, segment)
    paid = [
        CustomerChange(str(n), {"name": f"Paid {n}", "website_url": f"https://c{n}.com"})
        for n in NUMBERS[::2]
    ]
    billing(house.engine, *paid)
    automation_id = rule(house.engine, keys=["domain"])
    apart = house.facts(segment)
    counts = {"pairs": len(paid), "ambiguous": 0}
    assert passed(house, automation_id, runs.APPLY) == counts
    together = house.facts(segment)
    assert together != apart
    places = ("mid_batch:1", "before_commit:1", "after_commit:1")
    assert passed(house, automation_id, runs.UNDO, *places) == {"undone": len(paid)}
    assert house.facts(segment) == apart
    places = ("mid_batch:1", "before_commit:2", "after_commit:3", "mid_batch:2", "before_commit:1")
    assert passed(house, automation_id, runs.APPLY, *places) == counts
    assert house.facts(segment) == together
    assert number(house.engine, Decision) == len(paid)


def passed(house: House, automation_id: int, kind: str, *places: str) -> dict[str, int]:
    """A whole pass, killed at some places on its way; what it counted."""
    run_id = asked(house.engine, automation_id, kind)
    for place in places:
        house.killed("run_automation", run_id, f"automation.{place}")
    house.finished("run_automation", run_id)
    return result_of(house.engine, run_id)


def result_of(engine: Engine, run_id: int) -> dict[str, int]:
    """What a pass that is done counted."""
    with engine.connect() as connection:
        run = connection.execute(select(AutomationRun.__table__).where(AutomationRun.id == run_id)).one()
    assert run.state == "done"
    return dict(run.result)
