"""Commands when something is wrong: one clear line, a status that is not zero, and no secret."""

from dataclasses import replace

import pytest
from sqlalchemy import func, select, update

from tests import factories
from webapp.app import create_app
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Event, Source, Sync

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
ALL = (
    ["source", "list"],
    ["source", "add", "--name", "A", "--policy", "user"],
    ["user", "list"],
    ["user", "add", "--email", "ada@example.com"],
    ["drain"],
    ["demo"],
)


def run(settings, *arguments):
    """Run one command; its result."""
    app = create_app(settings)
    result = app.test_cli_runner().invoke(args=arguments)
    with app.app_context():
        db.engine.dispose()
    return result


@SQLITE
@pytest.mark.parametrize("arguments", ALL, ids=" ".join)
def test_a_database_that_cannot_be_used_is_said_in_one_line(settings, tmp_path, arguments):
    """A script that runs before the first start, or while the server is away, says what to do."""
    for url in (
        f"sqlite:///{tmp_path}/nowhere/tributary.db",
        f"sqlite:///{tmp_path}/not-migrated.db",
        "postgresql+psycopg://tributary:very-secret@127.0.0.1:1/none",
    ):
        result = run(replace(settings, database_url=url), *arguments)
        assert result.exit_code == 1
        (line,) = result.output.splitlines()
        assert line.startswith("Error: The database cannot be used (OperationalError).")
        assert line.endswith("flask --app wsgi doctor")
        assert "very-secret" not in line


@SQLITE
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo", "--seed", "x"], "--seed"),
        (["drain", "now"], "unexpected extra argument"),
        (["doctor", "--loud"], "--loud"),
        (["source", "frobnicate"], "frobnicate"),
        (["user", "role", "a@b.c", "king"], "king"),
    ],
)
def test_a_command_that_is_misspelt_is_said_in_one_line(settings, arguments, said):
    """Nobody has to find the reason under a page of usage."""
    result = run(settings, *arguments)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert said in line
    assert "--help" in line


def test_a_deletion_that_was_cut_off_is_ended_by_the_same_command(settings, engine):
    """`source delete` says to run it again when it did not end; so it must find what it began."""
    with begin(engine) as connection:
        source_id = factories.source(connection)
        public_id = factories.public_id(connection, source_id)
        factories.event(connection, source_id)
        connection.execute(update(Source).values(state="deleting", name_key=None))
        factories.make(
            connection, Sync, source_id=source_id, kind="deletion", state="running", created_at=1, result={}
        )
    assert run(settings, "source", "resync", public_id).exit_code == 1
    result = run(settings, "source", "delete", public_id, "--yes")
    assert result.exit_code == 0, result.output
    with engine.connect() as connection:
        for model in (Source, Event, Sync):
            assert connection.scalar(select(func.count()).select_from(model)) == 0
