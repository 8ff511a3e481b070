"""The indexes are in use: what the database says it would do, for each sort and search of the tables."""

import itertools
import re

import pytest
from sqlalchemy import event, text

from bench.filling import fill
from tests import factories
from webapp.services import tables
from webapp.services.counting import LOOKED_AT
from webapp.services.tables import CONTACTS, CUSTOMERS, LEADS

ROWS = 4000
SORTED = re.compile(r"Sort Key|USE TEMP B-TREE FOR ORDER BY")
READS_ALL = re.compile(r"Seq Scan on (customers|contacts)|SCAN (customers|contacts)(?! USING)")


def thousands(engine, _settings):
    """Some thousand customers and contacts; the id of the source that told of them."""
    return fill(engine, ROWS)


@pytest.fixture
def filling():
    return thousands


@pytest.fixture
def filled(remembered, engine):
    """A connection to `thousands`, and the id of their source."""
    source_id = remembered
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":  # so few customers it would rather join by a hash of them all
            connection.execute(text("SET enable_hashjoin = off"))
            connection.execute(text("SET enable_mergejoin = off"))
        yield connection, source_id


def scope_of(connection, table, source_id=None, **args):
    """The rows of a view as an address asks for it."""
    columns = tables.columns_of(connection, table, source_id)
    view = tables.read_view(table, columns, {k: v if isinstance(v, list) else [v] for k, v in args.items()})
    assert view.problems == ()
    return tables.scope_of(connection, view, source_id)


def plans(connection, ask):
    """What the database would do for each statement about the tables that `ask` runs."""
    told = []

    def note(_connection, _cursor, statement, parameters, _context, _many):
        if re.search(r"FROM (customers|contacts)", statement):
            told.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    ask()
    event.remove(connection, "before_cursor_execute", note)
    assert told
    how = "EXPLAIN" if connection.dialect.name == "postgresql" else "EXPLAIN QUERY PLAN"
    return [
        "\n".join(str(row) for row in connection.exec_driver_sql(f"{how} {statement}", parameters))
        for statement, parameters in told
    ]


@pytest.mark.parametrize("table", [CUSTOMERS, CONTACTS], ids=lambda table: table.noun)
def test_every_column_sorts_along_an_index_both_ways_on_every_page(filled, table):
    """A page of a million rows must not be sorted out of all of them, wherever it is."""
    connection, _ = filled
    for column in table.standard:
        for sign in ("", "-"):
            scope = scope_of(connection, table, sort=sign + column.key)
            first = tables.page(scope)
            assert first.next is not None
            second = tables.page(scope, first.next)
            for cursor in (None, first.next, second.previous):
                for plan in plans(connection, lambda c=cursor, s=scope: tables.page(s, c)):
                    assert not READS_ALL.search(plan), (column.key, sign, plan)
                    # Only 25 rows are left before the second page: these PostgreSQL rather sorts.
                    is_sorted = SORTED.search(plan) and "Incremental Sort" not in plan
                    assert not is_sorted or cursor == second.previous, (column.key, sign, plan)


@pytest.mark.parametrize("table", [CUSTOMERS, CONTACTS], ids=lambda table: table.noun)
def test_a_source_s_table_follows_its_own_indexes(filled, table):
    """The usual sorts of one source's table pass by no other source's rows."""
    connection, source_id = filled
    for sort in ("name", "-first_seen", "-last_seen", "updated_at"):
        scope = scope_of(connection, table, source_id, sort=sort)
        found = plans(connection, lambda s=scope: tables.page(s))
        name = "sort_name" if sort == "name" else sort.removeprefix("-")
        assert any(f"ix_{table.noun}_source_id_{name}" in plan for plan in found), (sort, found)


def test_a_search_is_answered_by_trigrams(filled, monkeypatch):
    """What is found in few rows is not looked for in all of them, be the search long or one letter."""
    connection, _ = filled
    monkeypatch.setattr("webapp.services.tables.walking.STRIDES", (10, 10))  # as in a table of millions
    index = "customers_fts VIRTUAL TABLE INDEX|ix_customers_search"
    for search in ("onyx3989.", "hopper"):
        scope = scope_of(connection, CUSTOMERS, q=search)
        found = plans(connection, lambda s=scope: tables.page(s))
        assert re.search(index, found[-2]) or re.search(index, "".join(found)), found
    assert len(tables.page(scope_of(connection, CUSTOMERS, q="onyx3989.")).records) == 1
    assert len(tables.page(scope_of(connection, CUSTOMERS, q="org_39", size="100")).records) == 100


def test_a_filter_for_one_value_is_answered_by_its_index(filled, monkeypatch):
    """Customers of one country are found by it, and then only these are looked at."""
    connection, _ = filled
    monkeypatch.setattr("webapp.services.tables.walking.STRIDES", (10, 10))
    scope = scope_of(connection, CUSTOMERS, f=["country:is:nl", "custom.plan:is:pro"], sort="city")
    found = plans(connection, lambda: tables.page(scope))
    assert any("ix_customers_country" in plan for plan in found), found
    shown = tables.page(scope)
    assert {record["country"] for record in shown.records} == {"NL"}
    assert {record["custom"]["plan"] for record in shown.records} == {"pro"}


def test_a_text_in_a_column_of_few_values_is_found_by_these(filled, monkeypatch):
    """A filter “City contains 12” reads the cities and their customers, not all customers."""
    connection, source_id = filled
    long = factories.customer(connection, source_id, "long", city="x" * 300 + "city 1999")
    scope = scope_of(connection, CUSTOMERS, f=["city:contains:CITY 1999"], sort="zip", size="100")
    monkeypatch.setattr("webapp.services.tables.walking.STRIDES", (10, 10))
    monkeypatch.setattr("webapp.services.tables.values.MOST", 5000)
    found = plans(connection, lambda: tables.page(scope))
    assert sum("ix_customers_city" in plan for plan in found) >= 2, found
    ids = [record["id"] for record in tables.page(scope).records]
    assert long in ids
    monkeypatch.setattr("webapp.services.tables.values.MOST", 10)
    again = scope_of(connection, CUSTOMERS, f=["city:contains:CITY 1999"], sort="zip", size="100")
    assert [record["id"] for record in tables.page(again).records] == ids


def test_what_a_walk_did_not_find_is_gathered_in_the_same_order(filled, monkeypatch):
    """Where a walk is given up shows nowhere: pages are the same, and none is skipped or repeated."""
    connection, source_id = filled
    asked = [
        {"q": "map", "sort": "-city"},
        {"f": ["country:is:de"], "q": "or", "sort": "state"},
        {"f": ["custom.plan:is:enterprise", "country:empty"], "sort": "source"},
        {"f": ["name:contains:kelp"], "sort": "-custom.seats"},
    ]
    for args, stride in itertools.product(asked, (3, 50)):
        monkeypatch.setattr("webapp.services.tables.walking.STRIDES", (stride, stride))
        monkeypatch.setattr("webapp.services.tables.walking.LONGEST", 2 * stride)
        monkeypatch.setattr("webapp.services.tables.walking.GATHERED", stride)
        monkeypatch.setattr("webapp.services.counting.LOOKED_AT", stride)
        scope = scope_of(connection, CUSTOMERS, **args)
        paged, cursor = [], None
        for _ in range(5):
            page = tables.page(scope, cursor)
            paged += [record["id"] for record in page.records]
            if (cursor := page.next) is None:
                break
        whole = list(tables.ids_of(scope))
        assert len(whole) > 10
        assert paged == whole[: len(paged)], args
    assert list(tables.ids_of(scope_of(connection, CUSTOMERS, source_id)))


def test_a_count_is_exact_as_far_as_an_index_reaches_and_a_sample_beyond(filled, monkeypatch):
    """A number never costs the reading of a large table, and what is exact is said so."""
    connection, _ = filled
    assert tables.counted(scope_of(connection, CUSTOMERS)).number == ROWS
    monkeypatch.setattr("webapp.services.counting.LOOKED_AT", 1000)
    assert LOOKED_AT > 1000
    rare = tables.counted(scope_of(connection, CUSTOMERS, q="onyx3989."))
    assert (rare.number, rare.exact) == (1, True)
    custom = tables.counted(scope_of(connection, CUSTOMERS, f=["custom.plan:is:pro"]))
    assert not custom.exact
    assert 400 < custom.number < 1000


def test_rows_that_are_looked_at_for_their_number_are_not_walked_past_before(filled, monkeypatch):
    """Where all that an index leads to is counted exactly, the page is made of what was found by that."""
    connection, _ = filled
    monkeypatch.setattr("webapp.services.tables.walking.STRIDES", (50, 30_000))
    scope = scope_of(connection, CUSTOMERS, f=["country:is:us", "custom.plan:is:pro"], sort="-last_seen")
    shown = []
    found = plans(connection, lambda: shown.append(tables.page(scope)))
    found += plans(connection, lambda: tables.page(scope, shown[0].next))
    assert sum("ix_customers_country" in plan for plan in found) == 1, found
    # The next page knows the number, so it walks.
    assert sum("ix_customers_last_seen" in plan for plan in found) == 1, found
    number = tables.counted(scope, shown[0])
    assert number.exact
    assert number.number == len(list(tables.ids_of(scope))) > len(shown[0].records)


def test_a_short_search_is_taken_for_as_long_a_way_as_its_trigrams_lead(filled):
    """PostgreSQL's know no beginnings of texts: `ma` leads them to every address with `@mail` in it."""
    connection, _ = filled
    scope = scope_of(connection, CONTACTS, q="ma")
    found = len(list(tables.ids_of(scope)))
    assert 0 < found < ROWS / 4
    is_postgresql = connection.dialect.name == "postgresql"
    assert scope.fewest == pytest.approx(ROWS if is_postgresql else found, rel=0.25)
    assert tables.counted(scope, tables.page(scope)).number == found
    assert len(list(tables.ids_of(scope_of(connection, CONTACTS, q=".")))) == 0


def test_a_page_of_conditions_and_a_sort_walks_its_order_and_samples_by_key(filled, monkeypatch):
    """A million rows are neither sorted nor read for it: some are walked past, some looked at, twice."""
    connection, _ = filled
    monkeypatch.setattr("webapp.services.tables.walking.STRIDES", (50, 30_000))
    monkeypatch.setattr("webapp.services.counting.LOOKED_AT", 10)
    monkeypatch.setattr("webapp.services.counting.LARGE", ROWS // 2)
    for sort, index in (("-last_seen", "ix_customers_last_seen"), ("name", "ix_customers_sort_name")):
        scope = scope_of(connection, CUSTOMERS, f=["country:is:us", "custom.plan:is:free"], sort=sort)
        found = plans(connection, lambda s=scope: tables.counted(s, tables.page(s)))
        assert not any(READS_ALL.search(plan) or SORTED.search(plan) for plan in found), found
        walked = next(n for n, plan in enumerate(found) if index in plan)
        samples = [found[walked - 1], found[-1]]
        assert all(re.search("pk_customers|INTEGER PRIMARY KEY", plan) for plan in samples), samples
        number = tables.counted(scope, tables.page(scope))
        assert not number.exact
        assert 600 < number.number < 1100


def test_leads_are_found_along_indexes(filled):
    """However they are sorted, and of whichever status."""
    connection, _ = filled
    for sort in ("-first_seen", "owner", "-mrr", "tags", "lead_created_at"):
        for filters in ([], ["lead_status:is:Working Lead"]):
            scope = scope_of(connection, LEADS, sort=sort, f=filters)
            for plan in plans(connection, lambda s=scope: tables.page(s)):
                assert not READS_ALL.search(plan), (sort, filters, plan)
