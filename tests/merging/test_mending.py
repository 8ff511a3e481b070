"""What is wrong in the database is found by doctor and put right by `mend`; what is right is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, delete, select, update

from tests.copies import Fill
from tests.merging.world import Remembered, World
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Company, Contact, Customer, DataSourceCustomer, Decision
from webapp.services.checkup import OK, PROBLEM, WARNING, Finding, records

ADA = {"email": "ada@x.example", "company": {"id": "g1", "name": "Acme"}}


def acme(engine: Engine, settings: Settings) -> Remembered:
    """Acme, merged with the billing customer that knows Ada too; and somebody without a company."""
    world = World(engine, settings)
    world.tell("s", [{"type": "identify", "userId": "u1", "timestamp": 1, "traits": ADA}])
    world.tell("s", [{"type": "identify", "userId": "u2", "timestamp": 2, "traits": {"name": "Bob Bold"}}])
    world.bill("b1", name="ACME")
    world.bill_contact("b1", email="ada@x.example", title="CTO")
    world.merge(("b", "b1"), ("s", "gg1"))
    world.edit(("s", "uu2"), {"owner": "eve@x.example"})
    return world.remembered


@pytest.fixture
def filling() -> Fill:
    return acme


def found(engine: Engine) -> dict[str, Finding]:
    """What doctor finds in customers and contacts, by what it looked at; the worst of each."""
    checks = (records.customers, records.contacts, records.decisions)

    def all_() -> Iterator[Finding]:
        with engine.connect() as connection:
            for check in checks:
                yield from check(connection)

    return {finding.check: finding for finding in sorted(all_(), key=lambda each: each.status == PROBLEM)}


def moments(engine: Engine) -> list[Any]:
    with engine.connect() as connection:
        return [
            connection.execute(select(model.uuid, model.updated_at).order_by(model.id)).all()
            for model in (Customer, Contact)
        ]


def mend(app: Flask) -> str:
    """Run the command; what it says."""
    result = app.test_cli_runner().invoke(args=["mend"])
    assert result.exit_code == 0, result.output
    return str(result.output)


def test_mending_what_is_right_changes_no_row(world: World, app: Flask) -> None:
    """Plain or merged, edited by hand or not."""
    before, changed = world.rows(), moments(world.engine)
    assert mend(app) == "Customers looked at: 2. Decisions about nobody, forgotten: 0.\n"
    assert world.rows() == before
    assert moments(world.engine) == changed
    assert {finding.status for finding in found(world.engine).values()} == {OK}


def _counts(connection: Connection) -> None:
    connection.execute(update(Customer).values(contacts=7))


def _heads(connection: Connection) -> None:
    connection.execute(update(Contact).where(Contact.within_id.is_not(None)).values(within_id=10**9))


def _leads(connection: Connection) -> None:
    connection.execute(update(DataSourceCustomer).values(leads=False))


def _values(connection: Connection) -> None:
    connection.execute(update(Customer).values(name="Somebody", tags="x", search=""))


@pytest.mark.parametrize(
    ("breaking", "check", "said"),
    [
        (_counts, "Contact counts", "customers whose number of contacts is not what it says"),
        (_heads, "Contacts", "contacts that are shown nowhere, or under a customer that is not theirs: 1."),
        (_leads, "Customers", "customers without a source that leads them"),
        (_values, None, None),
    ],
)
def test_what_is_broken_is_found_and_put_right(
    world: World, app: Flask, breaking: Any, check: str | None, said: str | None
) -> None:
    """To the last column, whatever it was."""
    before = world.rows()
    with begin(world.engine) as connection:
        breaking(connection)
    if check is not None and said is not None:
        finding = found(world.engine)[check]
        assert finding.status == PROBLEM
        assert said in finding.message
        assert finding.fix == "flask --app wsgi mend"
    mend(app)
    assert world.rows() == before


def test_a_decision_about_what_nobody_tells_of_is_told_and_forgotten(world: World, app: Flask) -> None:
    """A company that is gone for good; a person who waits may come back, and is waited for."""
    world.merge(("s", "uu2"), ("b", "b1"))
    world.follow("s", "company")
    assert found(world.engine)["Merge decisions"].status == OK
    with begin(world.engine) as connection:
        origin = world.origin(connection, ("s", "gg1")) or ""
        connection.execute(delete(Company).where(Company.uuid == origin))
        connection.execute(delete(Contact).where(Contact.origin_uuid == origin))
        connection.execute(delete(DataSourceCustomer).where(DataSourceCustomer.origin_uuid == origin))
    assert found(world.engine)["Merge decisions"].status == WARNING
    assert "forgotten: 1." in mend(app)
    with world.engine.connect() as connection:
        assert len(connection.scalars(select(Decision.id)).all()) == 1
