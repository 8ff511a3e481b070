"""Workers and the sweeper, on a real queue."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Engine, func, select

from jobs import queue
from jobs.queue import Bell
from tests import programs
from tests.conftest import environment_of
from tests.programs import Program
from tests.projection.support import receive
from tests.webhook.conftest import eventually
from webapp.config import Settings
from webapp.models import Event
from webapp.models.event import PENDING


@pytest.fixture
def queued(settings: Settings, broker: str) -> Settings:
    """Settings of an installation with a real queue."""
    return replace(settings, redis_url=broker, testing=False)


@pytest.fixture
def bell(broker: str) -> Bell:
    """A bell of the test's own, with a breaker of its own."""
    return Bell(broker)


Start = Callable[..., Program]


@pytest.fixture
def start(queued: Settings) -> Iterator[Start]:
    """Starts a program, `python -m <module> <arguments>`, in a process group of its own."""
    running: list[Program] = []

    def begin_program(*command: str, **environment: str) -> Program:
        log = queued.data_dir / "programs.log"
        running.append(programs.start(command, environment_of(queued) | environment, log))
        return running[-1]

    yield begin_program
    for program in running:
        program.kill()


def add_events(engine: Engine, source_id: int, count: int, first: int = 0) -> None:
    """Put events into a source's inbox, each of a user of its own."""
    body = b'{"type":"identify","messageId":"m%d","userId":"u%d","traits":{"email":"u%d@example.com"}}'
    receive(engine, source_id, [body % (number, number, number) for number in range(first, first + count)])


def states(engine: Engine) -> dict[int, int]:
    """How many events are in each state."""
    with engine.connect() as connection:
        rows: Any = connection.execute(select(Event.state, func.count()).group_by(Event.state))
        return dict(rows.tuples().all())


def all_drained(engine: Engine, seconds: float = 60) -> bool:
    """Whether nothing is pending any more, soon."""
    return eventually(lambda: PENDING not in states(engine), seconds)


def waiting_jobs(bell: Bell) -> dict[str, list[int]]:
    """Arguments of what waits, per queue."""
    return {
        name: [job.args[0] for job in queue.queue(name, bell._connection).jobs]
        for name in (queue.EVENTS, queue.SYNCS)
    }
