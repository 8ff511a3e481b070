"""The law of folding: one by one, in batches or rebuilt, what comes out is what the specification says."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.oracle import World
from tests.projection import support
from webapp.config import Settings

# Few of everything, so that identifiers, e-mails, companies, times and message ids collide all the time.
USERS = st.sampled_from([None, None, "u1", "u2", "ada@x.example"])
ANONYMOUS = st.sampled_from([None, "a1", "a2", "a3"])
EMAILS = st.sampled_from(["ada@x.example", "ADA@x.example", "bob@x.example"])
GROUPS = st.sampled_from([None, None, "g1", "g2"])
DETAILS = st.fixed_dictionaries(
    {},
    optional={
        "email": EMAILS,
        "firstName": st.sampled_from(["Ada", "Bob"]),
        "name": st.sampled_from(["Ada", "Ada Lovelace"]),
        "plan": st.sampled_from(["pro", 7, 2.5, True]),
        "company": st.fixed_dictionaries(
            {"id": st.sampled_from(["g1", "g2"])}, optional={"size": st.just(3)}
        ),
    },
)


def _event(
    kind: str, user: str | None, anonymous: str | None, group: str | None, told: Any
) -> dict[str, Any]:
    event: dict[str, Any] = {"type": kind, "userId": user, "anonymousId": anonymous}
    if kind == "group":
        return event | {"groupId": group or "g1", "traits": told}
    if kind == "track":
        return event | {"properties": told, "context": {"groupId": group}}
    return event | {"traits": told, "context": {"groupId": group}}


CALLS = st.builds(
    _event, st.sampled_from(["identify", "identify", "track", "group"]), USERS, ANONYMOUS, GROUPS, DETAILS
)


@st.composite
def streams(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some calls at few instants, each with a message id, some of them the same."""
    calls = draw(st.lists(CALLS, min_size=1, max_size=9))
    return [
        call
        | {
            "timestamp": draw(st.integers(1, 5)) * 1_000_000,
            "messageId": draw(st.sampled_from(["m1", "m2", None])),
        }
        for call in calls
    ]


law = hypothesis_settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@law
@given(stream=streams(), cuts=st.sets(st.integers(1, 8)), policy=st.sampled_from(["user", "company"]))
def test_any_batching_gives_what_the_specification_says(
    engine: Engine, settings: Settings, stream: list[dict[str, Any]], cuts: set[int], policy: str
) -> None:
    """However the inbox is cut into batches, the tables are those of a computation from scratch."""
    source = support.make_source(engine, policy)
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    for start, end in itertools.pairwise(edges):
        support.receive(engine, source, stream[start:end])
        support.drain(engine, settings, source)
    customers, contacts = support.tables(engine, source)
    world = World((support.raw(event), support.RECEIVED_AT) for event in stream)
    expected_customers, expected_contacts = world.tables(policy)
    assert support.in_order(customers) == support.in_order(expected_customers)
    assert support.in_order(contacts) == support.in_order(expected_contacts)


@law
@given(stream=streams(), data=st.data())
def test_any_order_and_any_repeats_give_the_same(
    engine: Engine, settings: Settings, stream: list[dict[str, Any]], data: st.DataObject
) -> None:
    """Segment gives no order and repeats itself; neither changes anything."""
    stream = [event | {"messageId": f"m{number}"} for number, event in enumerate(stream)]
    one, other = support.make_source(engine), support.make_source(engine)
    support.receive(engine, one, stream)
    support.drain(engine, settings, one)
    again = data.draw(st.permutations(stream + data.draw(st.lists(st.sampled_from(stream), max_size=4))))
    for event in again:
        support.receive(engine, other, [event])
        support.drain(engine, settings, other)
    for left, right in zip(support.tables(engine, one), support.tables(engine, other), strict=True):
        assert support.in_order(left) == support.in_order(right)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@hypothesis_settings(law, max_examples=100)
@given(stream=streams())
def test_one_by_one_gives_what_one_batch_gives(
    engine: Engine, settings: Settings, stream: list[dict[str, Any]]
) -> None:
    """The smallest batches give what the largest gives, receipts and all."""
    one, other = support.make_source(engine), support.make_source(engine)
    support.receive(engine, one, stream)
    support.drain(engine, settings, one)
    for event in stream:
        support.receive(engine, other, [event])
        support.drain(engine, settings, other)
    for left, right in zip(support.tables(engine, one), support.tables(engine, other), strict=True):
        assert support.in_order(left) == support.in_order(right)
