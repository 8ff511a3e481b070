"""Migrations make exactly the tables that the models describe, on both databases."""

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, inspect, text

from tests import conftest
from webapp.database import CannotMigrate
from webapp.models.base import Base
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
