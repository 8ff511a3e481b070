"""What a monitor asks."""

from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import text

from jobs.queue import Bell, bell
from tests import factories
from webapp.app import create_app
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Sync, Tally, now
from webapp.webhook import mount

ONE_DATABASE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def installed():
    """Makes the application with other settings."""
    made: list[Flask] = []

    def make(settings, **changes):
        made.append(create_app(replace(settings, **changes)))
        return made[-1].test_client()

    yield make
    for app in made:
        with app.app_context():
            db.engine.dispose()
    bell.cache_clear()


def read(answer):
    """The metrics of an answer: `{name with labels: value}`."""
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_a_living_process_says_so(client):
    """What restarts dead processes asks this, and nothing else has to work for it."""
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json) == (200, {"status": "ok"})


def test_ready_needs_the_database_and_only_reports_the_queue(client, settings, installed, broker):
    """A balancer sends requests to whoever can store them; a queue that is away loses nothing."""
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json["database"] == "ok"
    assert answer.json["broker"].startswith("away")
    assert installed(settings, redis_url=broker).get("/readyz").json["broker"] == "ok"


def test_a_database_of_another_version_is_not_ready(client, engine):
    """Code that is newer than its tables must not get requests."""
    with begin(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "another version" in answer.json["database"]


@ONE_DATABASE
def test_a_database_that_is_away_is_not_ready(settings, installed, tmp_path):
    """503, not an error page."""
    answer = installed(settings, database_url=f"sqlite:///{tmp_path}/nowhere/x.db").get("/readyz")
    assert (answer.status_code, answer.json["database"]) == (503, "does not answer")


def test_metrics_tell_what_came_in_and_what_waits(settings, installed, engine, broker):
    """Received, duplicates, pending and its age, outcomes, jobs: enough to be woken for the right thing."""
    with begin(engine) as connection:
        source_id = factories.source(connection, failing_since=now())
        for writer in (1, 2):
            factories.make(
                connection, Tally, source_id=source_id, hour=0, writer=writer, received=5, duplicates=2
            )
        for state in (0, 0, 1, 1, 1, 3):
            factories.event(connection, source_id, state=state, received_at=now() - 60_000_000)
        factories.make(connection, Sync, source_id=source_id, kind="resync", created_at=now(), result={})
    ringing = Bell(broker)
    ringing.count("drained", applied=7, ignored=2, parked=1)
    ringing.count("jobs", drain_done=3, sync_failed=1)
    ringing.ring(source_id)
    told = read(installed(settings, redis_url=broker).get("/metrics"))
    assert told["tributary_events_received_total"] == 10
    assert told["tributary_events_duplicate_total"] == 4
    assert told["tributary_events_pending"] == 2
    assert 59 < told["tributary_events_pending_age_seconds"] < 120
    assert told["tributary_events_parked"] == 1
    assert told["tributary_sources_failing"] == 1
    assert told['tributary_syncs_open{state="queued"}'] == 1
    assert told["tributary_queue_up"] == 1
    assert told['tributary_events_drained_total{outcome="ignored"}'] == 2
    assert told['tributary_jobs_total{outcome="failed",task="sync"}'] == 1
    assert told['tributary_jobs_waiting{queue="tributary-events"}'] == 1


def test_metrics_tell_nothing_of_a_source_that_goes(settings, installed, engine):
    """What waits there waits for nobody, so nobody is woken for it."""
    with begin(engine) as connection:
        stays = factories.source(connection)
        goes = factories.source(connection, "Gone", state="deleting", failing_since=now())
        for source_id, age, number in ((stays, 60, 1), (goes, 6000, 3)):
            received = {"received": number, "duplicates": number}
            factories.make(connection, Tally, source_id=source_id, hour=0, writer=1, **received)
            for state in (0, 3):
                for _ in range(number):
                    at = now() - age * 1_000_000
                    factories.event(connection, source_id, state=state, received_at=at)
    told = read(installed(settings).get("/metrics"))
    for name in ("received_total", "duplicate_total", "pending", "parked"):
        assert told[f"tributary_events_{name}"] == 1, name
    assert 59 < told["tributary_events_pending_age_seconds"] < 120
    assert told["tributary_sources_failing"] == 0


def test_metrics_work_on_an_empty_installation_without_a_queue(client):
    """A monitor that is set up first sees zeros, not an error."""
    told = read(client.get("/metrics"))
    assert told["tributary_events_received_total"] == 0
    assert told["tributary_events_pending_age_seconds"] == 0
    assert told["tributary_queue_up"] == 0


@ONE_DATABASE
def test_answers_of_the_webhook_are_counted_by_status(app):
    """Somebody who posts with an old URL shows in the rate of 403."""
    webhook = mount(app)
    client = app.test_client()
    name = 'tributary_webhook_answers_total{status="403"}'
    before = read(client.get("/metrics")).get(name, 0)
    assert client.post("/webhooks/segment/nobodys", data=b"{}").status_code == 403
    assert read(client.get("/metrics"))[name] == before + 1
    webhook._desk.known._engine.dispose()


@ONE_DATABASE
@pytest.mark.parametrize(
    ("remote", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.1.2.3", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 404),
        ("127.0.0.1", {"Forwarded": "for=127.0.0.1"}, 404),
    ],
)
def test_metrics_are_for_this_machine_alone(client, remote, headers, status):
    """How much a company receives is its own affair; a proxy on this machine does not open it."""
    answer = client.get("/metrics", environ_base={"REMOTE_ADDR": remote}, headers=headers)
    assert answer.status_code == status


@ONE_DATABASE
def test_with_a_token_metrics_want_it_from_everybody(settings, installed):
    """A monitor elsewhere bears the token; being on this machine is not enough then."""
    client = installed(settings, metrics_token="a long token")
    away = {"REMOTE_ADDR": "10.1.2.3"}
    assert client.get("/metrics").status_code == 404
    for given in ("a long token", "Bearer another", "Bearer ä", "Basic a long token"):
        headers = {"Authorization": given.encode("utf-8").decode("latin-1")}
        assert client.get("/metrics", headers=headers).status_code == 404
    headers = {"Authorization": "Bearer a long token"}
    assert client.get("/metrics", headers=headers, environ_base=away).status_code == 200


@ONE_DATABASE
def test_one_object_serves_the_webhook_and_the_pages(app):
    """`wsgi:app` and `flask --app wsgi` name the same application."""
    webhook = mount(app)
    client = app.test_client()
    assert client.get("/webhooks/segment/x").status_code == 405
    assert client.get("/healthz").status_code == 200
    webhook._desk.known._engine.dispose()
