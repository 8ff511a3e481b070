"""What tests stand on: both databases, the application, a real queue, a real browser."""

import ctypes.util
import os
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from sqlalchemy import Engine

from jobs import broker as brokers
from tests import cdn, copies, economy, postgres, programs
from webapp import garbage
from webapp.app import create_app
from webapp.config import Settings
from webapp.database import make_engine
from webapp.extensions import db

ROOT = Path(__file__).resolve().parents[1]
SECRET = "a key for tests only, as long as a real one"
IN_CI = bool(os.environ.get("CI"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
CHROMIUM_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
REMEMBERED = pytest.StashKey[Any]()
PATIENCE = 30_000
"""Milliseconds that something in a browser may take on a busy machine."""
LISTENING = "addEventListener('DOMContentLoaded', () => { document.documentElement.dataset.listening = 1; })"

# The same examples in every run; `HYPOTHESIS_PROFILE=explore` looks for new ones.
hypothesis.settings.register_profile("steady", derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=1000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "steady"))


def pytest_configure() -> None:
    """Not when this file is imported: benchmarks do that too, and what they measure is a disk's."""
    economy.keep_files_in_memory()
    economy.keep_compiled_modules()
    economy.compile_once()
    economy.statements_once()
    economy.hash_cheaply()


def pytest_collection_finish() -> None:
    """Only what tests make is looked through for garbage, not all that was imported for them, and seldom."""
    garbage.settle()
    economy.look_for_garbage_seldom()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """In CI everything that tests need is there, so a test that is skipped there is a failure."""
    report = yield
    if IN_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, which CI does not accept: {report.longrepr}"
    return report


@pytest.fixture(autouse=True)
def _nothing_left_open() -> Iterator[None]:
    """Whatever a test connects to a database, in this process, is closed at its end."""
    with economy.connections_closed():
        yield


def settings_for(database_url: str, data_dir: Path) -> Settings:
    """Settings of an installation for one test."""
    data_dir.mkdir(mode=0o700, exist_ok=True)
    return Settings(data_dir=data_dir, database_url=database_url, secret_key=SECRET, testing=True)


def migrate(settings: Settings) -> None:
    """Make the tables, in the way that a real start does."""
    app = create_app(settings)
    with app.app_context():
        try:
            upgrade()
        finally:
            db.engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    folder = tmp_path_factory.mktemp("sqlite")
    migrate(settings_for(f"sqlite:///{folder}/template.db", folder))
    return folder / "template.db"


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[postgres.Server]:
    """A PostgreSQL server for this session."""
    folder = postgres.programs()
    if folder is None:
        pytest.skip("PostgreSQL is not installed here (on Debian: apt-get install postgresql)")
    with postgres.running(folder) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: postgres.Server, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a migrated PostgreSQL database to copy."""
    name = postgres_server.create()
    migrate(settings_for(postgres_server.url(name), tmp_path_factory.mktemp("postgres")))
    return name


@pytest.fixture(scope="session")
def sqlite_originals(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> copies.Originals:
    """What tests on SQLite get copies of."""
    new_folder = partial(tmp_path_factory.mktemp, "filled")
    return copies.Originals(copies.Files(), str(sqlite_template), new_folder, settings_for)


@pytest.fixture(scope="session")
def postgresql_originals(
    postgres_server: postgres.Server, postgres_template: str, tmp_path_factory: pytest.TempPathFactory
) -> copies.Originals:
    """What tests on PostgreSQL get copies of."""
    new_folder = partial(tmp_path_factory.mktemp, "filled")
    return copies.Originals(copies.Served(postgres_server), postgres_template, new_folder, settings_for)


@pytest.fixture
def filling() -> copies.Fill:
    """What makes that with which tests begin that ask for `remembered`: a module or folder says it anew.

    It is done once in a session for each kind of database. Each of these tests gets a copy of what it left,
    which may be some minutes old.
    """
    raise LookupError("tests that ask for `remembered` need a fixture `filling` beside them")


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A migrated database, empty or as `filling` leaves it; each test runs on SQLite and on PostgreSQL.

    A test for which one database is enough says
    `@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)`.
    """
    fill = request.getfixturevalue("filling") if "remembered" in request.fixturenames else None
    originals: copies.Originals = request.getfixturevalue(f"{request.param}_originals")
    made = originals.copy(tmp_path, fill)
    request.node.stash[REMEMBERED] = made.remembered
    yield made.url
    originals.kind.drop(made.name)


@pytest.fixture
def remembered(request: pytest.FixtureRequest, filling: copies.Fill, database_url: str) -> Any:
    """What `filling` gave; whoever asks for this finds the database as that left it."""
    return request.node.stash[REMEMBERED]


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    """Settings of an installation of its own, without a queue."""
    return settings_for(database_url, tmp_path / "data")


@pytest.fixture
def engine(settings: Settings) -> Iterator[Engine]:
    """An engine on the test's database."""
    made = make_engine(settings)
    yield made
    economy.threads_ended()
    made.dispose()


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The dashboard. No context is pushed: a pushed one would keep its session between two requests."""
    made = create_app(settings)
    yield made
    with made.app_context():
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Somebody's browser without JavaScript, not signed in."""
    return app.test_client()


@pytest.fixture(scope="session")
def broker_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real queue server for this session."""
    with brokers.running(tmp_path_factory.mktemp("broker")) as url:
        yield url


@pytest.fixture
def broker(broker_server: str) -> str:
    """URL of a real, empty queue server."""
    with closing(redis.Redis.from_url(broker_server)) as server:
        server.flushall()
    return broker_server


@dataclass(frozen=True)
class LiveServer:
    """A Tributary that listens.

    Attributes:
        url: its address, without a slash at the end.
        settings: what it runs with.
    """

    url: str
    settings: Settings


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment that gives a process these settings."""
    return os.environ | {
        "DATA_DIR": str(settings.data_dir),
        "DATABASE_URL": settings.database_url,
        "SECRET_KEY": settings.secret_key,
        "HOST": settings.host,
        "PORT": str(settings.port),
        "REDIS_URL": settings.redis_url or "",
        "PUBLIC_URL": settings.public_url or "",
    }


@pytest.fixture
def live_server(settings: Settings) -> Iterator[LiveServer]:
    """The real web server, in a process of its own, on the test's database."""
    settings = replace(settings, port=free_port(), testing=False)
    program = programs.start(["jobs.web"], environment_of(settings), settings.data_dir / "web.log")
    server = LiveServer(f"http://127.0.0.1:{settings.port}", settings)
    try:
        _wait_for(server, program)
        yield server
    finally:
        program.stop()


def _wait_for(server: LiveServer, program: programs.Program) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and program.poll() is None:
        try:
            with urllib.request.urlopen(server.url + "/healthz", timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.02)
    raise RuntimeError(f"the web server did not start: {program.log.read_text()}")


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A real browser, for this session, cut off from the network."""
    if CHROMIUM is None or ctypes.util.find_library("atomic") is None:
        pytest.skip("Chromium is not installed here (on Debian: apt-get install chromium libatomic1)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as driver, cdn.running(tmp_path_factory.mktemp("cdn")) as options:
        program = driver.chromium.launch(executable_path=CHROMIUM, args=[*CHROMIUM_OPTIONS, *options])
        yield program
        program.close()


@pytest.fixture
def browser(chromium: Any) -> Iterator[Any]:
    """A fresh profile of a real browser (playwright's BrowserContext), cut off from the network.

    The htmx that pages load from its public address comes from `static/vendor` here; the browser checks the
    page's integrity hash against it all the same.
    """
    context = chromium.new_context(reduced_motion="reduce")
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """A page of a real browser; the test fails when a script fails or the page breaks its own policy.

    What a test does waits until the page's scripts listen, so that a busy machine loses no click.
    """
    made = browser.new_page()
    made.add_init_script(LISTENING)
    made.add_locator_handler(made.locator("html:not([data-listening])"), lambda _: None)
    complaints: list[str] = []
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.on(
        "console",
        lambda message: complaints.append(message.text) if "Security Policy" in message.text else None,
    )
    yield made
    assert not complaints
