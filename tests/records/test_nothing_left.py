"""Deleting a source once people have worked with it: not a word of it is left in any table but one line."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, delete, func, insert, select, update

from tests.api.support import Caller, make_key
from tests.people import post
from tests.records.conftest import Pair
from tests.records.test_audit_log import cus, decide, only, review
from webapp.config import Settings
from webapp.database import begin
from webapp.models import (
    AuditLine,
    Automation,
    Base,
    Contact,
    Customer,
    DataSourceCustomer,
    Decision,
    KeptUuid,
    MrrAdjustment,
    SavedView,
    Source,
    Subscription,
    Sync,
    now,
)
from webapp.services import syncs

MARK = "xqmarker"


def names_of(engine: Engine, source_id: int) -> set[str]:
    """All that a source, its customers and its contacts are called."""
    with engine.connect() as connection:
        return {
            MARK,
            *connection.scalars(select(Source.uuid).where(Source.id == source_id)),
            *connection.scalars(
                select(DataSourceCustomer.origin_uuid).where(DataSourceCustomer.source_id == source_id)
            ),
            *connection.scalars(select(Contact.uuid).where(Contact.source_id == source_id)),
        }


def mentions(engine: Engine, names: set[str]) -> dict[str, list[str]]:
    """By table the rows with one of some names."""
    found: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            rows = [repr(row).lower() for row in connection.execute(select(table))]
            if hits := [row for row in rows if any(name in row for name in names)]:
                found[table.name] = hits
    return found


def keep_view(pair: Pair, name: str, query: str) -> None:
    """Save a view of the customers."""
    post(pair.client, "/customers", "/saved-views", noun="customers", query=query, name=name, back="/")


def work_with(pair: Pair, engine: Engine, kind: str) -> None:
    """Everything that people and programs do to records, with a mark wherever something is typed.

    Args:
        kind: of the source on whose records it is typed. In the end they are merged with another source's.
    """
    name, email = ("b1", "Ada@acme.com") if kind == "billing" else ("g1", "ada@acme.com")
    here = review(pair, engine)
    decide(pair, here, 0)
    decision = only(engine, select(Decision.id))
    post(pair.client, here, f"{here}/merges/{decision}/undoing")
    post(pair.client, here, f"{here}/tests")
    api = Caller(pair.client.application.test_client(), make_key(engine))
    told = {"first_name": MARK, "custom": {MARK: MARK}, "notes": MARK}
    api("PATCH", f"/contacts/{pair.contact(email).removeprefix('/contacts/')}", told)
    post(pair.client, "/attributes", f"/attributes/contact/{MARK}/hiding", on="1")
    path = pair.path(name)
    pair.send(path, f"{path}/values/city", value=MARK)
    pair.send(path, f"{path}/handling", owner="", tags=MARK, status="Working Lead")
    for text in (MARK, f"{MARK} again"):
        pair.send(path, f"{path}/notes", text=text)
    note = pair.page(path).select_one(".notes a")["href"]
    pair.send(note, note, text=f"{MARK} at last")
    pair.send(path, f"{note}/deletion")
    for uuids in ((cus(pair, "b2"), cus(pair, "g2")), (cus(pair, "b1"), cus(pair, "g1"))):
        into, out = ({"customer_uuid": uuid} for uuid in uuids)
        api("POST", "/customers/merges", {"into": into, "from": out}, 202)
    path = pair.path("b1")
    out = pair.page(path).select("#origins form[action$=separations] input[name=origin]")[-1]["value"]
    pair.send(path, f"{path}/separations", origin=out)
    pair.send(path, f"{path}/told-apart", other=cus(pair, "g1"))
    pair.merge()
    source_id = str(only(engine, select(Source.id).where(Source.kind == kind)))
    limited = {"name": f"Of {MARK}", "keys": ["email"], "segment_source_id": "", "billing_source_id": ""}
    rule = post(
        pair.client, "/automations/new", "/automations", **limited | {f"{kind}_source_id": source_id}
    ).location
    post(pair.client, rule, f"{rule}/switch", on="1")


@pytest.mark.parametrize("kind", ["billing", "segment"])
def test_not_a_word_is_left_of_a_source_that_people_worked_with(
    pair: Pair, engine: Engine, settings: Settings, kind: str
) -> None:
    """Neither in what they wrote, set, decided and saved, nor in what the audit log tells of that."""
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.kind == kind).values(name=f"Old {MARK}"))
        connection.execute(update(Source).where(Source.kind != kind).values(name="Other"))
        where = select(Source.id, Source.uuid).where(Source.kind == kind)
        source_id, uuid = connection.execute(where).one()
    work_with(pair, engine, kind)
    keep_view(pair, "By its old name", f"f=source:is:old+{MARK}")
    settings_page = f"/sources/ds_{uuid}/settings"
    post(pair.client, settings_page, name=f"New {MARK}", policy="user")
    keep_view(pair, "By its name", f"f=source:is:New+{MARK}&f=country:is:US")
    keep_view(pair, "By a part of it", f"f=source:contains:{MARK[:5]}&c=name&c=source")
    keep_view(pair, "Of another", "f=source:is:Other")
    keep_view(pair, "Of any", "f=source:contains:e")
    names = names_of(engine, source_id)
    kept = [cus(pair, each).removeprefix("cus_") for each in ("b1", "b2")]
    assert set(mentions(engine, names)) > {"audit_lines", "automations", "edits", "notes", "saved_views"}
    post(pair.client, f"/sources/ds_{uuid}/deletion/new", f"/sources/ds_{uuid}/deletion", name=f"New {MARK}")
    syncs.run(engine, only(engine, select(Sync.id).order_by(Sync.id)), settings=settings)
    with begin(engine) as connection:
        assert connection.scalars(select(SavedView.name).order_by(SavedView.id)).all() == [
            "Of another",
            "Of any",
        ]
        # A merged customer keeps its uuid when whoever led it goes.
        for number, each in enumerate(kept):
            for model in (Customer, KeptUuid):
                connection.execute(update(model).where(model.uuid == each).values(uuid=f"kept {number}"))
        lines = connection.execute(select(AuditLine).where(AuditLine.source_uuid == uuid)).mappings().all()
        assert [(line["action"], set(line["details"])) for line in lines] == [
            ("source.erased", {"rows", "by"})
        ]
        connection.execute(delete(AuditLine).where(AuditLine.source_uuid == uuid))
        assert connection.scalar(select(Automation.id))
    assert mentions(engine, names) == {}


def delete_billing(pair: Pair, engine: Engine, settings: Settings) -> str:
    """Delete the billing source over the API; its uuid."""
    api = Caller(pair.client.application.test_client(), make_key(engine))
    source = str(only(engine, select(Source.uuid).where(Source.kind == "billing")))
    api("DELETE", f"/data_sources/ds_{source}", status=204)
    syncs.run(engine, only(engine, select(Sync.id)), settings=settings)
    return source


def test_lines_of_older_versions_go_with_the_customer_that_they_name(
    pair: Pair, engine: Engine, settings: Settings
) -> None:
    """A review list wrote them without a source; those on customers that stay are kept."""
    gone, stays = cus(pair, "b1"), cus(pair, "g1")
    with begin(engine) as connection:
        for record in (gone, stays):
            line = {"at": now(), "action": "customer.merged", "details": {"record": record}}
            connection.execute(insert(AuditLine).values(**line))
    delete_billing(pair, engine, settings)
    with engine.connect() as connection:
        lines = connection.scalars(
            select(AuditLine.details).where(AuditLine.action == "customer.merged")
        ).all()
    assert lines == [{"record": stays}]


def test_the_line_that_stays_says_which_program_asked(pair: Pair, engine: Engine, settings: Settings) -> None:
    """A deletion over the API is not put to the command line."""
    source = delete_billing(pair, engine, settings)
    with engine.connect() as connection:
        (line,) = connection.execute(select(AuditLine).where(AuditLine.source_uuid == source)).mappings()
    assert line["details"]["by"].startswith("API key Key ")


def test_the_question_counts_what_people_made_of_a_source(
    paying: Pair, engine: Engine, settings: Settings
) -> None:
    """MRR adjustments and connections go with it, merged customers stay: told in numbers, and then done."""
    path = paying.merge()
    first = paying.subscription("s1")
    paying.send(path, f"{path}/subscriptions/{first}/adjustment", amount="1", reason="Bundle")
    both = [first, paying.subscription("s2")]
    paying.send(path, f"{path}/connections", verb="connect", subscription=both)
    with begin(engine) as connection:
        where = select(Source.id, Source.uuid).where(Source.kind == "billing")
        source_id, uuid = connection.execute(where).one()
        connection.execute(update(Source).where(Source.id == source_id).values(name="Paid", name_key="paid"))
    here = f"/sources/ds_{uuid}/deletion"
    lines = [
        " ".join(line.get_text(" ").split()) for line in paying.page(f"{here}/new").select("[data-report] li")
    ]
    assert lines == [
        "1 customer and 1 contact from this source are removed.",
        "0 plans and 2 subscriptions go with them.",
        "1 MRR adjustment and 2 connected subscriptions are lost.",
        "1 merged customer stays, with the data of the other source.",
    ]
    stays = numbers(engine)
    delete_billing(paying, engine, settings)
    gone = {
        name: before - after
        for (name, before), after in zip(stays.items(), numbers(engine).values(), strict=True)
    }
    assert gone == {"customers": 1, "contacts": 1, "subscriptions": 2, "mrr_adjustments": 1}
    assert paying.path("g1") == path


def numbers(engine: Engine) -> dict[str, int]:
    """Rows of the tables that the question speaks of."""
    with engine.connect() as connection:
        return {
            model.__tablename__: connection.scalar(select(func.count()).select_from(model)) or 0
            for model in (Customer, Contact, Subscription, MrrAdjustment)
        }
