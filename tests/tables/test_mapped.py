"""Pages read SQLite's file where the system keeps it, whatever others do to that file meanwhile."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import delete, text

from tests import factories, people
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Customer, DataSourceCustomer

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
SIZE = text("PRAGMA mmap_size")
IN_THE_FILE = "PRAGMA wal_checkpoint(TRUNCATE)"


@SQLITE
def test_pages_see_what_others_write_and_outlive_a_file_that_shrinks(app, engine):
    """A mapped page may be written anew or be gone from the file: the next look is at what is there now."""
    with app.app_context(), db.engine.connect() as pages, engine.connect() as work:
        assert pages.scalar(SIZE) > 0
        assert work.scalar(SIZE) == 0  # what a worker holds in memory is what it says
    with begin(engine) as connection:
        source_id = factories.source(connection)
        for n in range(300):
            factories.customer(connection, source_id, f"org_{n:03}")
    file = Path(str(engine.url.database))
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(IN_THE_FILE)
    before = file.stat().st_size
    client = people.signed_in(app)
    assert "org_299" in client.get("/customers?sort=-external_id").text
    with begin(engine) as connection:
        connection.execute(delete(DataSourceCustomer).where(DataSourceCustomer.external_id > "org_004"))
        connection.execute(delete(Customer).where(Customer.external_id > "org_004"))
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(f"VACUUM; {IN_THE_FILE}")
    assert file.stat().st_size < before
    page = client.get("/customers?sort=-external_id").text
    assert "org_004" in page
    assert "org_299" not in page
