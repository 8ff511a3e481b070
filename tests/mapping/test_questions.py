"""What is said before a mapping is applied: nothing untrue, and whom it brings, takes away or moves."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tests.mapping import support
from tests.mapping.test_applying import identify, track
from tests.people import signed_in
from tests.projection.support import make_source, tables
from tests.sources.support import add_source, change, fill, key, soup, text
from webapp.config import Settings
from webapp.domain.mapping import of as rules_of
from webapp.models import Source
from webapp.services import mapping, mapping_preview

NOTHING = "No customer or contact"
COMPANIES = {"rules": [{"call": "identify", "path": "traits.plan", "to": "ignore"}], "tracks": []}
# Two persons whom only track calls tell of, one of them of a company; one whom an identify call tells of.
CALLS = (
    track(1, "Clicked"),
    track(2, "Clicked") | {"context": {"groupId": "acme"}},
    identify(3, plan="pro"),
)


@pytest.fixture
def mapped(app, engine, settings) -> str:
    """The public id of a source with calls of which another mapping, which was saved, reads fewer."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id, CALLS)
    support.choose(engine, key(app, public_id), COMPANIES)
    return public_id


def question(app, public_id, kind):
    """The page that asks before such work begins."""
    return soup(signed_in(app).get(f"/sources/{public_id}/syncs/new?kind={kind}"))


def test_a_rebuild_for_a_mapping_promises_nothing_that_the_mapping_may_break(app, mapped):
    """The policy stays, and yet contacts go: no word of nobody being removed, but the way to the preview."""
    page = question(app, mapped, "rebuild")
    assert NOTHING not in page.text
    assert "No contact moves" not in page.text
    assert not page.select("[data-preview]")
    assert "Counted just now" not in page.text
    said = text(page, "#mapping-question")
    assert said.startswith("Applies the mapping that was saved.")
    assert "may be added, removed or changed" in said
    assert page.select_one("#mapping-question a")["href"] == f"/sources/{mapped}/mapping/preview"


def test_of_a_mapping_and_a_policy_the_policy_is_told_as_such(app, engine, mapped):
    """What the policy alone changes is counted; that the mapping changes more stands before it."""
    change(engine, key(app, mapped), policy="company")
    page = question(app, mapped, "rebuild")
    assert text(page, "[data-preview]") == (
        "The policy alone: −2 individual customers, −2 contacts, 2 people will wait"
    )
    assert "No contact moves" not in page.text
    assert "may be added, removed or changed" in text(page, "#mapping-question")
    assert NOTHING not in page.text


def test_a_re_sync_leaves_the_mapping_alone_and_its_numbers_hold(app, engine, mapped):
    """It applies the policy only, so what is counted of the policy is all there is."""
    assert text(question(app, mapped, "resync"), "[data-preview]").startswith(NOTHING)
    change(engine, key(app, mapped), policy="company")
    page = question(app, mapped, "resync")
    assert text(page, "[data-preview]").startswith("−2 individual customers")
    assert "No contact moves" in page.text


def effect(engine: Engine, source_id: int, document: Any) -> mapping_preview.Effect:
    """Whom a mapping brings, takes away or moves, as its preview says before anything is saved."""
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        return mapping_preview.preview(session, source, mapping.applied(source), rules_of(document)).effect


GROUP = {"type": "group", "messageId": "g1", "userId": "u3", "groupId": "acme", "traits": {"name": "Acme"}}
TIED = {"type": "identify", "messageId": "a1", "anonymousId": "a1", "traits": {"email": "ada@x.example"}}
OWNER = identify(5, email="ada@x.example")
NO_EMAIL = {"rules": [{"call": "identify", "path": "traits.email", "to": "ignore"}]}


@pytest.mark.parametrize("policy", ["user", "company"])
@pytest.mark.parametrize("document", [COMPANIES, NO_EMAIL, {"tracks": ["Opened"]}])
def test_the_preview_of_a_mapping_counts_whom_the_rebuild_then_brings_and_takes(
    engine: Engine, settings: Settings, policy: str, document: dict[str, Any]
):
    """Customers and contacts of all events that were looked at; it is what comes."""
    source_id = make_source(engine, policy)
    support.add(engine, settings, source_id, [*CALLS, GROUP, TIED, OWNER, track(6, "Opened")])
    promised = effect(engine, source_id, document)
    before = tables(engine, source_id)
    support.choose(engine, source_id, document)
    support.rebuild(engine, settings, source_id)
    after = tables(engine, source_id)
    customers, contacts = (len(after[n]) - len(before[n]) for n in (0, 1))
    assert promised.customers_appear - promised.customers_go == customers
    assert promised.contacts_appear - promised.contacts_go == contacts
    assert promised.contacts_move == 0


def test_a_contact_that_would_move_to_another_company_is_counted(engine: Engine, settings: Settings):
    """The latest call that names a company is ignored, so the one before it holds."""
    source_id = make_source(engine)
    other = track(3, "Clicked") | {"context": {"groupId": "other"}, "timestamp": "2025-01-02T00:00:00Z"}
    support.add(engine, settings, source_id, [GROUP | {"timestamp": "2025-01-01T00:00:00Z"}, other])
    found = effect(engine, source_id, {"tracks": []})
    assert (found.contacts_move, found.customers_go, found.contacts_go) == (1, 1, 0)


def test_the_preview_page_says_whom_the_mapping_takes_away(app, mapped):
    """In the same words as the preview of a policy, and of which events."""
    page = soup(signed_in(app).get(f"/sources/{mapped}/mapping/preview"))
    assert text(page, "#effect") == "By all of these events: −2 customers, −2 contacts."


def test_a_sample_does_not_pass_for_the_whole(app, mapped, monkeypatch: pytest.MonkeyPatch):
    """Of whom older events may tell, nobody can say by a sample that they come or go."""
    monkeypatch.setattr(mapping_preview, "LOOKED_AT", 2)
    page = soup(signed_in(app).get(f"/sources/{mapped}/mapping/preview"))
    assert text(page, "#effect") == (
        "By the sample alone: −1 customer, −1 contact. "
        "Other events may tell of the same people and companies."
    )
