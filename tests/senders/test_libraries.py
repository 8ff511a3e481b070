"""The libraries that people really use, pointed at a running Tributary."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update

from jobs.environment import SENDERS
from tests.conftest import LiveServer
from tests.projection.support import count_rows, drain
from tests.sources.support import add_source, change, key
from tests.webhook.conftest import eventually
from webapp.config import Settings
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Contact, Customer, Event, Rejection, WebhookUrl
from webapp.services import sources, tokens

HERE = Path(__file__).parent
LIBRARIES = {
    "segment-analytics-python": ["with_segment.py"],
    "segment-analytics-python, packed": ["with_segment.py", "gzip"],
    "rudder-sdk-python": ["with_rudderstack.py"],
    "@segment/analytics-node": ["with_node.cjs"],
}


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> list[str]:
    """One of the libraries: its program and what is said to it behind host and key."""
    script, *more = LIBRARIES[request.param]
    folder = SENDERS / ("node_modules" if script.endswith("cjs") else "python")
    if not folder.is_dir():
        pytest.skip(f"{request.param} is not installed here: make test installs it")
    return [script, *more]


def send(library: list[str], host: str, write_key: str) -> str:
    """Run a program that sends; what it says went wrong."""
    script, *more = library
    done = subprocess.run(
        [_runner(script), str(HERE / script), host, write_key, *more],
        env=os.environ
        | {
            "PYTHONPATH": str(SENDERS / "python"),
            "NODE_PATH": str(SENDERS / "node_modules"),
            "NO_PROXY": "*",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def _runner(script: str) -> str:
    if script.endswith(".py"):
        return sys.executable
    from playwright._impl._driver import compute_driver_executable

    return str(compute_driver_executable()[0])  # a node that every test run has


def write_key_of(app: Flask, public_id: str) -> str:
    """A source's write key, as the settings page shows it."""
    with app.app_context():
        source = sources.find(db.session(), public_id)
        assert source is not None
        row = sources.live_url(db.session(), source, "key")
        assert row is not None
        assert row.token_sealed is not None
        found = tokens.unseal(app.extensions["settings"].secret_key, row.token_sealed)
    assert found is not None
    return found


def counted(engine: Engine) -> list[tuple[int, str]]:
    """What calls were turned away for."""
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(select(Rejection.status, Rejection.reason))]


def stored(engine: Engine) -> list[dict]:
    """All events, read."""
    with engine.connect() as connection:
        return [json.loads(body) for body in connection.scalars(select(Event.body).order_by(Event.id))]


def test_what_a_library_sends_becomes_customers_and_contacts(
    app: Flask, engine: Engine, settings: Settings, live_server: LiveServer, library: list[str]
) -> None:
    """Six calls over the library's own protocol: all stored, three imported, three ignored with a reason."""
    public_id, _ = add_source(app, policy="company")
    write_key = write_key_of(app, public_id)
    assert send(library, live_server.url, write_key) == ""
    events = stored(engine)
    assert Counter(event["type"] for event in events) == Counter(
        ["identify", "group", "track", "page", "screen", "alias"]
    )
    assert write_key not in json.dumps(events)
    done = drain(engine, settings, key(app, public_id))
    assert (done.applied, done.ignored, done.parked) == (3, 3, 0)
    with engine.connect() as connection:
        customer = connection.execute(select(Customer.__table__)).one()
        contact = connection.execute(select(Contact.__table__)).one()
    assert (customer.external_id, customer.name, customer.website_url) == (
        "acme",
        "Acme",
        "https://acme.example",
    )
    assert customer.custom == {"employees": 12}
    assert (contact.user_id, contact.email, contact.first_name) == ("ada", "ada@example.com", "Ada")
    assert contact.custom == {"plan": "pro", "seats": 3, "report": "Weekly"}
    assert contact.customer_id == customer.id


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_library_with_a_wrong_key_gives_up_and_says_why(
    app: Flask, engine: Engine, live_server: LiveServer, library: list[str]
) -> None:
    """401 in the form that libraries read: no call is repeated, and the application's log has the reason."""
    add_source(app)
    said = send(library, live_server.url, "nobody's")
    assert "401" in said
    if library[0].endswith(".py"):  # Node's tells the status alone
        assert "unauthorized: the write key is unknown, or has been replaced" in said
    assert count_rows(engine, Event) == 0


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_paused_source_keeps_what_a_library_sends(
    app: Flask, engine: Engine, settings: Settings, live_server: LiveServer, library: list[str]
) -> None:
    """Received and kept: nothing is applied before the source is resumed, and everything after."""
    public_id, _ = add_source(app, policy="company")
    source_id = key(app, public_id)
    change(engine, source_id, pause="keep")
    assert send(library, live_server.url, write_key_of(app, public_id)) == ""
    assert drain(engine, settings, source_id).total == 0
    assert (count_rows(engine, Event, Event.state == 0), count_rows(engine, Customer)) == (6, 0)
    change(engine, source_id, pause="")
    assert drain(engine, settings, source_id).total == 6
    assert count_rows(engine, Customer) == 1


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_library_whose_key_has_ended_is_counted(
    app: Flask, engine: Engine, live_server: LiveServer, library: list[str]
) -> None:
    """Whoever regenerated the key sees that something still sends with the old one."""
    public_id, _ = add_source(app)
    write_key = write_key_of(app, public_id)
    with begin(engine) as connection:
        ended = update(WebhookUrl).where(WebhookUrl.kind == "key")
        connection.execute(ended.values(replaced_at=1, ends_at=1))
    assert "401" in send(library, live_server.url, write_key)
    assert eventually(lambda: counted(engine) == [(401, "the write key is unknown, or has been replaced")])
