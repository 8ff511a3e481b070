"""`demo`: a source with a few thousand believable events, to look around in."""

from __future__ import annotations

import click
from flask import Flask, current_app
from flask.cli import with_appcontext

from webapp.cli.output import OneLineCommand, wrong
from webapp.config import Settings
from webapp.extensions import db
from webapp.models import Source
from webapp.services import demo, demo_words, source_summary, sources


@click.command("demo", cls=OneLineCommand)
@click.option("--name", default="Demo", show_default=True, help="What the source is called.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Which of the demos.")
@with_appcontext
def make_demo(name: str, seed: int) -> None:
    """Make a source with a few thousand believable events. Doing it twice adds nothing twice."""
    settings: Settings = current_app.extensions["settings"]
    try:
        filled = demo.fill(db.session(), db.engine, settings, name, seed)
    except (sources.Refused, demo.Unfit) as refused:
        raise wrong(str(refused)) from None
    source = db.session().get_one(Source, filled.source_id)
    summary = source_summary.of(db.session(), source)
    click.echo(
        f"{source.name}: {filled.new:,} events stored, {filled.known:,} were there already. It has "
        f"{summary.customers} customers and {summary.contacts} contacts now."
    )
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    base = settings.public_url or f"http://{host}:{settings.port}"
    page = f"{base}/sources/{source.public_id}"
    click.echo(f"\n{page}\n\nWorth a look, while Tributary runs:")
    for line in _sights():
        click.echo(f"  {line}")


def _sights() -> list[str]:
    companies = len(demo_words.COMPANIES)
    return [
        f"Customers  {companies} companies, and newsletter subscribers as customers of their own",
        "Contacts   a visitor who signed up later is one person, with what they told before",
        "Events     what each call became: imported, or ignored and why (page calls, junk ids)",
        "Settings   choose “A user is added to a company”, then Re-sync data: the subscribers wait",
    ]


def register(app: Flask) -> None:
    """Add this command to `flask`."""
    app.cli.add_command(make_demo)
