"""`doctor`: what is wrong with this installation, and the fix."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from functools import partial, wraps

import click
import redis
from flask import Flask, current_app
from flask.cli import with_appcontext
from rq.worker import Worker

from jobs import queue
from webapp.cli.output import OneLineCommand, wrong
from webapp.config import Settings
from webapp.extensions import db
from webapp.models import now
from webapp.services import checkup
from webapp.services.checkup import (
    OK,
    PROBLEM,
    WARNING,
    Check,
    Finding,
    database,
    installation,
    records,
    work,
)

COLOURS = {OK: "green", WARNING: "yellow", PROBLEM: "red"}
SILENT = 45.0  # seconds after which a worker that said nothing counts as gone
_WIDTH = 100


@click.command("doctor", cls=OneLineCommand)
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@with_appcontext
def doctor(as_json: bool) -> None:
    """Look at everything once; say what is wrong and how to mend it. It changes nothing."""
    settings: Settings = current_app.extensions["settings"]
    counts = dict.fromkeys((OK, WARNING, PROBLEM), 0)
    for finding in findings(settings):
        counts[finding.status] += 1
        if as_json:
            click.echo(json.dumps(asdict(finding), ensure_ascii=False))
        else:
            _print(finding)
    said = f"{counts[OK]} ok, {_many(counts[WARNING], 'warning')}, {_many(counts[PROBLEM], 'problem')}."
    if not as_json:
        click.echo(f"\n{said}")
    if counts[PROBLEM]:
        raise wrong(f"{_many(counts[PROBLEM], 'problem')} found.")


def findings(settings: Settings) -> Iterator[Finding]:
    """Everything that doctor looks at, in the order in which it is best mended."""
    yield from checkup.run(
        partial(check, settings)
        for check in (installation.data_directory, installation.disk_space, installation.secret_key)
    )
    away = database.reachable(settings, db.engine)
    if away is not None:
        yield away
    else:
        yield from _of_database(settings)
    yield from checkup.run(
        partial(check, settings) for check in (workers, installation.web_server, installation.public_url)
    )


def _of_database(settings: Settings) -> Iterator[Finding]:
    yield from checkup.run((_asking(database.server),))
    migrated = list(checkup.run((_asking(database.migrations),)))
    yield from migrated
    if any(finding.status == PROBLEM for finding in migrated):
        return  # the other questions are about tables that may not be there
    checks = (
        database.clock,
        work.pending_events,
        work.failed_events,
        work.long_work,
        records.customers,
        records.contacts,
        records.decisions,
        records.generations,
        records.deletions,
        work.administrators,
    )
    yield from checkup.run(_asking(check) for check in checks)
    yield from checkup.run(_asking(check, settings) for check in (work.webhook_urls, work.retention))


def _asking(check: Callable[..., Iterable[Finding]], *before: Settings) -> Check:
    """A check with a connection of its own: on PostgreSQL one that failed would spoil it for the others."""

    @wraps(check)
    def ask() -> list[Finding]:
        with db.engine.connect() as connection:
            return list(check(*before, connection))

    return ask


def workers(settings: Settings) -> Iterator[Finding]:
    """Whether the queue answers, and whether workers and sweeper live."""
    own = settings.data_dir / "broker.sock"
    url = settings.redis_url or (f"unix://{own}" if own.exists() else None)
    start = "Start Tributary (make run), or set REDIS_URL as it is set for the servers."
    if url is None:
        yield Finding("Queue", WARNING, "There is none: Tributary does not run here.", start)
        return
    try:
        with queue.connect(url, seconds=2.0) as connection:
            version = connection.info("server").get("redis_version", "")
            yield Finding("Queue", OK, f"Answers; it speaks Redis {version}.")
            yield from _listeners(connection)
    except redis.RedisError as error:
        said = f"It does not answer ({type(error).__name__}). Nothing is lost; the sweeper does its work."
        yield Finding("Queue", WARNING, said, start if url.endswith(str(own)) else "Check REDIS_URL.")


def _listeners(connection: redis.Redis) -> Iterator[Finding]:
    alive: dict[str, int] = {queue.EVENTS: 0, queue.SYNCS: 0}
    for worker in Worker.all(
        connection=connection, job_class=queue.AllowedJob, serializer=queue.JSONSerializer
    ):
        heard = worker.last_heartbeat
        if heard is not None and now() / 1_000_000 - heard.timestamp() < SILENT:
            for name in worker.queue_names():
                alive[name] = alive.get(name, 0) + 1
    for name, what in ((queue.EVENTS, "events"), (queue.SYNCS, "syncs")):
        waiting = queue.queue(name, connection).count
        if alive[name]:
            yield Finding("Worker", OK, f"{alive[name]} for {what}; {_many(waiting, 'job')} waiting.")
        else:
            said = f"None for {what}; {_many(waiting, 'job')} waiting. The sweeper only rings for one."
            yield Finding("Worker", PROBLEM, said, f"Start one: python -m jobs.worker {what}")
    if connection.exists(queue.alive("sweeper")):
        yield Finding("Sweeper", OK, "Had a round in the last two minutes.")
    else:
        said = "Had no round in the last two minutes, so what a wake-up missed stays missed."
        yield Finding("Sweeper", PROBLEM, said, "Start it: python -m jobs.sweeper")


def _print(finding: Finding) -> None:
    lines = textwrap.wrap(finding.message, _WIDTH - 26) or [""]
    click.secho(f"{finding.status:<9}", fg=COLOURS[finding.status], nl=False)
    click.echo(f"{finding.check:<17}{lines[0]}")
    if finding.fix:
        lines += textwrap.wrap(
            finding.fix,
            _WIDTH - 26,
            initial_indent="-> ",
            subsequent_indent="   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    for line in lines[1:]:
        click.echo(f"{'':26}{line}")


def _many(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def register(app: Flask) -> None:
    """Add this command to `flask`."""
    app.cli.add_command(doctor)
