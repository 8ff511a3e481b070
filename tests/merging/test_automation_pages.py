"""Automations in the browser: set up, tested, switched on, reviewed, undone."""

from __future__ import annotations

import re

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, select, update

from tests.merging.test_automations import company, number, rule, run
from tests.merging.test_merging import billing
from tests.people import post, signed_in
from tests.projection.support import drain, make_source, receive
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Automation, AutomationRun, Customer, FreeMailDomain, Source
from webapp.services.automations import review, runs, working
from webapp.services.billing.records import CustomerChange


def fill(engine: Engine, settings: Settings) -> None:
    """A clear match by domain, and one with two candidates."""
    segment = make_source(engine)
    told = [
        company("a", name="Acme", website="acme.com"),
        company("b", name="<b>Beta</b>", website="beta.io"),
    ]
    receive(engine, segment, told)
    drain(engine, settings, segment)
    billing(
        engine,
        CustomerChange("1", {"name": "ACME", "website_url": "acme.com"}),
        CustomerChange("2", {"name": "Beta one", "website_url": "beta.io"}),
        CustomerChange("3", {"name": "Beta two", "website_url": "beta.io"}),
    )


def address(engine: Engine) -> str:
    """The page of the only rule."""
    with engine.connect() as connection:
        return f"/automations/{connection.scalar(select(Automation.uuid))}"


def work(engine: Engine) -> None:
    """What a worker does with everything that was asked for."""
    with engine.connect() as connection:
        ids = connection.scalars(select(AutomationRun.id)).all()
    for id in ids:
        runs.run(engine, id)
    working.work_off(engine)


def text(client: FlaskClient, path: str) -> str:
    """What a page says."""
    return re.sub(r"\s+", " ", BeautifulSoup(client.get(path).text, "html.parser").get_text())


def test_a_rule_is_tested_switched_on_reviewed_and_undone(
    app: Flask, engine: Engine, settings: Settings
) -> None:
    """Nothing merges before it is on; what is not clear waits for a click; all can be taken back."""
    fill(engine, settings)
    client, here = signed_in(app), address(engine)
    post(client, here, f"{here}/tests")
    assert "Testing…" in text(client, here)
    part = {"HX-Request": "true"}
    assert "HX-Refresh" not in client.get(f"{here}/run", headers=part).headers
    work(engine)
    assert client.get(f"{here}/run", headers=part).headers["HX-Refresh"] == "true"
    assert "Would merge 1 pair, 1 ambiguous." in text(client, here)
    assert "ACME" in text(client, f"{here}/matches?of=clear")
    assert number(engine, Customer) == 5
    post(client, here, f"{here}/switch", on="1")
    work(engine)
    assert number(engine, Customer) == 4
    waiting = client.get(f"{here}/matches").text
    assert "2 billing customers match." in waiting
    assert "&lt;b&gt;Beta&lt;/b&gt;" in waiting
    forms = BeautifulSoup(waiting, "html.parser").select("#matches form")
    post(client, f"{here}/matches", forms[1]["action"], candidate=forms[1].select("input")[1]["value"])
    work(engine)
    assert number(engine, Customer) == 3
    assert "Nothing waits" in text(client, f"{here}/matches")
    made = BeautifulSoup(client.get(f"{here}/merges").text, "html.parser").select("#merges form")
    assert len(made) == 2
    post(client, f"{here}/merges", made[0]["action"])
    assert number(engine, Customer) == 4
    work(engine)
    assert number(engine, Customer) == 4
    post(client, here, f"{here}/undoing")
    work(engine)
    assert number(engine, Customer) == 5
    assert "1 merge undone" in text(client, here)


@pytest.mark.parametrize("kind", ["segment", "billing"])
def test_numbers_leave_out_what_the_lists_behind_them_leave_out(
    engine: Engine, settings: Settings, kind: str
) -> None:
    """While a source is being deleted nothing of it is shown, not even in a count."""
    fill(engine, settings)
    run(engine, rule(engine), "apply")

    def numbers() -> tuple[int, int, int, int]:
        with engine.connect() as connection:
            automation = connection.execute(select(Automation.__table__)).one()
            counted = review.counts(connection).get(automation.id, {"waiting": 0, "merged": 0})
            listed = review.page(connection, automation, ambiguous=True).cases
            merged, _ = review.merges_of(connection, automation.id)
        return counted["waiting"], len(listed), counted["merged"], len(merged)

    assert numbers() == (1, 1, 1, 1)
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.kind == kind).values(state="deleting"))
    assert numbers() == (0, 0, 0, 0)


def test_a_rule_is_added_changed_and_removed(app: Flask, engine: Engine) -> None:
    """What cannot work is refused with a sentence, and what was typed stays in the form."""
    client = signed_in(app)
    refused = post(
        client, "/automations/new", "/automations", name="By name", segment_source_id="", billing_source_id=""
    )
    assert refused.status_code == 422
    assert "Choose at least one thing to match by." in refused.text
    assert 'value="By name"' in refused.text
    fields = {"name": "By name", "keys": ["name"], "segment_source_id": "", "billing_source_id": ""}
    condition = {"field": ["country"], "operator": ["is"], "value": ["DE"]}
    here = post(client, "/automations/new", "/automations", **fields, **condition).headers["Location"]
    assert "By name" in text(client, "/automations")
    assert 'value="DE"' in client.get(here).text
    post(client, here, **fields | {"name": "By company name"})
    assert "By company name" in text(client, "/automations")
    post(client, here, f"{here}/removal")
    assert number(engine, Automation) == 1


def test_the_free_mail_list_is_edited(app: Flask, engine: Engine) -> None:
    """One domain a line; a line that is none is named and nothing is saved."""
    client, here = signed_in(app), "/automations/free-mail-domains"
    assert "gmail.com" in client.get(here).text
    refused = post(client, here, domains="gmail.com\nno domain")
    assert refused.status_code == 422
    assert "“no domain” is not a domain" in refused.text
    post(client, here, domains="www.Gmail.com\n\nmail.example")
    with engine.connect() as connection:
        kept = connection.scalars(select(FreeMailDomain.domain).order_by(FreeMailDomain.domain)).all()
    assert kept == ["gmail.com", "mail.example"]


def test_viewers_read_and_change_nothing(app: Flask, engine: Engine) -> None:
    """They see what rules do, without a form; what they post is refused."""
    administrator, viewer, here = signed_in(app), signed_in(app, "viewer"), address(engine)
    assert administrator.get(here).status_code == 200
    page = viewer.get(here)
    assert page.status_code == 200
    assert "form" not in [form.name for form in BeautifulSoup(page.text, "html.parser").select("main form")]
    assert viewer.post(f"{here}/switch", data={"on": "1"}).status_code in (400, 403)
    assert viewer.get("/automations/new").status_code == 403
