"""The laws of merging: nothing depends on when what was merged, and everything can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.merging.world import Name, World
from webapp.config import Settings
from webapp.services import composing_contacts

# Few of everything, so that identifiers, e-mails, companies and customers collide all the time.
EMAILS = st.sampled_from(["ada@x.example", "ADA@x.example", "bob@x.example"])
TRAITS = st.fixed_dictionaries(
    {},
    optional={
        "email": EMAILS,
        "firstName": st.sampled_from(["Ada", "Bob"]),
        "plan": st.sampled_from(["pro", 1, True]),
        "company": st.fixed_dictionaries(
            {"id": st.sampled_from(["g1", "g2"])}, optional={"name": st.just("Acme")}
        ),
    },
)
NAMES = st.sampled_from(
    [
        *(("s", key) for key in ("gg1", "gg2", "uu1", "uu2", "aa1")),
        *(("t", key) for key in ("gg1", "uu1")),
        *(("b", key) for key in ("b1", "b2")),
    ]
)


def _call(kind: str, user: str | None, anonymous: str | None, group: str | None, told: Any) -> dict[str, Any]:
    call: dict[str, Any] = {"type": kind, "userId": user, "anonymousId": anonymous, "traits": told}
    return call | ({"groupId": group or "g1"} if kind == "group" else {"context": {"groupId": group}})


CALLS = st.builds(
    _call,
    st.sampled_from(["identify", "identify", "group"]),
    st.sampled_from([None, "u1", "u2"]),
    st.sampled_from([None, "a1"]),
    st.sampled_from([None, None, "g1", "g2"]),
    TRAITS,
)
BILLED = st.fixed_dictionaries({}, optional={"name": st.sampled_from(["ACME", "Bolt"]), "email": EMAILS})
TOLD = st.one_of(
    st.tuples(st.just("tell"), st.sampled_from("sst"), CALLS),
    st.tuples(st.just("bill"), st.sampled_from(["b1", "b2"]), BILLED),
    st.tuples(
        st.just("bill_contact"),
        st.sampled_from(["b1", "b2"]),
        st.fixed_dictionaries({"email": EMAILS}, optional={"title": st.just("CTO")}),
    ),
    st.tuples(st.just("follow"), st.sampled_from("st"), st.sampled_from(["user", "company"])),
)
PAIRS = st.lists(NAMES, min_size=2, max_size=2, unique=True)
MERGES = st.builds(lambda pair: ("merge", *pair), PAIRS)
TURNS = st.one_of(
    st.tuples(st.just("unmerge"), st.integers(0, 3), st.just(None)),
    st.tuples(st.just("rebuild"), st.sampled_from("st"), st.just(None)),
)
Step = tuple[str, Any, Any]


def _begun() -> list[Step]:
    """What every world begins with: companies and people of both Segment sources, and billing customers."""
    acme = {"id": "g1", "name": "Acme"}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("s", _call("identify", "u1", None, None, {"email": "ada@x.example", "company": acme})),
        ("s", _call("identify", None, "a1", None, {"email": "bob@x.example"})),
        ("s", _call("identify", "u2", None, "g2", {"email": "Ada@x.example"})),
        ("t", _call("identify", "u1", None, "g1", {"email": "ada@x.example", "plan": "pro"})),
    ]
    told: list[Step] = [
        ("tell", source, call | {"timestamp": number * 1_000_000, "messageId": f"b{number}"})
        for number, (source, call) in enumerate(calls, 1)
    ]
    return [
        *told,
        ("bill", "b2", {"name": "Bolt"}),
        ("bill_contact", "b1", {"email": "ada@x.example", "title": "CTO"}),
    ]


@st.composite
def histories(draw: st.DrawFn, decided: bool = True) -> list[Step]:
    """What happens, one after another."""
    steps: list[Step] = draw(st.lists(TOLD, min_size=1, max_size=6))
    if decided:
        steps += draw(st.lists(MERGES, min_size=2, max_size=4)) + draw(st.lists(TURNS, max_size=2))
        steps = draw(st.permutations(steps))
    begun = draw(st.permutations(_begun()))
    at = iter(draw(st.lists(st.integers(1, 6), min_size=len(steps), max_size=len(steps))))
    return [
        *begun,
        *(
            (kind, one, other | {"timestamp": next(at) * 1_000_000, "messageId": f"m{number}"})
            if kind == "tell"
            else (kind, one, other)
            for number, (kind, one, other) in enumerate(steps)
        ),
    ]


def live(world: World, steps: list[Step], without: str = "") -> None:
    """Let things happen in a world, but what a source does that it is without."""
    for kind, one, other in steps:
        if kind in ("tell", "follow", "rebuild") and one == without:
            continue
        if kind == "tell":
            world.tell(one, [other])
        elif kind == "bill":
            world.bill(one, **other)
        elif kind == "bill_contact":
            world.bill_contact(one, **other)
        elif kind == "follow":
            world.follow(one, other)
        elif kind == "rebuild":
            world.rebuild(one)
        elif kind == "merge":
            world.merge(one, other)
        else:
            world.unmerge(one)


law = hypothesis_settings(
    deadline=None,
    max_examples=hypothesis_settings().max_examples // 8,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


@pytest.fixture
def as_if_large(monkeypatch: pytest.MonkeyPatch) -> Callable[[], AbstractContextManager[Any]]:
    """A block in which every customer counts as one with many contacts."""

    @contextmanager
    def block() -> Iterator[None]:
        with monkeypatch.context() as patch:
            patch.setattr(composing_contacts, "LARGE", 0)
            yield

    return block


@law
@given(steps=histories())
def test_merging_commutes_with_events_policies_and_rebuilds(
    engine: Engine,
    settings: Settings,
    as_if_large: Callable[[], AbstractContextManager[Any]],
    steps: list[Step],
) -> None:
    """Whenever it was merged and unmerged, the tables are those of everything told first, then decided."""
    mixed, sorted_ = World(engine, settings), World(engine, settings)
    with as_if_large():
        live(mixed, steps)
    live(sorted_, [step for step in steps if step[0] not in ("merge", "unmerge", "rebuild")])
    sorted_.decide(mixed.decided())
    assert mixed.shown() == sorted_.shown()


@law
@given(steps=histories(), pair=PAIRS)
def test_unmerging_restores_everything(
    engine: Engine, settings: Settings, steps: list[Step], pair: list[Name]
) -> None:
    """To the last column, uuids and the moment of creation included."""
    world = World(engine, settings)
    live(world, steps)
    before, decided = world.rows(), len(world.decided())
    if world.merge(*pair):
        world.check()
        world.unmerge(decided, remember=True)
    world.check()
    assert world.rows() == before


@law
@given(
    steps=histories(decided=False),
    pairs=st.lists(PAIRS, min_size=2, max_size=4),
    data=st.data(),
)
def test_the_order_of_merges_does_not_matter(
    engine: Engine, settings: Settings, steps: list[Step], pairs: list[list[Name]], data: st.DataObject
) -> None:
    """As long as it is said of each two customers which one leads: here the one whose leader comes first."""
    world = World(engine, settings)
    live(world, steps)
    plain = world.rows()
    found = []
    for order in (pairs, data.draw(st.permutations(pairs))):
        made = 0
        for one, other in order:
            made += world.merge_in_order(one, other)
        world.check()
        found.append(world.rows())
        for _ in range(made):
            world.unmerge(-1)
        assert world.rows() == plain
    assert found[0] == found[1]


@law
@given(steps=histories(), gone=st.sampled_from("stb"))
def test_a_deleted_source_might_never_have_been(
    engine: Engine, settings: Settings, steps: list[Step], gone: str
) -> None:
    """What stays is what the other sources tell, merged as far as they are, under the uuid that it had."""
    world, other = World(engine, settings), World(engine, settings)
    live(world, steps)
    uuids = world.merged_uuids(gone)
    world.delete(gone)
    assert uuids <= world.all_uuids()
    told = [step for step in steps if step[0] not in ("merge", "unmerge", "rebuild")]
    live(other, [step for step in told if not (gone == "b" and step[0].startswith("bill"))], without=gone)
    other.decide(world.decided())
    assert world.shown() == other.shown()


KEPT = st.sampled_from(["resync s", "resync t", "rebuild s", "rebuild t", "policy s", "policy t", "merge"])


@law
@given(
    steps=histories(),
    edits=st.lists(
        st.tuples(
            NAMES, st.sampled_from([{"name": "By hand"}, {"owner": "eve@x.example"}, {"tags": ["vip"]}])
        ),
        min_size=1,
        max_size=3,
    ),
    turns=st.lists(KEPT, min_size=1, max_size=3),
    pair=PAIRS,
)
def test_what_people_set_outlives_everything(
    engine: Engine,
    settings: Settings,
    steps: list[Step],
    edits: list[tuple[Name, dict[str, Any]]],
    turns: list[str],
    pair: list[Name],
) -> None:
    """Re-sync, rebuild, another policy and back, merge and unmerge leave it where it was."""
    world = World(engine, settings)
    live(world, steps)
    for name, values in edits:
        world.edit(name, values)
    before, shown = world.rows(), world.shown()
    for turn in turns:
        kind, _, source = turn.partition(" ")
        if kind == "merge":
            decided = len(world.decided())
            if world.merge(*pair):
                world.unmerge(decided)
        elif kind == "rebuild":
            world.rebuild(source)
        else:
            policy = world.policy(source)
            for each in (policy,) if kind == "resync" else ({"user": "company"}.get(policy, "user"), policy):
                world.follow(source, each)
        world.check()
    assert world.shown() == shown
    if not any(turn.startswith("policy") for turn in turns):
        assert world.rows() == before
