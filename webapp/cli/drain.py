"""`drain`: fold everything that waits, here and now, without a queue."""

from __future__ import annotations

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from webapp.cli.output import OneLineCommand
from webapp.extensions import db
from webapp.services import projection, upkeep


@click.command("drain", cls=OneLineCommand)
@with_appcontext
def drain() -> None:
    """Fold all events that wait, of every source that is not paused, and return."""
    done = projection.Drained()
    for source_id in upkeep.waiting(db.engine):
        drained = projection.drain(db.engine, source_id, settings=current_app.extensions["settings"])
        done.applied += drained.applied
        done.ignored += drained.ignored
        done.parked += drained.parked
        done.duplicates += drained.duplicates
    click.echo(
        f"{done.total:,} events folded: {done.applied:,} imported, "
        f"{done.ignored:,} ignored, {done.parked:,} failed, {done.duplicates:,} duplicates."
    )


def register(app: Flask) -> None:
    """Add this command to `flask`."""
    app.cli.add_command(drain)
