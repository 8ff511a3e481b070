"""The laws of folding hold under every mapping, and a rebuild makes it as if it had held from the start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.mapping import support
from tests.projection.support import drain, in_order, make_source, receive, tables
from tests.projection.test_law import streams
from webapp.config import Settings
from webapp.services import pacing

# Paths that the streams tell, and destinations that collide with what is told by default.
PATHS = st.sampled_from(
    [
        ("identify", "traits.email"),
        ("identify", "traits.plan"),
        ("identify", "traits.first_name"),
        ("identify", "traits.name"),
        ("identify", "traits.company"),
        ("identify", "traits.company.size"),
        ("track", "properties.email"),
        ("track", "properties.plan"),
        ("track", "properties.company"),
        ("group", "traits.plan"),
        ("group", "traits.name"),
        ("group", "traits.email"),
    ]
)
DESTINATIONS = st.sampled_from(
    [
        "ignore",
        "contact.email",
        "contact.title",
        "contact.name",
        "contact.custom.tier",
        "contact.custom.plan",
        "customer.city",
        "customer.custom.plan",
        "customer.custom.tier",
    ]
)
TRACKS = st.sampled_from([None, None, [], ["Signed Up"]])


@st.composite
def documents(draw: st.DrawFn) -> Any:
    """A mapping as a source's row keeps it."""
    rules = draw(st.dictionaries(PATHS, DESTINATIONS, max_size=4))
    document: dict[str, Any] = {
        "rules": [{"call": call, "path": path, "to": to} for (call, path), to in rules.items()]
    }
    tracks = draw(TRACKS)
    return document if tracks is None else document | {"tracks": tracks}


@st.composite
def named(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A stream whose track calls have names, and whose message ids differ."""
    stream = draw(streams())
    names = st.sampled_from(["Signed Up", "Clicked"])
    return [call | {"messageId": f"m{n}", "event": draw(names)} for n, call in enumerate(stream)]


law = hypothesis_settings(
    deadline=None,
    max_examples=10,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps so small that a rebuild takes many."""
    for name in ("LEAST", "FIRST", "MOST"):
        monkeypatch.setattr(pacing, name, 3)


@law
@given(stream=named(), document=documents(), data=st.data())
def test_no_order_and_no_repeat_changes_anything_under_any_mapping(
    engine: Engine, settings: Settings, stream: list[dict[str, Any]], document: Any, data: st.DataObject
) -> None:
    """What one event says follows from it and the mapping alone, so the fold needs no order."""
    one, other = support.mapped_source(engine, document), support.mapped_source(engine, document)
    support.add(engine, settings, one, stream)
    again = data.draw(st.permutations(stream + data.draw(st.lists(st.sampled_from(stream), max_size=3))))
    for event in again:
        support.add(engine, settings, other, [event])
    for left, right in zip(tables(engine, one), tables(engine, other), strict=True):
        assert in_order(left) == in_order(right)
    assert support.counted(engine, one) == support.counted(engine, other)


@law
@given(
    stream=named(),
    before=documents(),
    after=documents(),
    cut=st.integers(0, 9),
    policy=st.sampled_from(["user", "company"]),
)
def test_a_mapping_that_a_rebuild_applies_is_as_if_it_had_held_from_the_start(
    engine: Engine,
    settings: Settings,
    tmp_path: Path,
    stream: list[dict[str, Any]],
    before: Any,
    after: Any,
    cut: int,
    policy: str,
) -> None:
    """Files, outcomes and counts are equal, also of the events that came between choice and rebuild."""
    source_id = support.mapped_source(engine, before, policy)
    support.add(engine, settings, source_id, stream[:cut])
    support.choose(engine, source_id, after)
    support.add(engine, settings, source_id, stream[cut:])
    support.rebuild(engine, settings, source_id)
    expected = support.mapped_source(engine, after, policy)
    support.add(engine, settings, expected, stream)
    files = [support.exported(engine, each, tmp_path) for each in (source_id, expected)]
    assert files[0] == files[1]
    assert support.outcomes(engine, source_id) == support.outcomes(engine, expected)
    assert support.counted(engine, source_id) == support.counted(engine, expected)


@law
@given(stream=named(), before=documents(), after=documents(), data=st.data())
def test_events_that_arrive_during_the_rebuild_are_read_by_both_mappings(
    engine: Engine,
    settings: Settings,
    tmp_path: Path,
    stream: list[dict[str, Any]],
    before: Any,
    after: Any,
    data: st.DataObject,
) -> None:
    """Projected between any two steps: before the swap the old mapping is shown, after it the new."""
    source_id = support.mapped_source(engine, before)
    cut = data.draw(st.integers(1, len(stream)))
    support.add(engine, settings, source_id, stream[:cut])
    support.choose(engine, source_id, after)
    # Some wait in the inbox already, so the rebuild passes their ids before they are read.
    receive(engine, source_id, stream[cut:])
    sync_id = support.ask(engine, source_id)
    support.work(engine, settings, sync_id, data.draw(st.integers(0, 8)))
    drain(engine, settings, source_id)
    if support.phase(engine, sync_id) in ("events", "compare identifiers", "compare companies", "swap"):
        shown = support.mapped_source(engine, before)
        support.add(engine, settings, shown, stream)
        for left, right in zip(tables(engine, source_id), tables(engine, shown), strict=True):
            assert in_order(left) == in_order(right)
    support.work(engine, settings, sync_id)
    drain(engine, settings, source_id)
    expected = support.mapped_source(engine, after)
    support.add(engine, settings, expected, stream)
    files = [support.exported(engine, each, tmp_path) for each in (source_id, expected)]
    assert files[0] == files[1]
    assert support.outcomes(engine, source_id) == support.outcomes(engine, expected)
    assert support.counted(engine, source_id) == support.counted(engine, expected)


@law
@given(stream=named(), after=documents(), steps=st.integers(0, 8))
def test_a_rebuild_that_is_cancelled_leaves_everything_as_it_was(
    engine: Engine,
    settings: Settings,
    tmp_path: Path,
    stream: list[dict[str, Any]],
    after: Any,
    steps: int,
) -> None:
    """Tables, outcomes and counts follow the mapping that was applied, and the other one stays chosen."""
    source_id = make_source(engine)
    support.add(engine, settings, source_id, stream)
    was = (
        support.exported(engine, source_id, tmp_path),
        support.outcomes(engine, source_id),
        support.counted(engine, source_id),
    )
    support.choose(engine, source_id, after)
    sync_id = support.ask(engine, source_id)
    support.work(engine, settings, sync_id, steps)
    support.cancel(engine, sync_id)
    support.work(engine, settings, sync_id)
    state = support.sync(engine, sync_id).state
    if state == "cancelled":
        now = (
            support.exported(engine, source_id, tmp_path),
            support.outcomes(engine, source_id),
            support.counted(engine, source_id),
        )
        assert now == was
