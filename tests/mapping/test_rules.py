"""What a rule does to the reading of one event."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webapp.domain import mapping, segment
from webapp.domain.mapping import Mapping, MappingError, Rule
from webapp.domain.paths import CALLS, call_of, fixed, shape_of, split
from webapp.domain.segment import Reading
from webapp.domain.tracing import Spot, trace
from webapp.domain.traits import key_of


def rules(*three: tuple[str, str, str]) -> Mapping:
    """A mapping of rules as (call, path, to)."""
    made = mapping.DEFAULT
    for call, path, to in three:
        made = made.with_rule(Rule(call, path, to))
    return made


def read(event: dict[str, Any], *three: tuple[str, str, str]) -> Reading:
    """What an event of the user u1 says under some rules."""
    return segment.read({"userId": "u1", **event}, 0, rules(*three))


def test_a_trait_goes_to_another_standard_attribute():
    """`jobTitle` is no title until somebody says so; then it is, and no custom attribute any more."""
    event = {"type": "identify", "traits": {"jobTitle": "CTO"}}
    assert read(event).contact_custom == {"job_title": "CTO"}
    reading = read(event, ("identify", "traits.job_title", "contact.title"))
    assert (reading.contact, reading.contact_custom) == ({"title": "CTO"}, {})


def test_a_custom_attribute_bears_another_key_and_keeps_its_type():
    """Renaming is a rule too; a number stays a number."""
    event = {"type": "identify", "traits": {"seats": 7}}
    assert read(event, ("identify", "traits.seats", "contact.custom.licences")).contact_custom == {
        "licences": 7
    }


def test_an_ignored_trait_says_nothing():
    """Neither the trait nor a warning about it is left."""
    event = {"type": "identify", "traits": {"email": "no address", "plan": "pro"}}
    reading = read(event, ("identify", "traits.email", "ignore"))
    assert (reading.contact, reading.contact_custom, reading.warnings) == ({}, {"plan": "pro"}, [])


def test_a_rule_is_about_every_spelling_of_a_name():
    """Paths are made of keys, so `jobTitle` and `Job Title` are one."""
    for name in ("jobTitle", "Job Title", "job_title"):
        event = {"type": "identify", "traits": {name: "CTO"}}
        assert read(event, ("identify", "traits.job_title", "contact.title")).contact == {"title": "CTO"}


def test_a_rule_stands_over_what_is_told_by_default():
    """When an event tells an attribute by itself and by a rule, the rule is what a person said."""
    event = {"type": "identify", "traits": {"job": "CTO", "title": "Dr"}}
    assert read(event, ("identify", "traits.job", "contact.title")).contact == {"title": "CTO"}
    blank = {"type": "identify", "traits": {"job": " ", "title": "Dr"}}
    assert read(blank, ("identify", "traits.job", "contact.title")).contact == {"title": "Dr"}


def test_a_full_name_from_elsewhere_is_split():
    """`contact.name` does what `name` does, and says nothing beside a first name."""
    rule = ("identify", "traits.display", "contact.name")
    event = {"type": "identify", "traits": {"display": "Ada King Lovelace"}}
    assert read(event, rule).contact == {"first_name": "Ada King", "last_name": "Lovelace"}
    beside = {"type": "identify", "traits": {"display": "Ada King", "firstName": "A."}}
    assert read(beside, rule).contact == {"first_name": "A."}


def test_a_property_stays_weak_wherever_it_goes():
    """Sent to the e-mail, a track's property still never ties persons; sent to a custom key, it is one."""
    event = {"type": "track", "properties": {"mail": "ada@x.example"}}
    reading = read(event, ("track", "properties.mail", "contact.email"))
    assert (reading.contact, reading.weak) == ({}, {"email": "ada@x.example"})


def test_a_persons_trait_goes_to_the_company_that_the_event_names():
    """Where it names one; where it names none the value is skipped, and the event says so."""
    rule = ("identify", "traits.industry", "customer.custom.branch")
    event = {"type": "identify", "traits": {"industry": "Energy"}, "context": {"groupId": "g1"}}
    reading = read(event, rule)
    assert (reading.company_custom, reading.contact_custom) == ({"branch": "Energy"}, {})
    alone = read({"type": "identify", "traits": {"industry": "Energy"}}, rule)
    assert (alone.company_custom, alone.contact_custom) == ({}, {})
    assert alone.warnings == [("no_customer", "branch")]


def test_a_companys_trait_goes_to_the_person_that_the_event_names():
    """A group call may say what a user is in that company."""
    rule = ("group", "traits.role", "contact.title")
    event = {"type": "group", "groupId": "g1", "traits": {"role": "Owner", "name": "Acme"}}
    reading = read(event, rule)
    assert (reading.contact, reading.company) == ({"title": "Owner"}, {"name": "Acme"})
    nobody = segment.read(event, 0, rules(rule))
    assert (nobody.contact, nobody.warnings) == ({}, [("no_contact", "title")])


def test_an_object_goes_whole_and_a_rule_inside_it_goes_first():
    """An object flattens under the new key; what a rule of its own is about has left it before."""
    event = {"type": "identify", "traits": {"utm": {"source": "ads", "term": "crm"}}}
    reading = read(
        event,
        ("identify", "traits.utm", "contact.custom.campaign"),
        ("identify", "traits.utm.term", "contact.custom.keyword"),
    )
    assert reading.contact_custom == {"campaign_source": "ads", "keyword": "crm"}


def test_no_rule_takes_away_which_company_a_person_is_with():
    """The company object can be ignored; its id stays, and no rule can be about it."""
    event = {"type": "identify", "traits": {"company": {"id": "g1", "name": "Acme", "size": 5}}}
    reading = read(event, ("identify", "traits.company", "ignore"))
    assert (reading.group_id, reading.company, reading.company_custom) == ("g1", {}, {})
    with pytest.raises(MappingError, match="which company"):
        rules(("identify", "traits.company.id", "ignore"))


def test_a_companys_founding_date_is_read_as_a_date_wherever_it_goes():
    """`created_at` of a company keeps its rules of time under another key."""
    event = {"type": "group", "groupId": "g1", "traits": {"createdAt": 1_700_000_000}}
    rule = ("group", "traits.created_at", "customer.custom.founded")
    assert read(event, rule).company_custom == {"founded": "2023-11-14T22:13:20Z"}


def test_flat_calls_have_rules_of_their_own():
    """In the destination's calls a path begins at the top."""
    contact = {"type": "Send Contact", "user_id": "u1", "plan": "pro", "company": {"id": "g1", "size": 5}}
    reading = read(
        contact,
        ("Send Contact", "plan", "contact.custom.tier"),
        ("Send Contact", "company.size", "customer.custom.staff"),
    )
    assert (reading.contact_custom, reading.company_custom) == ({"tier": "pro"}, {"staff": 5})
    customer = {"type": "Send Customer", "user_id": "u1", "group_id": "g1", "description": "Robots"}
    assert read(customer, ("Send Customer", "description", "customer.city")).company == {"city": "Robots"}


def test_track_calls_can_be_limited_to_names_or_off():
    """One that is not chosen says nothing at all: no id, no attribute."""
    event = {"type": "track", "event": " Signed Up ", "userId": "u1", "properties": {"plan": "pro"}}
    some = mapping.DEFAULT.with_tracks(("Signed Up",))
    assert segment.read(event, 0, some).contact_custom == {"plan": "pro"}
    other = segment.read(event | {"event": "Clicked"}, 0, some)
    assert (other.reason, other.user_id, other.contact_custom) == ("track_not_chosen", None, {})
    off = segment.read(event, 0, mapping.DEFAULT.with_tracks(()))
    assert (off.reason, off.user_id) == ("tracks_off", None)
    identify = {"type": "identify", "userId": "u1", "traits": {"plan": "pro"}}
    assert segment.read(identify, 0, mapping.DEFAULT.with_tracks(())).contact_custom == {"plan": "pro"}


@pytest.mark.parametrize(
    ("call", "path", "to", "said"),
    [
        ("identify", "traits.plan", "contact.custom.email", "standard attribute"),
        ("identify", "traits.plan", "contact.custom.My Plan", "“my_plan” would do"),
        ("identify", "traits.plan", "contact.custom.", "no key"),
        ("identify", "traits.plan", "contact.custom.lead_created_at", "can be called"),
        ("identify", "traits.plan", "contact.country", "no standard attribute"),
        ("identify", "traits.plan", "elsewhere", "no destination"),
        ("identify", "properties.plan", "ignore", "no path"),
        ("page", "properties.plan", "ignore", "no path"),
        ("identify", "traits.a.b.c.d", "ignore", "no path"),
        ("identify", "traits.free_trial_started_at", "contact.custom.trial", "never imported"),
        ("Send Contact", "message_id", "ignore", "about the event itself"),
        ("Send Customer", "group_id", "ignore", "about the event itself"),
    ],
)
def test_a_rule_that_cannot_be_says_why(call: str, path: str, to: str, said: str):
    """Whoever makes it reads what is wrong, and often what would do."""
    with pytest.raises(MappingError, match=said):
        rules((call, path, to))


def test_a_mapping_is_kept_as_a_document_and_back():
    """What a source's row holds is what a file holds; the default mapping is no document at all."""
    made = rules(("identify", "traits.plan", "contact.custom.tier")).with_tracks(("B", "A"))
    document = mapping.document_of(made)
    assert document == {
        "rules": [{"call": "identify", "path": "traits.plan", "to": "contact.custom.tier"}],
        "tracks": ["A", "B"],
    }
    assert mapping.of(document) == made
    assert mapping.document_of(mapping.DEFAULT) is None
    assert mapping.same(None, {"rules": []})
    with pytest.raises(MappingError, match="no mapping"):
        mapping.of({"rules": "none"})


NAMES = st.sampled_from(["plan", "email", "name", "jobTitle", "company", "address", "createdAt", "id", "utm"])
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9), st.sampled_from(["", " ", "x@y.example", "Ada L"])
)
TRAITS = st.dictionaries(
    NAMES,
    st.recursive(SCALARS, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=6),
    max_size=5,
)


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """A call of any type that is imported."""
    call = draw(st.sampled_from(list(CALLS)))
    event: dict[str, Any] = {"type": call, "userId": "u1", "groupId": "g1", "context": {}}
    for place in CALLS[call]:
        holder = event
        *outer, last = place.split(".") if place else [""]
        for key in outer:
            holder = holder[key]
        told = draw(TRAITS)
        if last:
            holder[last] = told
        else:
            event |= {name: value for name, value in told.items() if name != "id"}
    return event


@given(event=events(), data=st.data())
def test_ignoring_a_path_reads_as_if_it_had_not_been_told(event: dict[str, Any], data: st.DataObject):
    """An event says under `ignore` what the same event says without the value; a company keeps its id."""
    call = call_of(event)
    assert call is not None
    paths = [path for path in call.told if fixed(call.type, path) is None]
    if not paths:
        return
    path = data.draw(st.sampled_from(paths))
    reading = segment.read(event, 0, rules((call.type, path, "ignore")))
    assert reading == segment.read(_without(event, call.type, path), 0)


def _without(event: dict[str, Any], call: str, path: str) -> dict[str, Any]:
    where = split(call, path)
    assert where is not None
    place, keys = where
    steps = [*(place.split(".") if place else []), *keys]
    is_company = keys == ["company"] and call not in ("group", "Send Customer")

    def cut(held: dict[str, Any], steps: list[str]) -> dict[str, Any]:
        kept = {}
        for name, value in held.items():
            if key_of(name) != steps[0]:
                kept[name] = value
            elif len(steps) > 1:
                kept[name] = cut(value, steps[1:]) if isinstance(value, dict) else value
            elif is_company and isinstance(value, dict):
                kept[name] = {inner: each for inner, each in value.items() if key_of(inner) == "id"}
        return kept

    return cut(event, steps)


@given(event=events())
def test_the_default_mapping_changes_nothing(event: dict[str, Any]):
    """Neither does a mapping whose rules are about paths that the event does not tell."""
    other = rules(("identify", "traits.nothing", "ignore"), ("group", "traits.nothing", "contact.title"))
    assert segment.read(event, 0) == segment.read(event, 0, other)


@given(event=events())
def test_every_custom_value_comes_from_a_path_that_was_counted(event: dict[str, Any]):
    """Ignoring all counted paths leaves an event without attributes: the page lists all that is read."""
    call = call_of(event)
    assert call is not None
    made = mapping.DEFAULT
    for path in call.told:
        if fixed(call.type, path) is None:
            made = made.with_rule(Rule(call.type, path, "ignore"))
    reading = segment.read(event, 0, made)
    assert (reading.contact, reading.weak, reading.contact_custom) == ({}, {}, {})
    assert (reading.company, reading.company_custom) == ({}, {})


def test_tracing_says_where_a_path_goes():
    """The page's words come from reading, so they cannot differ from what happens."""
    assert trace("identify", "traits.plan") == [Spot("contact", "plan", custom=True)]
    assert trace("identify", "traits.name") == [Spot("contact", "first_name"), Spot("contact", "last_name")]
    assert trace("identify", "traits.company.size") == [Spot("customer", "size", custom=True)]
    assert trace("identify", "traits.company.size", company=False) == [
        Spot("contact", "company_size", custom=True)
    ]
    assert trace("group", "traits.address.country") == [Spot("customer", "country")]
    assert trace("track", "properties.title") == [Spot("contact", "title", weak=True)]
    assert trace("track", "context.traits.title") == [Spot("contact", "title")]
    assert trace("Send Customer", "created_at") == [Spot("customer", "created_at", custom=True)]
    assert trace("identify", "traits.id") == []
    moved = rules(("identify", "traits.plan", "customer.custom.tier"))
    assert trace("identify", "traits.plan", moved) == [Spot("customer", "tier", custom=True)]
    assert trace("identify", "traits.plan", moved, company=False) == []


@given(one=events(), other=events(), blank=st.booleans())
def test_events_of_one_shape_tell_the_same_paths(one: dict[str, Any], other: dict[str, Any], blank: bool):
    """Paths are counted shape by shape, so a shape has to say all that matters."""
    if blank:  # the same names, with other values
        other = _with_other_values(one)
    left, right = call_of(one), call_of(other)
    assert left is not None
    assert right is not None
    if shape_of(one) == shape_of(other):
        assert (left.type, left.name, set(left.told)) == (right.type, right.name, set(right.told))
    assert shape_of(one) == shape_of(json.loads(json.dumps(one)))


def _with_other_values(event: Any, level: int = 0) -> Any:
    if isinstance(event, dict):
        kept = ("type", "userId", "groupId") if level == 0 else ()
        return {name: v if name in kept else _with_other_values(v, level + 1) for name, v in event.items()}
    return {"": "x", "x@y.example": "", None: 0, 0: None}.get(event, "other")


def test_an_event_with_two_spellings_of_a_name_is_counted_by_itself():
    """Which of the two stands depends on what they say."""
    event = {"type": "identify", "Traits": {"a": 1}, "traits": None}
    assert shape_of(event) != shape_of(event)
    call = call_of(event)
    assert call is not None
    assert set(call.told) == {"traits.a"}
    assert shape_of({"type": "page"}) is shape_of([]) is None
