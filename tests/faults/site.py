"""An installation of real programs, each started by itself, so that a test can take any of them away."""

from __future__ import annotations

import http.client
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy import Engine, func, select

from tests import factories, programs
from tests.conftest import environment_of, free_port
from tests.faults.asking import ask
from tests.faults.sender import until
from tests.programs import Program
from tests.webhook.conftest import add_url
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event
from webapp.models.event import PENDING


@dataclass
class Site:
    """One installation, nothing of which runs yet.

    Attributes:
        engine: to look into its database with.
        settings: what its programs get by their environment; a test may put a proxy in here first.
        fresh: the database of another, empty installation, to compare with.
        source_id: of a source whose policy is `user`.
        token: of that source's URL.
        programs: all that were started.
    """

    engine: Engine
    settings: Settings
    fresh: Engine
    source_id: int
    token: str
    programs: list[Program] = field(default_factory=list)

    @property
    def address(self) -> tuple[int, str]:
        """(port, path) of the source's URL."""
        return self.settings.port, f"/webhooks/segment/{self.token}"

    def start(self, *command: str, **environment: str) -> Program:
        """Start `python -m <command>`, in a process group of its own that ends with the test."""
        program = programs.start(command, environment_of(self.settings) | environment, self.log)
        self.programs.append(program)
        return program

    def serve(self, port: int | None = None, **environment: str) -> Program:
        """Start a web server, and wait until it answers."""
        port = port or self.settings.port
        program = self.start("jobs.web", **environment | {"PORT": str(port)})
        until(lambda: answers(port), "the web server answers")
        return program

    def pending(self, source_id: int | None = None) -> int:
        """How many events of a source wait."""
        source_id = source_id or self.source_id
        waiting = select(func.count()).where(Event.source_id == source_id, Event.state == PENDING)
        with self.engine.connect() as connection:
            return connection.scalar(waiting) or 0

    def work(self) -> tuple[Program, Program]:
        """Start a worker for events and the sweeper, which finds what nobody rang for."""
        return self.start("jobs.worker", "events"), self.start("jobs.sweeper")

    def folded(self) -> int:
        """How many events of the site's own source have their outcome."""
        done = select(func.count()).where(Event.source_id == self.source_id, Event.state != PENDING)
        with self.engine.connect() as connection:
            return connection.scalar(done) or 0

    @property
    def log(self) -> Path:
        """What the programs print, for who looks why a test failed."""
        return self.settings.data_dir / "programs.log"

    def close(self) -> None:
        """End what still runs, at once."""
        for program in self.programs:
            program.kill()


def make(engine: Engine, settings: Settings, fresh: Engine, redis_url: str | None) -> Site:
    """A site on a test's database.

    Args:
        redis_url: of the queue's server; None: without one.
    """
    with begin(engine) as connection:
        source_id = factories.source(connection)
        token = add_url(connection, source_id)
    settings = replace(settings, port=free_port(), redis_url=redis_url, testing=False)
    return Site(engine, settings, fresh, source_id, token)


def answers(port: int) -> bool:
    """Whether a web server answers there; its socket is open before it does."""
    try:
        return ask("GET", port, "/healthz")[0] == 200
    except (OSError, http.client.HTTPException):
        return False


def is_frozen(pid: int) -> bool:
    """Whether a process was stopped and waits to be told to go on."""
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "T"


def children(pid: int) -> list[int]:
    """Processes that a process has started and that still run."""
    found: list[int] = []
    with suppress(FileNotFoundError, ProcessLookupError):  # it has ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has ended since it was listed
                found += map(int, (thread / "children").read_text().split())
    return found
