"""When a mapping holds: chosen, applied by a rebuild, kept while others change it, erased with its source."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from tests.mapping import support
from tests.projection.support import count_rows, make_source, tables
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.domain.mapping import of as rules_of
from webapp.models import AttributeSighting, Event, PathSighting, Source, Sync
from webapp.models.event import APPLIED, IGNORED
from webapp.models.mapping import OTHERS
from webapp.services import mapping, mapping_preview, path_counts, syncs
from webapp.services.resync import ATTACHED
from webapp.services.sources import Refused
from webapp.services.sync_log import result_in_words

TIER = {"rules": [{"call": "identify", "path": "traits.plan", "to": "contact.custom.tier"}]}
TITLE = {"rules": [{"call": "identify", "path": "traits.plan", "to": "contact.title"}]}


def identify(number: int, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "messageId": f"m{number}", "userId": f"u{number}", "traits": traits}


def track(number: int, name: str) -> dict[str, Any]:
    event = {"type": "track", "messageId": f"t{number}", "userId": f"u{number}", "event": name}
    return event | {"properties": {"colour": "red"}}


def customs(engine: Engine, source_id: int) -> list[dict[str, Any]]:
    contacts = sorted(tables(engine, source_id)[1], key=lambda contact: contact["user_id"])
    return [contact["custom"] for contact in contacts]


def test_a_chosen_mapping_changes_nothing_until_a_rebuild(engine: Engine, settings: Settings):
    """The tables and new events follow the mapping before, as with a policy that was only saved."""
    source_id = make_source(engine)
    support.add(engine, settings, source_id, [identify(1, plan="pro")])
    support.choose(engine, source_id, TIER)
    support.add(engine, settings, source_id, [identify(2, plan="free")])
    assert customs(engine, source_id) == [{"plan": "pro"}, {"plan": "free"}]
    assert support.source(engine, source_id).needs_rebuild
    support.work(engine, settings, support.ask(engine, source_id, "resync"))
    assert customs(engine, source_id) == [{"plan": "pro"}, {"plan": "free"}]
    support.rebuild(engine, settings, source_id)
    support.add(engine, settings, source_id, [identify(3, plan="team")])
    assert customs(engine, source_id) == [{"tier": "pro"}, {"tier": "free"}, {"tier": "team"}]
    assert not support.source(engine, source_id).needs_rebuild


def test_a_source_that_has_read_nothing_follows_its_mapping_at_once(engine: Engine, settings: Settings):
    """There is nothing that a rebuild could change."""
    source_id = make_source(engine)
    support.choose(engine, source_id, TIER)
    assert not support.source(engine, source_id).needs_rebuild
    support.add(engine, settings, source_id, [identify(1, plan="pro")])
    assert customs(engine, source_id) == [{"tier": "pro"}]


def test_a_mapping_changed_during_a_rebuild_asks_for_another(engine: Engine, settings: Settings):
    """The rebuild ends with the mapping that it began with, and says nothing else."""
    source_id = make_source(engine)
    support.add(engine, settings, source_id, [identify(1, plan="pro")])
    support.choose(engine, source_id, TIER)
    sync_id = support.ask(engine, source_id)
    support.work(engine, settings, sync_id, 2)
    support.choose(engine, source_id, TITLE)
    support.work(engine, settings, sync_id)
    assert customs(engine, source_id) == [{"tier": "pro"}]
    assert support.source(engine, source_id).needs_rebuild
    support.rebuild(engine, settings, source_id)
    contacts = tables(engine, source_id)[1]
    assert [(contact["title"], contact["custom"]) for contact in contacts] == [("pro", {})]


def test_track_calls_that_are_not_chosen_are_ignored_and_come_back(engine: Engine, settings: Settings):
    """Their rows say so after the rebuild, and nothing of them is lost."""
    source_id = make_source(engine)
    support.add(engine, settings, source_id, [track(1, "Signed Up"), track(2, "Clicked")])
    with Session(engine) as session:
        mapping.limit_tracks(session, session.get_one(Source, source_id), ["Signed Up"])
    support.rebuild(engine, settings, source_id)
    assert customs(engine, source_id) == [{"colour": "red"}]
    assert _states(engine, source_id) == [(APPLIED, None), (IGNORED, "track_not_chosen")]
    with Session(engine) as session:
        mapping.limit_tracks(session, session.get_one(Source, source_id), None)
    support.rebuild(engine, settings, source_id)
    assert customs(engine, source_id) == [{"colour": "red"}, {"colour": "red"}]
    assert _states(engine, source_id) == [(APPLIED, None), (APPLIED, None)]


def test_a_rebuild_tells_of_the_companies_whose_customers_it_removed(engine: Engine, settings: Settings):
    """They were named by calls alone that count no more."""
    source_id = make_source(engine)
    told = [track(n, "Signed Up") | {"context": {"groupId": f"g{n}"}} for n in range(3)]
    support.add(engine, settings, source_id, told)
    with Session(engine) as session:
        mapping.limit_tracks(session, session.get_one(Source, source_id), [])
    sync_id = support.ask(engine, source_id)
    support.work(engine, settings, sync_id)
    assert tables(engine, source_id) == ([], [])
    with Session(engine) as session:
        said = result_in_words(session.get_one(Sync, sync_id))
    assert said.startswith("−3 customers, −3 contacts.")


def test_people_of_a_company_that_a_rebuild_has_just_found_are_placed_with_it(
    engine: Engine, settings: Settings, tmp_path: Path
):
    """After the swap its companies are placed in turn; what comes meanwhile is applied, not parked."""
    source_id = support.mapped_source(engine, {"rules": [], "tracks": []})
    told = [track(n, "Signed Up") | {"context": {"groupId": f"g{n}"}} for n in range(3)]
    late = [identify(n, plan="pro") for n in (1, 2)]  # which do not name the company
    support.add(engine, settings, source_id, told)
    with Session(engine) as session:
        mapping.limit_tracks(session, session.get_one(Source, source_id), None)
    sync_id = support.ask(engine, source_id)
    while support.phase(engine, sync_id) != ATTACHED:
        support.work(engine, settings, sync_id, 1)
    support.add(engine, settings, source_id, late)
    support.work(engine, settings, sync_id)
    assert _states(engine, source_id) == [(APPLIED, None)] * 5
    expected = make_source(engine)
    support.add(engine, settings, expected, told + late)
    files = [support.exported(engine, each, tmp_path) for each in (source_id, expected)]
    assert files[0] == files[1]


def _states(engine: Engine, source_id: int) -> list[tuple[int, str | None]]:
    with engine.connect() as connection:
        query = select(Event.state, Event.reason).where(Event.source_id == source_id).order_by(Event.id)
        return [(state, reason) for state, reason in connection.execute(query)]


def test_warnings_of_keys_over_the_limit_outlive_a_rebuild_with_another_mapping(
    engine: Engine, settings: Settings
):
    """The last phase reads events again, and knows what was kept."""
    source_id = make_source(engine)
    small = replace(settings, max_custom_attributes=1)
    support.add(engine, small, source_id, [identify(1, plan="pro"), identify(2, zone="eu")])
    support.choose(engine, source_id, TIER)
    support.rebuild(engine, small, source_id)
    assert customs(engine, source_id) == [{"tier": "pro"}, {}]
    assert support.outcomes(engine, source_id)[1][-1] == repr([["over_limit", "zone"]])


def test_new_events_can_follow_a_mapping_where_old_ones_were_dropped(engine: Engine, settings: Settings):
    """Without its old events a source cannot be rebuilt; a source that can is told to."""
    source_id = make_source(engine)
    support.add(engine, settings, source_id, [identify(1, plan="pro")])
    support.choose(engine, source_id, TIER)
    with Session(engine) as session, pytest.raises(Refused, match="Rebuild"):
        mapping.apply_from_now(session, session.get_one(Source, source_id))
    with begin(engine) as connection:
        connection.execute(update(Source).where(Source.id == source_id).values(dropped_before=1))
    with writing(), Session(engine) as session, pytest.raises(syncs.CannotRebuild):
        syncs.request(session, session.get_one(Source, source_id), "rebuild")
    with Session(engine) as session:
        mapping.apply_from_now(session, session.get_one(Source, source_id))
    support.add(engine, settings, source_id, [identify(2, plan="free")])
    assert customs(engine, source_id) == [{"plan": "pro"}, {"tier": "free"}]


def test_a_rule_keeps_who_made_it_and_when(engine: Engine):
    """Also when a file with the same rule is loaded over it; a new rule has the new maker."""
    source_id = make_source(engine)
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        mapping.send(session, source, [("identify", "traits.plan")], "contact.custom.tier", None)
        first = mapping.chosen(source).rules[0]
        assert not mapping.replace(session, source, TIER)
        two = {"rules": [*TIER["rules"], {"call": "group", "path": "traits.plan", "to": "ignore"}]}
        assert mapping.replace(session, source, two)
        assert mapping.chosen(source).rules[0] == first
        assert mapping.chosen(source).rules[1].at >= first.at > 0
        with pytest.raises(Refused, match="no path"):
            mapping.send(session, source, [("page", "traits.plan")], "ignore")


def test_a_preview_counts_what_would_change_and_writes_nothing(engine: Engine, settings: Settings):
    """Over all events where they are few; over the latest, and says so, where they are many."""
    source_id = make_source(engine)
    support.add(engine, settings, source_id, [identify(n, plan="pro", seats=n) for n in range(4)])
    support.add(engine, settings, source_id, [identify(9, seats=3), track(9, "Clicked")])
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        then = rules_of(TIER | {"tracks": []})
        found = mapping_preview.preview(session, source, mapping.applied(source), then)
    assert (found.looked_at, found.whole, found.events, found.people) == (6, True, 5, 5)
    assert (found.dropped, found.taken, found.companies) == (1, 0, 0)
    lost = {change.name: (change.gain, change.lose, change.differ) for change in found.changes}
    assert lost == {"plan": (0, 4, 0), "tier": (4, 0, 0), "colour": (0, 1, 0)}
    assert customs(engine, source_id)[0] == {"plan": "pro", "seats": 0}


def test_a_preview_of_many_events_is_a_sample_and_says_so(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """Nobody waits for a million events to be read twice."""
    monkeypatch.setattr(mapping_preview, "LOOKED_AT", 3)
    source_id = make_source(engine)
    support.add(engine, settings, source_id, [identify(n, plan="pro") for n in range(5)])
    with Session(engine) as session:
        source = session.get_one(Source, source_id)
        found = mapping_preview.preview(session, source, mapping.applied(source), rules_of(TIER))
    assert (found.looked_at, found.of.number, found.whole, found.events) == (3, 5, False, 3)


def test_paths_past_the_limit_are_counted_as_one(
    engine: Engine, settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    """A sender that makes up names fills no table; how often it did so is known."""
    monkeypatch.setattr(path_counts, "MOST", 4)
    source_id = make_source(engine)
    traits = {f"t{n}": n for n in range(9)}
    support.add(engine, settings, source_id, [identify(1, **traits), identify(2, **traits)])
    counted = support.counted(engine, source_id)
    assert counted["", "identify", ""] == 2
    assert (
        counted[OTHERS, "identify", ""]
        + sum(n for (path, _, _), n in counted.items() if path not in ("", OTHERS))
        == 18
    )
    assert len(counted) <= 6
    support.add(engine, settings, source_id, [identify(3, **traits)])
    assert support.counted(engine, source_id)["", "identify", ""] == 3


def test_a_deleted_source_takes_its_paths_and_its_mapping_along(engine: Engine, settings: Settings):
    """No row tells what its calls told."""
    source_id = make_source(engine)
    support.add(engine, settings, source_id, [identify(1, plan="pro")])
    support.choose(engine, source_id, TIER)
    with writing(), Session(engine) as session:
        sync = syncs.request_deletion(session, session.get_one(Source, source_id))
        session.commit()
        sync_id = sync.id
    support.work(engine, settings, sync_id)
    assert [count_rows(engine, model) for model in (PathSighting, AttributeSighting, Source)] == [0, 0, 0]
