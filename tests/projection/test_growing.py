"""What PostgreSQL knows of tables that a projection fills from nothing."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, text

from tests.projection.support import drain, make_source, receive
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Identifier, Person
from webapp.services.growing import look_at_unseen

PEOPLE = 2_000
KNOWN = text("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public'")
EVENTS = [
    {"type": "identify", "userId": f"u{each}", "traits": {"name": f"P {each}"}} for each in range(PEOPLE)
]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_first_events_of_an_installation_are_not_folded_in_the_dark(engine: Engine, settings: Settings):
    """Until PostgreSQL has looked at a table it goes through the whole of it for every batch."""
    source_id = make_source(engine)
    receive(engine, source_id, EVENTS)
    drain(engine, settings, source_id)
    with engine.connect() as connection:
        known = set(connection.scalars(KNOWN))
    assert {"identifiers", "customers", "contacts", "data_source_customers"} <= known


def test_a_table_that_is_known_or_small_is_left_alone(engine: Engine, settings: Settings):
    """A handful of rows is read as a whole anyway; what is known is not looked at for every batch."""
    source_id = make_source(engine)
    receive(engine, source_id, EVENTS[:5])
    drain(engine, settings, source_id)
    with begin(engine) as connection:
        assert look_at_unseen(connection, Identifier, Person) == []
    receive(engine, source_id, EVENTS)
    drain(engine, settings, source_id)
    with begin(engine) as connection:
        assert look_at_unseen(connection, Identifier, Person) == []
