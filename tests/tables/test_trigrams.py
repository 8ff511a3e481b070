"""The index of the search: it is kept by every way of writing, and it forgets what was deleted."""

import pytest
from sqlalchemy import text

from tests import factories
from tests.projection import support
from tests.projection.test_changed_rows import write
from tests.projection.test_resync import ask, work
from webapp.database import begin
from webapp.services import trigrams
from webapp.services.rows import AT_ONCE

LETTER = "\N{ETHIOPIC SYLLABLE SEE}"  # a letter that nothing else has, so that its bytes tell


def _told(engine, settings, number, letter=""):
    source_id = support.make_source(engine)
    calls = [
        {
            "type": "identify",
            "userId": f"{letter}u{n}",
            "timestamp": "2026-09-01T10:00:00Z",
            "traits": {"email": f"{letter}{n}@x.example", "firstName": "Ada", "lastName": f"{letter}L{n}"},
        }
        for n in range(number)
    ]
    support.receive(engine, source_id, calls)
    support.drain(engine, settings, source_id)
    return source_id


def _raw(engine):
    """Every byte of SQLite's trigram tables."""
    query = "SELECT block FROM customers_fts_data UNION ALL SELECT block FROM contacts_fts_data"
    with engine.connect() as connection:
        return b"".join(connection.scalars(text(query)))


def _checked(engine):
    """Fails when a trigram table is not what its rows say."""
    with begin(engine) as connection:
        for table in ("customers", "contacts"):
            check = f"INSERT INTO {table}_fts({table}_fts, rank) VALUES ('integrity-check', 1)"
            connection.execute(text(check))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_index_follows_whatever_writes_the_rows(engine, settings):
    """What is found is what is there: after inserts, upserts, a re-sync and a deletion."""
    source_id = _told(engine, settings, 50)
    _told(engine, settings, 20, LETTER)
    _checked(engine)
    renamed = {"type": "identify", "userId": "u3", "traits": {"firstName": "Grace", "lastName": "Hopper"}}
    support.receive(engine, source_id, [renamed])
    support.drain(engine, settings, source_id)
    _checked(engine)
    work(engine, settings, ask(engine, source_id, policy="company"))
    _checked(engine)
    work(engine, settings, ask(engine, source_id, "deletion"))
    _checked(engine)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_index_forgets_a_deleted_source(engine, settings, tmp_path, monkeypatch):
    """Not even a trigram of somebody stays in the file once their source is erased."""
    monkeypatch.setattr(trigrams, "_PAGES", 2)
    _told(engine, settings, 200)
    gone = _told(engine, settings, 300, LETTER)
    assert LETTER.encode() in _raw(engine)
    work(engine, settings, ask(engine, gone, "deletion"))
    assert LETTER.encode() not in _raw(engine)
    for file in tmp_path.glob("tributary.db*"):
        assert LETTER.encode() not in file.read_bytes(), file.name
    _checked(engine)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_written_together_is_one_part_of_the_index(engine):
    """Each part has to be merged with others later on, which takes longer than to write it."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        rows = [factories.customer_row(source_id, f"c{n}", search=f"\n\nname {n}") for n in range(AT_ONCE)]
        write(connection, rows)
    assert _parts(engine) == 1
    with begin(engine) as connection:
        write(connection, [row | {"search": f"{row['search']} again"} for row in rows])
    assert _parts(engine) == 2
    _checked(engine)


def _parts(engine):
    with engine.connect() as connection:
        return connection.scalar(text("SELECT count(DISTINCT segid) FROM customers_fts_idx"))


def test_a_query_asks_for_trigrams_and_quotes_what_would_be_its_own_words():
    """Nothing that somebody types is taken as a command of the index."""
    assert trigrams.match(["acme"]) == '"acm" AND "cme"'
    assert trigrams.match(['a"b', "a OR b"]) == '"a""b" AND "a O" AND " OR" AND "OR " AND "R b"'
    assert trigrams.match(["x" * 200]) == '"xxx"'
