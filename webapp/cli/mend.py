"""`mend`: customers and contacts worked out again from what sources tell and people decided."""

from __future__ import annotations

import click
from flask import Flask
from flask.cli import with_appcontext

from webapp.cli.output import OneLineCommand
from webapp.extensions import db
from webapp.services import mending


@click.command("mend", cls=OneLineCommand)
@with_appcontext
def mend() -> None:
    """Put right what doctor found wrong in customers and contacts, and return. Sources go on meanwhile."""
    customers, decisions = mending.mend(db.engine)
    click.echo(f"Customers looked at: {customers:,}. Decisions about nobody, forgotten: {decisions:,}.")


def register(app: Flask) -> None:
    """Add this command to `flask`."""
    app.cli.add_command(mend)
