"""The laws of merging: neither order, nor time, nor a source's end changes who is one and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from tests.merging.test_merging import billing
from tests.projection import support
from tests.projection.test_law import streams
from tests.projection.test_resync import ask, work
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Contact, Customer, DataSourceCustomer, Decision, Identifier
from webapp.services import edits, merges
from webapp.services.billing.records import ContactChange, CustomerChange, put_contacts
from webapp.services.composing import compose
from webapp.services.merges import By
from webapp.services.standing import customer_ids

law = hypothesis_settings(
    deadline=None,
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
LABEL = tuple[str, str, str]
"""A data source customer as it is called in any world: which of its sources, kind, external id."""
BILLING = st.lists(
    st.builds(
        lambda name, email, plan: ({"name": name, "email": email}, {"plan": plan}),
        st.sampled_from([None, "ACME"]),
        st.sampled_from([None, "ada@x.example"]),
        st.sampled_from([None, "gold"]),
    ),
    min_size=2,
    max_size=2,
)
CHOICES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), max_size=3)


class World:
    """A Segment source and a billing source with two customers, one of them with a contact."""

    def __init__(self, engine: Engine, settings: Settings, told: Sequence[Any], policy: str = "user") -> None:
        self.engine, self.settings = engine, settings
        self.segment = support.make_source(engine, policy)
        self.billing = billing(
            engine, *(CustomerChange(f"b{n}", values, custom) for n, (values, custom) in enumerate(told))
        )
        first = self.origins()["billing", "billing", "b0"]
        contact = ContactChange(
            f"00000000-{self.billing:04}-4000-8000-000000000000", first, {"email": "ADA@x.example"}
        )
        with begin(engine) as connection:
            put_contacts(connection, self.billing, [contact])

    def tell(self, events: Iterable[Any]) -> None:
        """Events that are received and applied."""
        support.receive(self.engine, self.segment, events)
        support.drain(self.engine, self.settings, self.segment)

    def origins(self) -> dict[LABEL, str]:
        """The data source customers that are there, by label."""
        return {label: uuid for uuid, label in self._labels().items()}

    def _labels(self) -> dict[str, LABEL]:
        names = {self.segment: "segment", self.billing: "billing"}
        with self.engine.connect() as connection:
            query = select(DataSourceCustomer).where(DataSourceCustomer.source_id.in_(names))
            rows = connection.execute(query).all()
        return {row.origin_uuid: (names[row.source_id], row.kind, row.external_id) for row in rows}

    def pairs(self, choices: Sequence[tuple[int, int]]) -> list[tuple[LABEL, LABEL]]:
        """Billing customers with customers of Segment, each of these once."""
        segment = sorted(label for label in self.origins() if label[0] == "segment")
        chosen = {n % len(segment): b for b, n in choices} if segment else {}
        return [(("billing", "billing", f"b{b}"), segment[n]) for n, b in chosen.items()]

    def merge(self, pairs: Iterable[tuple[LABEL, LABEL]]) -> None:
        """Merge one pair after the other."""
        for pair in pairs:
            one, other = (self.origins().get(label) for label in pair)
            with begin(self.engine) as connection:
                ids = customer_ids(connection, [uuid for uuid in (one, other) if uuid])
                if one and other and ids[one] != ids[other]:
                    merges.merge(connection, [(one, other)], By())

    def unmerge(self) -> None:
        """Take every merge back."""
        with begin(self.engine) as connection:
            mine = Decision.primary_source_id.in_([self.segment, self.billing])
            merges.unmerge(
                connection, connection.scalars(select(Decision.id).where(mine)).all(), By(), remember=False
            )

    def tables(self, uuids: bool = False) -> list[Any]:
        """All customers with their data source customers and the contacts that are shown, comparable."""
        labels = self._labels()
        with self.engine.connect() as connection:
            behind = connection.execute(
                select(DataSourceCustomer.__table__).where(DataSourceCustomer.origin_uuid.in_(labels))
            ).all()
            ids = {row.customer_id for row in behind}
            customers = connection.execute(select(Customer.__table__).where(Customer.id.in_(ids))).all()
            contacts = connection.execute(
                select(Contact.__table__).where(Contact.source_id.in_([self.segment, self.billing]))
            ).all()
        found = []
        for row in customers:
            under = [c for c in contacts if c.customer_id == row.id and c.within_id is None]
            assert row.contacts == len(under)
            found.append(
                {
                    "uuid": row.uuid if uuids else labels.get(row.uuid),
                    "behind": sorted(
                        (labels[d.origin_uuid], d.leads) for d in behind if d.customer_id == row.id
                    ),
                    "people": sorted(repr(_shown(c, _CONTACT, uuids)) for c in under),
                    "within": sorted(
                        (c.email or "", c.user_id or "")
                        for c in contacts
                        if c.customer_id == row.id and c.within_id
                    ),
                    **_shown(row, _CUSTOMER, uuids=False),
                }
            )
        return sorted(found, key=repr)


_CUSTOMER = (
    "external_id", "name", "company", "email", "website_url", "country", "state", "city", "zip", "custom",
    "contacts", "first_seen", "last_seen", "lead_status", "owner", "tags", "composed", "sort_name", "search",
)  # fmt: skip
_CONTACT = (
    "user_id", "email", "first_name", "last_name", "title", "phone", "linked_in", "twitter", "custom",
    "first_seen", "last_seen", "sort_name", "search",
)  # fmt: skip


def _shown(row: Any, names: Sequence[str], uuids: bool) -> dict[str, Any]:
    # What a billing source tells is seen at the moment it is told, which is another in every world.
    shown = {name: getattr(row, name) for name in names}
    shown |= {name: min(shown[name], 10**12) for name in ("first_seen", "last_seen")}
    shown["custom"] = sorted(shown["custom"].items(), key=repr)
    return shown | ({"uuid": row.uuid} if uuids else {})


def _keys_of_persons(world: World) -> dict[LABEL, bytes]:
    """Of persons that are customers of their own: the key of the identifier whose uuid they bear."""
    by_uuid = {uuid: label for label, uuid in world.origins().items()}
    with world.engine.connect() as connection:
        query = select(Identifier).where(Identifier.source_id == world.segment)
        rows = connection.execute(query).all()
    return {by_uuid[row.uuid]: row.key for row in rows if row.uuid == row.person_uuid and row.uuid in by_uuid}


@law
@given(stream=streams(), told=BILLING, choices=CHOICES, data=st.data())
def test_merging_is_independent_of_order(
    engine: Engine, settings: Settings, stream: list[Any], told: Any, choices: Any, data: st.DataObject
) -> None:
    """The same customers merged in another order are the same customers."""
    one, other = World(engine, settings, told), World(engine, settings, told)
    one.tell(stream)
    other.tell(stream)
    pairs = one.pairs(choices)
    one.merge(pairs)
    other.merge(data.draw(st.permutations(pairs)))
    assert one.tables() == other.tables()


@law
@given(stream=streams(), told=BILLING, choices=CHOICES)
def test_unmerge_after_merge_changes_nothing(
    engine: Engine, settings: Settings, stream: list[Any], told: Any, choices: Any
) -> None:
    """Both sides are as if they had never been merged, to the uuid."""
    world = World(engine, settings, told)
    world.tell(stream)
    before = world.tables(uuids=True)
    world.merge(world.pairs(choices))
    world.unmerge()
    assert world.tables(uuids=True) == before


@law
@given(
    stream=streams(),
    later=streams(),
    told=BILLING,
    choices=CHOICES,
    policy=st.sampled_from(["user", "company"]),
)
def test_merging_commutes_with_more_events(
    engine: Engine,
    settings: Settings,
    stream: list[Any],
    later: list[Any],
    told: Any,
    choices: Any,
    policy: str,
) -> None:
    """Merged first and told more afterwards, or told everything and merged then: it is the same."""
    one, other = World(engine, settings, told, policy), World(engine, settings, told, policy)
    one.tell(stream)
    pairs, keys = one.pairs(choices), _keys_of_persons(one)
    one.merge(pairs)
    one.tell(later)
    other.tell(stream)
    other.tell(later)
    other.merge([(primary, _now(other, label, keys)) for primary, label in pairs])
    assert one.tables() == other.tables()


def _now(world: World, label: LABEL, keys: dict[LABEL, bytes]) -> LABEL:
    """Who a person of another world is in this one, by the identifier that gave them their name."""
    if label not in keys:
        return label
    by_uuid = {uuid: name for name, uuid in world.origins().items()}
    with world.engine.connect() as connection:
        person = connection.scalar(
            select(Identifier.person_uuid).where(
                Identifier.source_id == world.segment, Identifier.key == keys[label]
            )
        )
    return by_uuid.get(person or "", ("segment", "gone", ""))


@law
@given(stream=streams(), told=BILLING, choices=CHOICES, first=st.sampled_from(["user", "company"]))
def test_merging_and_edits_survive_every_resync_and_rebuild(
    engine: Engine, settings: Settings, stream: list[Any], told: Any, choices: Any, first: str
) -> None:
    """To another policy, back, and folded anew: merges, what people set, and all uuids are there."""
    world = World(engine, settings, told, first)
    world.tell(stream)
    world.merge(world.pairs(choices))
    _set_on_everybody(world)
    before = world.tables(uuids=True)
    for policy in ("company" if first == "user" else "user", first):
        work(engine, settings, ask(engine, world.segment, policy=policy))
    assert world.tables(uuids=True) == before
    work(engine, settings, ask(engine, world.segment, "rebuild"))
    assert world.tables(uuids=True) == before


def _set_on_everybody(world: World) -> None:
    sources = {"segment": world.segment, "billing": world.billing}
    origins = sorted(world.origins().items())
    with begin(world.engine) as connection:
        for n, (label, uuid) in enumerate(origins):
            said = {"lead_status": "Working Lead", "tags": [f"tag {n}"], "owner": f"{n}@x.example"}
            edits.set_fields(connection, "customer", uuid, sources[label[0]], said, None)
        compose(connection, customer_ids(connection, [uuid for _, uuid in origins]).values())


@law
@given(stream=streams(), told=BILLING, choices=CHOICES, going=st.sampled_from(["segment", "billing"]))
def test_a_source_that_is_deleted_leaves_what_would_be_there_without_it(
    engine: Engine, settings: Settings, stream: list[Any], told: Any, choices: Any, going: str
) -> None:
    """Merged customers keep their uuid and have exactly what the other source tells; nobody else changes."""
    world, alone = World(engine, settings, told), World(engine, settings, told)
    world.tell(stream)
    if going == "billing":
        alone.tell(stream)
    world.merge(world.pairs(choices))
    lasting = {
        row["uuid"] for row in world.tables(uuids=True) if any(each[0][0] != going for each in row["behind"])
    }
    work(engine, settings, ask(engine, getattr(world, going), "deletion"))
    work(engine, settings, ask(engine, getattr(alone, going), "deletion"))
    left = world.tables(uuids=True)
    assert lasting <= {row["uuid"] for row in left}
    assert _without_uuids(left) == _without_uuids(alone.tables(uuids=True))


def _without_uuids(rows: list[Any]) -> list[str]:
    told = [{name: value for name, value in row.items() if name not in ("uuid", "people")} for row in rows]
    return sorted(map(repr, told))
