"""What is done on the pages, as the Audit log page tells it: each act once, by what it was done to."""

from __future__ import annotations

from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import Engine, insert, select

from tests.people import post
from tests.records.conftest import Pair
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Automation, AutomationRun, Decision, Note, Source, Sync
from webapp.services import audit, syncs
from webapp.services.automations import runs
from webapp.services.billing.records import CustomerChange, put_customers

WHO = "administrator@example.com"


def told(pair: Pair, number: int) -> list[str]:
    """The latest lines of the log, all of them by who is signed in, the oldest first."""
    rows = BeautifulSoup(pair.client.get("/audit-log").text, "html.parser").select("#audit-log tbody tr")
    assert {row.select_one("th").text for row in rows[:number]} == {WHO}
    return [row.select("td")[1].text for row in reversed(rows[:number])]


def cus(pair: Pair, name: str) -> str:
    """The public id of a customer."""
    return pair.path(name).removeprefix("/customers/")


def only(engine: Engine, query: Any) -> Any:
    with engine.connect() as connection:
        return connection.execute(query).scalars().all()[-1]


def test_long_work_and_choices_of_a_source(pair: Pair, engine: Engine, settings: Settings) -> None:
    """A policy, a rebuild, a re-sync, and that it was cancelled, under the source's name."""
    source = only(engine, select(Source.uuid).where(Source.kind == "segment"))
    name = only(engine, select(Source.name).where(Source.kind == "segment"))
    here = f"/sources/ds_{source}"
    post(pair.client, f"{here}/settings", name=name, policy="company")
    for kind in ("rebuild", "resync"):
        post(pair.client, f"{here}/syncs/new?kind={kind}", f"{here}/syncs", kind=kind)
        work = f"{here}/syncs/{only(engine, select(Sync.id).order_by(Sync.id))}"
        if kind == "resync":
            post(pair.client, work, f"{work}/cancellation")
        syncs.run(engine, int(work.rpartition("/")[2]), settings=settings)
    assert told(pair, 4) == [
        f"set the policy of {name} to “A user is added to a company”",
        f"asked for a rebuild of {name}",
        f"asked for a re-sync of {name}",
        f"cancelled the work under way on {name}",
    ]


def test_merges_name_both_customers_and_so_does_what_takes_them_back(pair: Pair, engine: Engine) -> None:
    """Whoever follows one customer through the log finds the other."""
    one, other = cus(pair, "b1"), cus(pair, "g1")
    path = pair.path("b1")
    for undo in ("unmerges", "separations"):
        pair.merge()
        form = pair.page(path).select(f"#origins form[action$={undo}]")[-1]
        fields = {each["name"]: each["value"] for each in form.select("input[name]")}
        pair.send(path, f"{path}/{undo}", **fields)
    pair.send(path, f"{path}/told-apart", other=other)
    assert told(pair, 5) == [
        *[f"merged {other} into {one}", f"took the merge of {other} into {one} back"] * 2,
        f"said that {other} is not the same as {one}",
    ]


def test_a_note_is_named_by_what_it_is_on(pair: Pair, engine: Engine) -> None:
    """Also one that was written before a merge, which is on the other customer now."""
    path, old = pair.path("g1"), cus(pair, "g1")
    pair.send(path, f"{path}/notes", text="Xq")
    pair.merge()
    note = f"{pair.path('b1')}/notes/{only(engine, select(Note.uuid))}"
    pair.send(note, note, text="Xq again")
    pair.send(pair.path("b1"), f"{note}/deletion")
    new = cus(pair, "b1")
    assert told(pair, 4) == [
        f"wrote a note on the customer {old}",
        f"merged {old} into {new}",
        f"changed a note of theirs on the customer {new}",
        f"deleted a note of theirs on the customer {new}",
    ]


def review(pair: Pair, engine: Engine) -> str:
    """Let the rule that every account has find two candidates by name; the path of the rule."""
    paid = only(engine, select(Source.id).where(Source.kind == "billing"))
    with begin(engine) as connection:
        put_customers(connection, paid, [CustomerChange(name, {"name": "Other"}) for name in ("b3", "b4")])
    here = f"/automations/{only(engine, select(Automation.uuid))}"
    fields = {"name": "Names", "keys": ["name"], "segment_source_id": "", "billing_source_id": ""}
    post(pair.client, here, **fields)
    post(pair.client, here, f"{here}/tests")
    runs.run(engine, only(engine, select(AutomationRun.id)))
    return here


def decide(pair: Pair, here: str, which: int) -> str:
    """Send one of the forms of the review list; the public id of the candidate that it is about."""
    page = BeautifulSoup(pair.client.get(f"{here}/matches").text, "html.parser")
    form = page.select("#matches form")[which]
    fields = {each["name"]: each["value"] for each in form.select("input[name]")}
    post(pair.client, f"{here}/matches", form["action"], **fields)
    return f"cus_{fields['candidate']}"


def test_what_is_refused_in_a_review_list_names_both_customers(pair: Pair, engine: Engine) -> None:
    """As what is refused on a customer's page does."""
    here = review(pair, engine)
    candidate = decide(pair, here, -1)
    assert told(pair, 1) == [f"said that {cus(pair, 'g2')} is not the same as {candidate}"]


def test_what_is_merged_in_a_review_list_and_undone_names_both_customers(pair: Pair, engine: Engine) -> None:
    """As what is merged on a customer's page does."""
    here = review(pair, engine)
    other = cus(pair, "g2")
    candidate = decide(pair, here, 0)
    decision = only(engine, select(Decision.id))
    post(pair.client, here, f"{here}/merges/{decision}/undoing")
    assert told(pair, 2) == [
        f"merged {other} into {candidate}",
        f"took the merge of {other} into {candidate} back",
    ]


@pytest.mark.parametrize("ended", ["done", "cancelled"])
def test_a_pass_of_an_automation_says_in_one_line_how_many_it_merged(
    pair: Pair, engine: Engine, ended: str
) -> None:
    """By who switched it on; one that merged nothing says nothing."""
    paid = only(engine, select(Source.id).where(Source.kind == "billing"))
    with begin(engine) as connection:  # the second pair beside Acme
        put_customers(connection, paid, [CustomerChange("b3", {"name": "Other"})])
    here = f"/automations/{only(engine, select(Automation.uuid))}"
    fields = {"name": "Names", "keys": ["name"], "segment_source_id": "", "billing_source_id": ""}
    post(pair.client, here, **fields)
    post(pair.client, here, f"{here}/switch", on="1")
    run_id = only(engine, select(AutomationRun.id))
    if ended == "done":
        runs.run(engine, run_id)
    steps = iter([False] * 4)  # begun, keys, keys are done, the first page of matches
    runs.run(engine, run_id, stop=lambda: next(steps, True))
    post(pair.client, here, f"{here}/switch", on="")
    lines = ["had the automation “Names” merge 2 pairs of customers", "switched the automation “Names” off"]
    assert sorted(told(pair, 3)) == sorted([*lines, "switched the automation “Names” on"])
    post(pair.client, here, f"{here}/switch", on="1")
    runs.run(engine, only(engine, select(AutomationRun.id).order_by(AutomationRun.id)))
    assert told(pair, 1) == ["switched the automation “Names” on"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_lines_of_older_versions_that_name_one_record_are_read(pair: Pair, engine: Engine) -> None:
    """What they do not say is said as well as it can be."""
    with begin(engine) as connection:
        for action in ("customer.merged", "customer.told_apart", "customer.note_changed"):
            row = {"at": 1, "action": action, "details": {"by": WHO, "record": "cus_1"}}
            row["details"] |= {"record": None} if action == "customer.note_changed" else {}
            connection.execute(insert(audit.AuditLine).values(**row))
    assert told(pair, 3) == [
        "merged another record into cus_1",
        "said that another record is not the same as cus_1",
        "changed a note of theirs on the customer …",
    ]
