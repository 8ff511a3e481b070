"""`source import`: bring an archive of calls into a source, here and now, without a worker."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask, current_app
from sqlalchemy import select

from webapp.cli.output import wrong
from webapp.cli.sources import find_source, group
from webapp.config import Settings
from webapp.domain.calls import Unfit, choose
from webapp.extensions import db
from webapp.models import Import, ImportProblem, Source
from webapp.models.imports import DONE
from webapp.services import projection, sources
from webapp.services.imports import asking, files, running, words

EVERY = 0.5  # seconds between two looks at how far it is
SHOWN = 20  # lines that could not be read which are printed
INTERRUPTED = 130


@group.command("import")
@click.argument("source_id", metavar="ID")
@click.argument(
    "paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option("--from", "first", default="", metavar="DATE", help="Not before this day (UTC): 2026-01-31.")
@click.option("--to", "last", default="", metavar="DATE", help="Not after this day (UTC).")
@click.option("--types", metavar="LIST", help="Types of call, with commas: identify,group,track.")
@click.option("--events", metavar="LIST", help="Names of track calls, with commas; others are left out.")
def import_data(
    source_id: str, paths: tuple[Path, ...], first: str, last: str, types: str | None, events: str | None
) -> None:
    """Import existing calls from files or folders: NDJSON, JSON arrays, gzip, zip and tar of these."""
    source = find_source(source_id)
    try:
        choice = choose(first, last, _listed(types), _listed(events))
        given = files.in_place(paths)
        asked = asking.begin(db.session(), source, given, choice=choice)
    except (Unfit, sources.Refused) as error:
        raise wrong(f"{error} Nothing was imported.") from None
    except OSError as error:
        raise wrong(f"{error.filename} cannot be read: {error.strerror or error}.") from None
    _run(asked.id)
    ended = db.session().get(Import, asked.id)
    if ended is None:
        raise wrong(f"{source_id} was deleted meanwhile.")
    _report(ended)
    if ended.state != DONE:
        raise wrong(words.ended(ended))
    _drain(source)
    if ended.counts.get("unreadable") and not ended.counts.get("read"):
        raise wrong("Nothing in these files could be read.")


def _listed(text: str | None) -> list[str] | None:
    """What stands between commas; None where nothing was given."""
    if text is None:
        return None
    return [part.strip() for part in text.split(",") if part.strip()]


def _run(import_id: int) -> None:
    """Do the import to its end, and say how far it is to whoever watches. Ctrl-C cancels it."""
    settings: Settings = current_app.extensions["settings"]
    db.session().rollback()
    try:
        running.run(db.engine, import_id, settings=settings, stop=_watch(import_id))
    except KeyboardInterrupt:
        asked = db.session().get(Import, import_id)
        if asked is not None:
            asking.cancel(db.session(), asked)
            running.run(db.engine, import_id, settings=settings)
        click.echo(
            "Stopped. What was stored is kept; importing the same files again adds nothing twice.", err=True
        )
        raise SystemExit(INTERRUPTED) from None
    finally:
        if sys.stderr.isatty():
            click.echo("\r\x1b[K", nl=False, err=True)
        db.session().expire_all()


def _watch(import_id: int) -> Callable[[], bool]:
    said = time.monotonic()

    def look() -> bool:
        nonlocal said
        if sys.stderr.isatty() and time.monotonic() - said >= EVERY:
            said = time.monotonic()
            with db.engine.connect() as connection:
                query = select(Import.done, Import.total, Import.counts).where(Import.id == import_id)
                row = connection.execute(query).one()
            share = row.done * 100 // row.total if row.total else 0
            stored, read = row.counts.get("stored", 0), row.counts.get("read", 0)
            click.echo(f"\r\x1b[K{share} %, {read:,} calls read, {stored:,} stored", nl=False, err=True)
        return False

    return look


def _report(ended: Import) -> None:
    for label, text in words.report(ended):
        click.echo(f"{label + ':':<24} {text}")
    wanted = select(ImportProblem).where(ImportProblem.import_id == ended.id).order_by(ImportProblem.id)
    problems = db.session().scalars(wanted.limit(SHOWN)).all()
    for problem in problems:
        place = f"{problem.file}, line {problem.line:,}" if problem.line else problem.file
        click.echo(f"  {place}: {problem.reason}")
    more = int(ended.counts.get("unreadable", 0)) - len(problems)
    if problems and more > 0:
        click.echo(f"  and {more:,} more")


def _drain(source: Source) -> None:
    """Fold what was stored, as a worker would; a paused source keeps it waiting."""
    if source.pause:
        click.echo("The source is paused: what was stored waits until it is resumed.")
        return
    key = source.id
    db.session().rollback()
    drained = projection.drain(db.engine, key, settings=current_app.extensions["settings"])
    if drained.total:
        click.echo(
            f"Folded:                  {drained.total:,} events: {drained.applied:,} imported, "
            f"{drained.ignored:,} ignored, {drained.parked:,} failed, {drained.duplicates:,} duplicates"
        )


def register(app: Flask) -> None:
    """The command stands in the group `source`, which is added where that is made."""
