"""Migrations make exactly the tables that the models describe, on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask_migrate import downgrade, upgrade
from sqlalchemy import Engine, create_engine, inspect, select, text

from tests import conftest, factories
from webapp.database import CannotMigrate, begin
from webapp.domain import digests
from webapp.models import Event, Tally
from webapp.models.base import Base
from webapp.models.event import PENDING
from webapp.models.search import is_ours


@pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression-based index")
@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
def test_the_migrated_database_is_what_the_models_say(engine: Engine) -> None:
    """Nobody runs on a schema that only a test has: a changed model without a migration fails here."""
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_name": is_ours})
        assert compare_metadata(context, Base.metadata) == []


def test_who_may_not_create_the_search_s_extension_is_told_what_to_do(postgres_server, tmp_path) -> None:
    """A managed PostgreSQL that forbids it gives a sentence with the cure, and nothing is half made."""
    name = postgres_server.create()
    url = postgres_server.url(name)
    owner = create_engine(url)
    with owner.begin() as connection:
        connection.execute(text("CREATE ROLE plain LOGIN"))
        connection.execute(text("GRANT ALL ON SCHEMA public TO plain"))
    settings = conftest.settings_for(url.replace("//tributary@", "//plain@"), tmp_path / "data")
    with pytest.raises(CannotMigrate, match=r"CREATE EXTENSION pg_trgm;"):
        conftest.migrate(settings)
    with owner.begin() as connection:
        assert inspect(connection).get_table_names() == []
        connection.execute(text("CREATE EXTENSION pg_trgm"))
    conftest.migrate(settings)
    with owner.begin() as connection:
        assert "saved_views" in inspect(connection).get_table_names()
    owner.dispose()


def test_an_event_of_an_older_release_is_known_again_after_the_upgrade(app, engine: Engine) -> None:
    """Digests are made another way now; one that is sent once more must not be stored a second time."""
    bodies = [b'{"timestamp":"2026-01-01T10:00:00Z","n":%d}' % number for number in range(3)] + [b"{broken"]
    with begin(engine) as connection:
        source_id = factories.source(connection)
        for number, body in enumerate(bodies):
            factories.event(connection, source_id, body, digest=b"as it was before %d" % number)
    with app.app_context():
        downgrade(revision="0016")
        upgrade()
    with engine.connect() as connection:
        kept = connection.scalars(select(Event.digest).order_by(Event.id)).all()
    assert kept[:3] == [*map(digests.digest, bodies[:3])]
    assert kept[3] == b"as it was before 3"


def test_a_release_that_wants_digests_of_what_waits_gets_them(app, engine: Engine) -> None:
    """Going back: each event that waits has its digest, and of the very same ones the first is left."""
    bodies = [b'{"n":1}', b'{"n":2}', b'{"n": 1}', b"{broken", b'{"n":1}']
    with begin(engine) as connection:
        source_id = factories.source(connection)
        for number, body in enumerate(bodies):
            known = digests.digest(body) if number == 1 else None
            factories.event(connection, source_id, body, digest=known, state=PENDING)
        factories.make(
            connection, Tally, source_id=source_id, hour=0, writer=3, received=len(bodies), duplicates=0
        )
    with app.app_context():
        downgrade(revision="0017")
    inbox = text("SELECT id, digest FROM events ORDER BY id")
    counted = text("SELECT sum(received), sum(duplicates) FROM tallies")
    with engine.connect() as connection:
        kept = [bytes(row.digest) for row in connection.execute(inbox)]
        assert tuple(connection.execute(counted).one()) == (3, 2)
    assert kept == [*map(digests.digest, bodies[:2]), b"4"]
    with app.app_context():
        upgrade()
    with begin(engine) as connection:
        assert tuple(connection.execute(counted).one()) == (5, 2)
        assert factories.event(connection, source_id, b'{"n":3}') == 6, "ids are never given twice"
