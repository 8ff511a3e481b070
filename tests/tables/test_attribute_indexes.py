"""Indexes of custom attributes: made when somebody asks, never in the way of a write, gone in time."""

from decimal import Decimal

import pytest
from sqlalchemy import select, text, update

from tests import factories, people
from tests.tables.test_plans import READS_ALL, SORTED, filled, filling, plans, scope_of  # noqa: F401
from webapp.database import begin
from webapp.models import AttributeIndex, AttributeSighting, Customer, now
from webapp.models.attribute import FAILED, READY, WANTED
from webapp.services import attribute_indexes, tables
from webapp.services.attribute_indexes import DAY
from webapp.services.tables import CONTACTS, CUSTOMERS

HOSTILE = (
    "now",
    "NOW",
    "2026-02-31",
    "0000-99-99T99:99:99,9999999999-99:99",
    "2026-09-01T10:00:00+15:59",
    "9999-12-31T23:59:59.999999Z",
    "٢٠٢٦-٠٩-٠١",
    "1e400",
    "a" * 255,
    "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}" * 255,
    "it's",
    True,
    False,
    0,
    -(2**63),
    Decimal("1e308"),
    Decimal("0." + "1234567890" * 100),
)


@pytest.fixture(autouse=True)
def any_table_is_large(monkeypatch):
    """Some rows are enough here to be worth an index."""
    monkeypatch.setattr(attribute_indexes, "WORTHWHILE", 0)


def told(engine, **types):
    """A source that tells of a customer and of attributes with these types; its id."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        factories.customer(connection, source_id)
        for key, type_ in types.items():
            factories.sighting(connection, source_id, "customer", key, [type_])
    return source_id


def tend(engine):
    """Make all indexes that are missing; how many."""
    made = 0
    while attribute_indexes.tend(engine):
        made += 1
    return made


def names(engine):
    """The indexes of custom attributes that the database has."""
    catalog = {"sqlite": "SELECT name FROM sqlite_master", "postgresql": "SELECT indexname FROM pg_indexes"}
    with engine.connect() as connection:
        found = connection.execute(text(catalog[engine.dialect.name])).scalars().all()
    return sorted(name for name in found if "s_custom_" in name)


def rows(engine, *columns):
    """Columns of the rows that keep account of the indexes."""
    with engine.connect() as connection:
        return connection.execute(select(*columns).order_by(AttributeIndex.id)).tuples().all()


@pytest.mark.parametrize(
    ("table", "keys"),
    [(CUSTOMERS, ("plan", "seats", "mrr", "signed_at")), (CONTACTS, ("role", "score", "newsletter"))],
    ids=["customers", "contacts"],
)
def test_an_indexed_attribute_sorts_along_its_index_both_ways(filled, engine, table, keys):  # noqa: F811
    """A custom attribute of a million rows sorts as quickly as a column, in the order that it had before."""
    connection, _ = filled
    orders = [sign + "custom." + key for key in keys for sign in ("", "-")]
    before = {order: list(tables.ids_of(scope_of(connection, table, sort=order))) for order in orders}
    connection.rollback()
    attribute_indexes.ask(engine, table.one, keys)
    assert tend(engine) == len(keys)
    for order in orders:
        scope = scope_of(connection, table, sort=order, size="100")
        assert list(tables.ids_of(scope)) == before[order]
        pages, cursor = [tables.page(scope)], None
        for _ in range(3):
            cursor = pages[-1].next
            pages.append(tables.page(scope, cursor))
        assert [record["id"] for page in pages for record in page.records] == before[order][:400]
        back = tables.page(scope, pages[2].previous)
        assert back.records == pages[1].records
        for place in (None, pages[0].next, pages[2].previous):
            for plan in plans(connection, lambda s=scope, p=place: tables.page(s, p)):
                assert not READS_ALL.search(plan), (order, plan)
                assert not SORTED.search(plan) or place is pages[2].previous, (order, plan)


def test_an_indexed_attribute_is_filtered_by_its_index(filled, engine, monkeypatch):  # noqa: F811
    """What few rows have is found in few rows, whichever the condition; and it is what was found before."""
    connection, _ = filled
    wanted = ("plan:is:enterprise", "seats:greater:498", "mrr:less:2", "mrr:is:5.5", "seats:empty")
    wanted += ("signed_at:before:2020-01-12", "plan:contains:enter")
    before = {f: set(tables.ids_of(scope_of(connection, CUSTOMERS, f="custom." + f))) for f in wanted}
    connection.rollback()
    attribute_indexes.ask(engine, "customer", ["plan", "seats", "mrr", "signed_at"])
    tend(engine)
    monkeypatch.setattr("webapp.services.tables.walking.STRIDES", (10, 10))  # as in a table of millions
    for filter in wanted:
        scope = scope_of(connection, CUSTOMERS, f="custom." + filter, sort="city")
        told_plans = plans(connection, lambda s=scope: tables.page(s))
        assert any("ix_customers_custom_" in plan for plan in told_plans), (filter, told_plans)
        assert set(tables.ids_of(scope)) == before[filter]


@pytest.mark.parametrize("type_", ["String", "Integer", "Decimal", "Timestamp", "Boolean"])
def test_no_value_is_refused_because_of_an_index(engine, type_):
    """A type widens by a value that does not fit it, which is written while the old index stands."""
    source_id = told(engine, odd=type_)
    attribute_indexes.ask(engine, "customer", ["odd"])
    assert tend(engine) == 1
    for number, value in enumerate(HOSTILE):
        with begin(engine) as connection:
            factories.customer(connection, source_id, f"org_{number + 2}", custom={"odd": value})
    with begin(engine) as connection:
        connection.execute(update(AttributeSighting).values(types=31))
    assert tend(engine) == (0 if type_ == "String" else 1)
    with engine.connect() as connection:
        assert connection.execute(select(AttributeIndex.shape)).scalar_one() == "String"
        scope = scope_of(connection, CUSTOMERS, sort="custom.odd", size="50")
        assert scope.view.sort.indexed
        assert len(tables.page(scope).records) == len(HOSTILE) + 1


@pytest.mark.parametrize("zone", ["", "Z", "+02:00", "-0800", "+05", "+14:00"])
def test_timestamps_of_all_forms_are_in_order(engine, zone):
    """Instants are compared, whatever the zone and the form that a sender writes them in."""
    source_id = told(engine, at="Timestamp")
    days = ["2024-02-29T23:59:59.999999", "2024-02-29T23:59:59,5", "2024-02-28T00:00:00", "2024-02-28T00:00"]
    with begin(engine) as connection:
        for number, day in enumerate(days):
            factories.customer(connection, source_id, f"org_{number + 2}", custom={"at": day + zone})
    with engine.connect() as connection:
        scope = scope_of(connection, CUSTOMERS, sort="-custom.at")
        found = [record["external_id"] for record in tables.page(scope).records]
        assert found == ["org_2", "org_3", "org_5", "org_4", "org_1"]


def test_an_index_is_made_for_what_people_use_and_dropped_with_its_attribute(engine):
    """Nobody pays for an index that nobody uses, nor for that of a key that no source tells any more."""
    told(engine, plan="String", seats="Integer", mrr="Decimal")
    assert tend(engine) == 0
    attribute_indexes.ask(engine, "customer", ["plan", "seats"])
    attribute_indexes.ask(engine, "customer", ["plan"])
    assert tend(engine) == 2
    assert tend(engine) == 0
    assert len(names(engine)) == 2
    with begin(engine) as connection:
        connection.execute(update(AttributeIndex).where(AttributeIndex.key == "plan").values(asked_at=1))
        connection.execute(text("DELETE FROM attribute_sightings WHERE key = 'seats'"))
    assert tend(engine) == 0
    assert names(engine) == []
    assert rows(engine, AttributeIndex.id) == []


def test_an_integer_that_becomes_a_decimal_keeps_its_index(engine):
    """Numbers are in one order, whichever they are."""
    told(engine, seats="Integer")
    attribute_indexes.ask(engine, "customer", ["seats"])
    assert tend(engine) == 1
    with begin(engine) as connection:
        connection.execute(update(AttributeSighting).values(types=6))
    assert tend(engine) == 0
    with engine.connect() as connection:
        column = tables.columns_of(connection, CUSTOMERS)["custom.seats"]
    assert (column.type, column.indexed) == ("Decimal", True)


def test_there_are_only_so_many_and_the_one_used_least_of_late_makes_way(engine, monkeypatch):
    """Each index makes writes dearer, so their number is bounded; one in use is never taken away."""
    monkeypatch.setattr(attribute_indexes, "MOST", 2)
    told(engine, plan="String", seats="Integer", mrr="Decimal")
    attribute_indexes.ask(engine, "customer", ["plan", "seats"])
    tend(engine)
    attribute_indexes.ask(engine, "customer", ["mrr"])
    assert tend(engine) == 0
    states = dict(rows(engine, AttributeIndex.key, AttributeIndex.state))
    assert states == {"plan": READY, "seats": READY, "mrr": WANTED}
    with begin(engine) as connection:
        old = update(AttributeIndex).where(AttributeIndex.key == "seats")
        connection.execute(old.values(asked_at=now() - 8 * DAY))
    assert tend(engine) == 1
    states = dict(rows(engine, AttributeIndex.key, AttributeIndex.state))
    assert states == {"plan": READY, "seats": WANTED, "mrr": READY}
    assert len(names(engine)) == 2


def test_an_index_that_went_missing_or_failed_is_made_again(engine):
    """Whatever happens to the database, what is said to be indexed is, some rounds later."""
    told(engine, plan="String")
    attribute_indexes.ask(engine, "customer", ["plan"])
    tend(engine)
    (name,) = names(engine)
    with begin(engine) as connection:
        connection.execute(text(f"DROP INDEX {name}"))
    assert tend(engine) == 1
    with begin(engine) as connection:
        connection.execute(text(f"DROP INDEX {name}"))
        connection.execute(update(AttributeIndex).values(state=FAILED, changed_at=now()))
    assert tend(engine) == 0
    with begin(engine) as connection:
        connection.execute(update(AttributeIndex).values(changed_at=now() - DAY))
    assert tend(engine) == 1
    assert names(engine) == [name]


def test_only_one_process_makes_indexes_at_a_time(engine):
    """On several hosts several sweepers run; two that made the same index would be in each other's way."""
    told(engine, plan="String")
    attribute_indexes.ask(engine, "customer", ["plan"])
    if engine.dialect.name == "postgresql":
        with engine.connect() as other:
            lock = {"key": attribute_indexes._LOCK}
            other.execute(text("SELECT pg_advisory_lock(:key)"), lock)
            assert tend(engine) == 0
            other.execute(text("SELECT pg_advisory_unlock(:key)"), lock)
    assert tend(engine) == 1
    assert tend(engine) == 0


def test_a_table_that_is_sorted_asks_for_an_index_and_administrators_see_how_far_it_is(app, engine):
    """The first one who sorts waits; the page of custom attributes says what comes of it."""
    told(engine, plan="String", seats="Integer")
    client = people.signed_in(app)
    client.get("/customers")
    assert rows(engine, AttributeIndex.key) == []
    client.get("/customers?f=custom.seats:greater:3&sort=-custom.plan")
    assert rows(engine, AttributeIndex.key, AttributeIndex.state) == [("plan", WANTED), ("seats", WANTED)]
    assert client.get("/attributes").text.count("To be indexed") == 2
    tend(engine)
    assert client.get("/attributes").text.count(">Indexed<") == 2


def test_a_column_that_is_shown_is_indexed_before_somebody_sorts_by_it(app, engine, monkeypatch):
    """Who clicks on a heading has seen it, so the index is there; it takes nobody's room who has sorted."""
    monkeypatch.setattr(attribute_indexes, "MOST", 2)
    told(engine, plan="String", seats="Integer", mrr="Decimal")
    client = people.signed_in(app)
    client.get("/customers?c=name&c=custom.plan&c=custom.seats&c=custom.mrr")
    assert rows(engine, AttributeIndex.key) == [("mrr",), ("plan",)]
    assert tend(engine) == 2
    client.get("/customers?sort=custom.seats")
    assert tend(engine) == 1
    states = dict(rows(engine, AttributeIndex.key, AttributeIndex.state))
    assert sorted(states.values()) == [READY, READY, WANTED]
    assert states["seats"] == READY
    with begin(engine) as connection:  # a week later all are seen again, and the one without stays so
        connection.execute(update(AttributeIndex).values(asked_at=AttributeIndex.asked_at - 9 * DAY))
    client.get("/customers?c=name&c=custom.plan&c=custom.mrr&c=custom.seats")
    assert tend(engine) == 0
    assert dict(rows(engine, AttributeIndex.key, AttributeIndex.state)) == states


def test_a_small_table_asks_for_none(app, engine, monkeypatch):
    """Where nobody waits, nothing has to be made quicker."""
    monkeypatch.setattr(attribute_indexes, "WORTHWHILE", 5_000)
    told(engine, plan="String")
    people.signed_in(app).get("/customers?sort=custom.plan&c=name&c=custom.plan")
    assert rows(engine, AttributeIndex.key) == []


def test_a_deleted_source_s_keys_are_in_no_index(engine):
    """An index names its key, so it goes with the last source that told it."""
    told(engine, secret_key="String")
    attribute_indexes.ask(engine, "customer", ["secret_key"])
    tend(engine)
    with begin(engine) as connection:
        connection.execute(text("DELETE FROM attribute_sightings"))
        attribute_indexes.forget(connection)
    tend(engine)
    assert names(engine) == []
    assert rows(engine, AttributeIndex.id) == []
    with engine.connect() as connection:
        assert connection.scalar(select(Customer.id)) is not None
