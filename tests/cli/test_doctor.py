"""`flask doctor`: each thing that can be wrong is made wrong, and doctor must say so with the fix."""

import json
import os
import uuid
from contextlib import closing
from dataclasses import replace

import pytest
import redis
from sqlalchemy import update

from jobs import queue
from jobs.sweeper import Sweeper
from jobs.workers import make
from tests import factories
from tests.conftest import free_port
from webapp.app import create_app
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Customer, Event, Source, Sync, WebhookUrl, now
from webapp.models.event import PARKED, PENDING
from webapp.services import checkup, tokens
from webapp.services.checkup import Finding, installation

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
POSTGRESQL = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
MINUTE = 60 * 1_000_000
DAY = 1440 * MINUTE


def examine(settings):
    """Run doctor with these settings; (`{check: its worst finding}`, the result)."""
    app = create_app(settings)
    result = app.test_cli_runner().invoke(args=["doctor", "--json"])
    with app.app_context():
        db.engine.dispose()
    worst = {}
    for line in result.stdout.splitlines():
        finding = Finding(**json.loads(line))
        ranks = (checkup.OK, checkup.WARNING, checkup.PROBLEM)
        if finding.check not in worst or ranks.index(finding.status) > ranks.index(
            worst[finding.check].status
        ):
            worst[finding.check] = finding
    return worst, result


@pytest.fixture
def home(settings):
    """Settings of an installation with nothing wrong, that does not run."""
    return replace(settings, port=free_port())


@pytest.fixture
def source(engine):
    """A source's id."""
    with begin(engine) as connection:
        return factories.source(connection, created_at=now())


def put(engine, *statements):
    """Write something behind Tributary's back."""
    with begin(engine) as connection:
        for statement in statements:
            connection.execute(statement)


@SQLITE
def test_an_installation_with_nothing_wrong_has_no_problem(home):
    """Whoever asks without need is not alarmed; that nothing runs yet is told all the same."""
    found, result = examine(home)
    assert result.exit_code == 0, result.output
    assert {name for name, finding in found.items() if finding.status != checkup.OK} == {
        *("Administrators", "Queue", "Web server")
    }
    assert all(finding.fix for finding in found.values() if finding.status != checkup.OK)


@POSTGRESQL
def test_a_server_that_forgets_when_the_power_fails_is_told(home):
    """Tests run on a PostgreSQL without fsync, to be quick; nobody else's should."""
    found, _ = examine(home)
    assert {name for name, finding in found.items() if finding.status == checkup.PROBLEM} == {"Durability"}
    assert "fsync" in found["Durability"].message
    assert found["Database"].message.startswith("PostgreSQL 1")


@SQLITE
def test_people_read_lines_and_a_sum(home):
    """Without `--json` each line begins with how it is, and the last says how many are not well."""
    app = create_app(replace(home, secret_key=""))
    result = app.test_cli_runner().invoke(args=["doctor"])
    with app.app_context():
        db.engine.dispose()
    assert result.exit_code == 1
    assert "problem  Secret key" in result.output
    assert "-> " in result.output
    assert "1 problem." in result.stdout
    assert result.stderr == "Error: 1 problem found.\n"


@SQLITE
def test_before_the_first_start_doctor_says_how_to_start(tmp_path, home):
    """Nothing is there, and doctor makes nothing either."""
    folder = tmp_path / "nowhere"
    settings = replace(home, data_dir=folder, database_url=f"sqlite:///{folder}/tributary.db", secret_key="")
    found, result = examine(settings)
    assert result.exit_code == 1
    for check in ("Data directory", "Secret key", "Database"):
        assert found[check].status == checkup.PROBLEM
    assert "jobs.up --prepare" in found["Database"].fix
    assert not folder.exists()


@SQLITE
def test_a_directory_or_key_open_to_others_is_told(home):
    """The key seals webhook URLs; other users of the machine must not read it."""
    path = home.data_dir / "secret_key"
    path.write_text(home.secret_key + "\n")
    path.chmod(0o644)
    home.data_dir.chmod(0o755)
    found, _ = examine(home)
    assert found["Data directory"].status == checkup.WARNING
    assert found["Secret key"].status == checkup.PROBLEM
    assert found["Secret key"].fix == f"chmod 600 {path}"


@SQLITE
def test_a_short_key_is_told(home):
    """A key that can be guessed signs nothing."""
    assert examine(replace(home, secret_key="hunter2"))[0]["Secret key"].status == checkup.WARNING


@SQLITE
def test_another_key_than_urls_were_sealed_with_is_told(home, engine, source):
    """After a restore without its key, the pages could not show a URL, and nobody would know why."""
    with begin(engine) as connection:
        sealed = tokens.seal("another key", tokens.make_token())
        factories.make(
            connection, WebhookUrl, source_id=source, token_digest=b"d", token_sealed=sealed, created_at=1
        )
    found = examine(home)[0]["Webhook URLs"]
    assert found.status == checkup.WARNING
    assert "source regenerate ds_" in found.fix


@POSTGRESQL
def test_a_database_that_is_away_is_told_without_its_password(home):
    """The rest is looked at all the same, and no secret is printed."""
    url = "postgresql+psycopg://tributary:very-secret@127.0.0.1:1/none"
    found, result = examine(replace(home, database_url=url))
    assert found["Database"].status == checkup.PROBLEM
    assert "127.0.0.1:1 does not answer" in found["Database"].message
    assert "very-secret" not in result.output
    assert "Web server" in found


def test_a_database_of_another_version_is_told(home, engine):
    """Code and tables that do not belong together fail in stranger ways later."""
    with begin(engine) as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    found = examine(home)[0]["Migrations"]
    assert (found.status, "newer version" in found.message) == (checkup.PROBLEM, True)
    with begin(engine) as connection:
        connection.exec_driver_sql("DELETE FROM alembic_version")
    found = examine(home)[0]["Migrations"]
    assert (found.status, "jobs.up --prepare" in found.fix) == (checkup.PROBLEM, True)


@SQLITE
def test_a_damaged_file_is_told(home, engine, source):
    """A disk that lies is found before the backup is overwritten."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    engine.dispose()
    path = home.data_dir.parent / "tributary.db"
    with open(path, "r+b") as file:
        for page in range(8, os.path.getsize(path) // 4096, 2):
            file.seek(page * 4096)
            file.write(b"\xff" * 4096)
    found, result = examine(home)
    assert result.exit_code == 1
    assert checkup.PROBLEM in {found[name].status for name in ("File", "Database", "Server") if name in found}


def test_events_that_wait_too_long_are_told(home, engine, source):
    """When nobody works, doctor names the source, the number and the age."""
    with begin(engine) as connection:
        factories.event(connection, source, state=PENDING, received_at=now())
    assert examine(home)[0]["Pending events"].status == checkup.OK
    put(engine, update(Event).values(received_at=now() - 5 * MINUTE))
    found = examine(home)[0]["Pending events"]
    assert (found.status, "1 event waiting" in found.message) == (checkup.WARNING, True)
    put(engine, update(Event).values(received_at=now() - 30 * MINUTE))
    found = examine(home)[0]["Pending events"]
    assert (found.status, found.message) == (
        checkup.PROBLEM,
        "Production: 1 event waiting, the oldest for 30 min.",
    )
    put(engine, update(Source).values(pause="keep"))
    assert "is paused" in examine(home)[0]["Pending events"].message


def test_events_that_failed_are_told(home, engine, source):
    """A parked event is kept; doctor says where, and what may bring it in."""
    with begin(engine) as connection:
        factories.event(connection, source, state=PARKED)
    found = examine(home)[0]["Failed events"]
    assert (found.status, "source rebuild ds_" in found.fix) == (checkup.WARNING, True)
    put(engine, update(Source).values(failing_since=now() - 5 * MINUTE))
    assert examine(home)[0]["Failed events"].status == checkup.PROBLEM


def test_long_work_that_says_nothing_is_told(home, engine, source):
    """A re-sync whose worker died is named with the command that goes on with it."""
    with begin(engine) as connection:
        factories.make(
            connection,
            Sync,
            source_id=source,
            kind="resync",
            state="running",
            created_at=now() - 9 * MINUTE,
            heartbeat_at=now() - MINUTE // 2,
            result={},
        )
    assert examine(home)[0]["Long work"].message == "1 under way."
    put(engine, update(Sync).values(heartbeat_at=now() - 5 * MINUTE))
    found = examine(home)[0]["Long work"]
    assert found.status == checkup.PROBLEM
    assert "has said nothing for 5 min" in found.message
    assert "source resync ds_" in found.fix


def test_counts_that_do_not_agree_are_told(home, engine, source):
    """A number on a page that is wrong is found before somebody counts by hand."""
    with begin(engine) as connection:
        customer = factories.customer(connection, source, "org_1", contacts=1)
        factories.contact(connection, source, customer)
    assert examine(home)[0]["Contact counts"].status == checkup.OK
    put(engine, update(Customer).values(contacts=7))
    found = examine(home)[0]["Contact counts"]
    assert found.message == "Production: customers whose number of contacts is not what it says: 1."
    assert found.fix == "flask --app wsgi mend"


def test_rows_that_a_rebuild_left_behind_are_told(home, engine, source):
    """What is not shown is still stored, and somebody may have asked for it to be deleted."""
    with begin(engine) as connection:
        factories.person(connection, source, str(uuid.uuid4()), "u_1")
    assert examine(home)[0]["Generations"].status == checkup.OK
    put(engine, update(Source).values(generation=2))
    assert examine(home)[0]["Generations"].status == checkup.WARNING


def test_a_deletion_that_nobody_ends_is_told(home, engine, source):
    """A hidden source that nothing erases is a promise not kept."""
    put(engine, update(Source).values(state="deleting", name_key=None))
    assert examine(home)[0]["Deletions"].status == checkup.PROBLEM


def test_retention_that_nobody_applies_is_told(home, engine, source):
    """Events that should be gone by now are named."""
    with begin(engine) as connection:
        factories.event(connection, source, received_at=now() - 40 * DAY)
    assert examine(home)[0]["Retention"].status == checkup.OK
    assert examine(replace(home, retention_days=30))[0]["Retention"].status == checkup.WARNING
    assert examine(replace(home, retention_days=40))[0]["Retention"].status == checkup.OK


def test_a_clock_that_was_wrong_is_told(home, engine, source):
    """An event from the future means that times on the pages are not to be trusted."""
    put(engine, update(Source).values(last_event_at=now() + 60 * MINUTE))
    assert examine(home)[0]["Clock"].status == checkup.WARNING


@SQLITE
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"public_url": None, "host": "0.0.0.0"}, checkup.WARNING),
        ({"public_url": "http://127.0.0.1:1"}, checkup.WARNING),
        ({"public_url": "https://127.0.0.1:1"}, checkup.WARNING),
        ({"public_url": None}, checkup.OK),
    ],
)
def test_an_address_that_segment_cannot_use_is_told(home, options, status):
    """Without https, or an answer, events would be lost on the way."""
    assert examine(replace(home, **options))[0]["PUBLIC_URL"].status == status


@SQLITE
def test_the_web_server_is_found_and_an_impostor_is_not_taken_for_it(live_server):
    """Something else on that port would swallow events."""
    found, _ = examine(live_server.settings)
    assert found["Web server"].status == checkup.OK
    assert "not Tributary" in installation.ask(f"{live_server.url}/sign-in?")


@SQLITE
def test_without_a_worker_or_sweeper_somebody_is_told(home, broker):
    """Events would wait until somebody looks."""
    settings = replace(home, redis_url=broker)
    found, result = examine(settings)
    assert result.exit_code == 1
    assert found["Queue"].status == checkup.OK
    assert found["Worker"].status == found["Sweeper"].status == checkup.PROBLEM
    assert "python -m jobs.worker" in found["Worker"].fix


@SQLITE
def test_workers_and_a_sweeper_that_live_are_found(home, engine, broker):
    """A worker counts while it beats, not because it once registered."""
    settings = replace(home, redis_url=broker)
    workers = [make(name, broker) for name in ("events", "syncs")]
    try:
        for each in workers:
            each.register_birth()
            each.heartbeat()
        Sweeper(engine, settings, queue.bell(broker)).round()
        found, result = examine(settings)
        assert result.exit_code == 0, result.output
        assert found["Worker"].status == found["Sweeper"].status == checkup.OK
        with closing(redis.Redis.from_url(broker)) as server:
            server.hset(workers[0].key, "last_heartbeat", "2026-01-01T00:00:00.000000Z")
        assert examine(settings)[0]["Worker"].status == checkup.PROBLEM
    finally:
        for each in workers:
            each.connection.close()


@SQLITE
def test_a_queue_that_is_away_is_told(home):
    """Nothing is lost without it, and doctor says so."""
    found = examine(replace(home, redis_url="redis://127.0.0.1:1/0"))[0]["Queue"]
    assert found.status == checkup.WARNING
    assert "Nothing is lost" in found.message
