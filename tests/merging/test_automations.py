"""Rules merge what clearly matches, ask about what does not, and can be tested and undone."""

from typing import Any

import pytest
from sqlalchemy import Engine, event, func, insert, select, update

from tests.merging.test_merging import billing, origin
from tests.projection.support import drain, make_source, receive
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Automation, AutomationRun, Customer, Decision, Match, MatchKey, now
from webapp.services import merges, pacing
from webapp.services.automations import runs, working
from webapp.services.automations.sharing import LOOKED_AT, sharing
from webapp.services.billing.records import CustomerChange, put_customers


def company(key: str, when: str = "2026-01-01", **traits: Any) -> dict[str, Any]:
    """A group call."""
    said = {"type": "group", "messageId": f"{key}{when}{sorted(traits)}", "userId": "u1", "groupId": key}
    return said | {"timestamp": f"{when}T00:00:00Z", "traits": traits}


def rule(engine: Engine, **columns: Any) -> int:
    """The rule that every account has, with these columns; its id."""
    with begin(engine) as connection:
        changed = update(Automation).values(**columns | {"updated_at": now()})
        connection.execute(changed)
        return connection.scalar(select(Automation.id)) or 0


def asked(engine: Engine, automation_id: int, kind: str) -> int:
    """A pass that nobody has begun; its id."""
    with begin(engine) as connection:
        row = {"automation_id": automation_id, "kind": kind, "state": "queued", "created_at": now()}
        started = insert(AutomationRun).values(phase="", cursor=0, done=0, total=0, result={}, **row)
        return connection.execute(started.returning(AutomationRun.id)).scalar_one()


def run(engine: Engine, automation_id: int, kind: str) -> dict[str, int]:
    """A whole pass; what it counted."""
    run_id = asked(engine, automation_id, kind)
    runs.run(engine, run_id)
    with engine.connect() as connection:
        ended = connection.execute(select(AutomationRun.__table__).where(AutomationRun.id == run_id)).one()
    assert ended.state == "done"
    return dict(ended.result)


def number(engine: Engine, model: Any, *conditions: Any) -> int:
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(model).where(*conditions)) or 0


def test_a_new_account_has_the_automation_switched_off(engine: Engine) -> None:
    """It is there to be tested and switched on; nothing merges before somebody did."""
    with engine.connect() as connection:
        row = connection.execute(select(Automation.__table__)).one()
    assert not row.switched_on
    assert row.name == "Merge customers imported from Segment with matching customers of the billing system"


def test_a_rule_merges_what_matches_and_asks_about_two_candidates(engine: Engine, settings: Settings) -> None:
    """One by its domain, another has two candidates: that one waits with its reason."""
    segment = make_source(engine)
    receive(
        engine,
        segment,
        [
            company("a", name="Acme, Inc.", website="https://www.acme.com/x"),
            company("b", name="Beta", website="beta.io"),
        ],
    )
    drain(engine, settings, segment)
    paid = billing(
        engine,
        CustomerChange("1", {"name": "ACME", "website_url": "http://acme.com"}),
        CustomerChange("2", {"website_url": "beta.io"}),
        CustomerChange("3", {"email": "x@beta.io"}),
        CustomerChange("4", {"email": "someone@gmail.com"}),
    )
    automation_id = rule(engine, keys=["domain"])
    assert run(engine, automation_id, runs.TEST) == {"pairs": 1, "ambiguous": 1}
    assert number(engine, Customer) == 6
    assert run(engine, automation_id, runs.APPLY) == {"pairs": 1, "ambiguous": 1}
    assert number(engine, Customer) == 5
    with engine.connect() as connection:
        merged = connection.execute(select(Decision.__table__)).one()
        waiting = connection.execute(select(Match.__table__)).one()
    assert (merged.automation_id, merged.why) == (automation_id, {"keys": ["domain"]})
    assert merged.primary_now == origin(engine, paid, "1")
    assert (waiting.candidates, waiting.ambiguous, waiting.keys) == (2, True, ["domain"])
    assert run(engine, automation_id, runs.UNDO) == {"undone": 1}
    assert number(engine, Customer) == 6


@pytest.mark.parametrize("first", ["segment", "billing"])
def test_a_rule_that_is_on_looks_at_every_change_of_either_side(
    engine: Engine, settings: Settings, first: str
) -> None:
    """Whichever side tells the matching value last, the two become one."""
    rule(engine, keys=["email"], on=True)
    segment = make_source(engine)
    paid = billing(engine, CustomerChange("1", {"email": "Owner@acme.com"} if first == "billing" else {}))
    receive(engine, segment, [company("a", email="owner@Acme.com")])
    drain(engine, settings, segment)
    working.work_off(engine)
    if first == "segment":
        assert number(engine, Customer) == 2
        with begin(engine) as connection:
            put_customers(connection, paid, [CustomerChange("1", {"email": "owner@acme.com"})])
        working.work_off(engine)
    assert number(engine, Customer) == 1
    assert not working.waits(engine)


def test_two_of_one_source_that_match_one_customer_wait(engine: Engine, settings: Settings) -> None:
    """To their source they are two; who says that one of them is another makes the other clear."""
    segment = make_source(engine)
    receive(engine, segment, [company("a", name="Acme"), company("b", name="ACME GmbH")])
    drain(engine, settings, segment)
    paid = billing(engine, CustomerChange("1", {"name": "Acme Ltd."}))
    automation_id = rule(engine, keys=["name"])
    assert run(engine, automation_id, runs.APPLY) == {"pairs": 0, "ambiguous": 2}
    pair = (origin(engine, paid, "1"), origin(engine, segment, "b"))
    with begin(engine) as connection:
        merges.say_not_the_same(connection, [pair], merges.By())
    assert run(engine, automation_id, runs.APPLY) == {"pairs": 1, "ambiguous": 0}
    assert number(engine, Customer) == 2


def test_a_condition_keeps_the_rule_from_others(engine: Engine, settings: Settings) -> None:
    """Only customers of Segment that meet it are looked at."""
    segment = make_source(engine)
    receive(engine, segment, [company("a", name="Acme", plan="free"), company("b", name="Beta", plan="pro")])
    drain(engine, settings, segment)
    billing(engine, CustomerChange("1", {"name": "Acme"}), CustomerChange("2", {"name": "Beta"}))
    condition = {"field": "custom.plan", "operator": "is", "value": "PRO"}
    automation_id = rule(engine, keys=["name"], conditions=[condition])
    assert run(engine, automation_id, runs.APPLY) == {"pairs": 1, "ambiguous": 0}


@pytest.mark.parametrize("kind", [runs.TEST, runs.APPLY])
def test_the_counts_of_a_pass_add_up_page_by_page(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Though a page looks at customers of other pages too, each match is counted once."""
    for name in ("LEAST", "FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, 1)
    segment = make_source(engine)
    told = [("a", "Acme"), ("b", "ACME GmbH"), ("c", "Beta"), ("d", "acme")]
    receive(engine, segment, [company(key, name=name) for key, name in told])
    drain(engine, settings, segment)
    billing(engine, CustomerChange("1", {"name": "Acme Ltd."}), CustomerChange("2", {"name": "Beta"}))
    run_id = asked(engine, rule(engine, keys=["name"]), kind)
    counted: list[Any] = []

    def note() -> bool:
        with engine.connect() as connection:
            result = connection.scalar(select(AutomationRun.result).where(AutomationRun.id == run_id))
        counted.append(result)
        return False

    runs.run(engine, run_id, stop=note)
    assert note() is False
    *_, before_the_last_look, last = counted
    assert before_the_last_look == last == {"pairs": 1, "ambiguous": 3}
    assert {"pairs": 0, "ambiguous": 0} in counted


def test_a_value_that_very_many_share_costs_a_look_at_a_few(engine: Engine, settings: Settings) -> None:
    """A shop's host, say: nobody is merged by it, and nobody compares all of them with all."""
    segment = make_source(engine)
    shops = [company(f"s{n}", website="shop.example") for n in range(LOOKED_AT + 5)]
    receive(engine, segment, shops)
    drain(engine, settings, segment)
    billing(engine, *(CustomerChange(str(n), {"website_url": "shop.example"}) for n in range(LOOKED_AT + 5)))
    automation_id = rule(engine, keys=["domain"])
    assert run(engine, automation_id, runs.TEST) == {"pairs": 0, "ambiguous": LOOKED_AT + 5}
    looks: list[tuple[str, Any]] = []

    def note(
        _connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: Any
    ) -> None:
        if "aggregate_strings" in statement:
            looks.append((statement, parameters))

    with engine.connect() as connection:
        event.listen(connection, "before_cursor_execute", note)
        ids = connection.scalars(select(MatchKey.data_source_customer_id).where(~MatchKey.billing)).all()
        found = sharing(connection, ids, ["domain"], billing=True)
        event.remove(connection, "before_cursor_execute", note)
        how = "EXPLAIN" if engine.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
        if engine.dialect.name == "postgresql":  # so few that it would rather read all
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        (look,) = looks
        plan = [str(row) for row in connection.exec_driver_sql(f"{how} {look[0]}", look[1])]
    assert len(found) == (LOOKED_AT + 5) * LOOKED_AT
    assert any("ix_match_keys_value" in line for line in plan)
    assert not any("Sort" in line or "TEMP B-TREE" in line for line in plan)
