"""What an event's row says of what became of it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine, event, select, update
from sqlalchemy.orm import Session

from tests.projection import support
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event, Identifier, Source
from webapp.models.event import PARKED
from webapp.services import outcomes


def rows(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return list(connection.execute(select(Event.__table__).order_by(Event.id)).all())


def test_a_hostile_event_keeps_a_hundred_warnings_and_the_number_of_the_others(
    engine: Engine, settings: Settings
) -> None:
    """A row stays small, whatever an event holds."""
    source = support.make_source(engine)
    traits = {f"n{number}": float("nan") for number in range(250)}
    support.receive(engine, source, [{"type": "identify", "userId": "u1", "traits": traits}])
    support.drain(engine, settings, source)
    (row,) = rows(engine)
    assert len(row.warnings) == 101
    assert row.warnings[-1] == ["more", "150"]


def test_an_event_without_warnings_has_none_on_both_databases(engine: Engine, settings: Settings) -> None:
    """NULL, and not a JSON text that a filter would take for a warning."""
    source = support.make_source(engine)
    support.receive(engine, source, [{"type": "identify", "userId": "u1", "traits": {}}])
    support.drain(engine, settings, source)
    assert support.count_rows(engine, Event, Event.warnings.is_(None)) == 1


def test_keys_over_the_limit_are_reported_with_the_event_and_kept_nowhere_else(
    engine: Engine, settings: Settings
) -> None:
    """An explosion of keys stops at the limit, and says so."""
    source = support.make_source(engine)
    traits = {f"n{number}": number for number in range(settings.max_custom_attributes + 2)}
    support.receive(engine, source, [{"type": "identify", "userId": "u1", "traits": traits}])
    support.drain(engine, settings, source)
    (row,) = rows(engine)
    assert [code for code, _ in row.warnings] == ["over_limit", "over_limit"]
    _, contacts = support.tables(engine, source)
    assert len(contacts[0]["custom"]) == settings.max_custom_attributes


def test_a_source_is_failing_from_the_first_batch_of_which_nothing_went_through_until_one_does(
    engine: Engine, settings: Settings
) -> None:
    """Its page and the doctor say so meanwhile, since when; what was parked stays parked."""
    source = support.make_source(engine)
    told = [{"type": "identify", "userId": "u1", "traits": {"seats": seats}} for seats in range(3)]
    support.receive(engine, source, told[:1])
    support.drain(engine, settings, source)
    with begin(engine) as connection:
        connection.execute(update(Identifier).values(told=b"\xff of no release"))
    since = []
    for each in told[1:]:
        support.receive(engine, source, [each])
        assert support.drain(engine, settings, source).parked == 1
        since.append(failing_since(engine, source))
    assert since[0] is not None
    assert since[0] == since[1]
    support.drain(engine, settings, source)
    assert failing_since(engine, source) == since[0]
    good = {"type": "identify", "userId": "u2", "traits": {}}
    for number, batch in enumerate(([good], [told[0] | {"context": {}}, good | {"context": {}}])):
        support.receive(engine, source, batch)
        assert support.drain(engine, settings, source).applied == 1
        assert failing_since(engine, source) is None
        assert support.count_rows(engine, Event, Event.state == PARKED) == 2 + number
        with begin(engine) as connection:
            connection.execute(update(Source).values(failing_since=1))


def failing_since(engine: Engine, source: int) -> int | None:
    with engine.connect() as connection:
        return connection.scalar(select(Source.failing_since).where(Source.id == source))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_page_of_events_looks_for_those_whom_it_names_and_not_through_all_of_the_source(
    engine: Engine, settings: Settings
) -> None:
    """SQLite takes a whole source for ten rows, and would rather read these than look for a page's people."""
    source = support.make_source(engine)
    told = [{"type": "identify", "userId": f"u{n}", "traits": {"email": f"{n}@x.example"}} for n in range(20)]
    support.receive(engine, source, told)
    support.drain(engine, settings, source)
    said: list[tuple[str, Any]] = []

    def note(*run: Any) -> None:
        said.append((run[2], run[3]))

    with Session(engine) as session:
        of = session.get_one(Source, source)
        event.listen(engine, "before_cursor_execute", note)
        found = outcomes.of(session.connection(), of, rows(engine))
        event.remove(engine, "before_cursor_execute", note)
    assert {each.kind for each in found.values()} == {"imported"}
    with engine.connect() as connection:
        plans = [
            row.detail
            for statement, parameters in said
            if "json_each" in statement
            for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)
        ]
    assert any("contacts" in plan for plan in plans)
    assert not [plan for plan in plans if plan.endswith(("(source_id=?)", "(source_id=? AND generation=?)"))]
