"""`source mapping`: where a source's traits and properties go, printed or set from a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
from flask import Flask

from webapp.cli.output import wrong
from webapp.cli.sources import find_source, group
from webapp.domain.mapping import without_authors
from webapp.extensions import db
from webapp.services import mapping
from webapp.services.sources import Refused, only_segment

LARGEST = 4 * 1024 * 1024


@group.command("mapping")
@click.argument("source_id", metavar="ID")
@click.option(
    "--file",
    "path",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    help="A mapping as this command prints it; - reads standard input.",
)
def show_or_set(source_id: str, path: Path | None) -> None:
    """Print the mapping that is chosen, as JSON; with --file choose another, which a rebuild applies."""
    source = find_source(source_id)
    try:
        only_segment(source)
        if path is None:
            click.echo(json.dumps(without_authors(source.mapping), ensure_ascii=False, indent=2))
            return
        changed = mapping.replace(db.session(), source, _document(path))
    except Refused as refused:
        raise wrong(f"{refused} Nothing was changed.") from None
    click.echo("Saved." if changed else "It was that already.")
    if source.needs_rebuild:
        click.echo(f"The tables and new events follow it after a rebuild: source rebuild {source.public_id}")


def _document(path: Path) -> Any:
    try:
        with click.open_file(str(path), "rb") as file:
            text = file.read(LARGEST + 1)
    except OSError as error:
        raise wrong(f"{path} cannot be read: {error.strerror or error}.") from None
    if len(text) > LARGEST:
        raise wrong(f"{path} is larger than any mapping.")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise wrong(f"{path} is not JSON. Nothing was changed.") from None
    if not isinstance(document, dict):
        raise wrong(f"{path} is no mapping: it is no JSON object. Nothing was changed.")
    return document


def register(app: Flask) -> None:
    """The command stands in the group `source`, which is added where that is made."""
