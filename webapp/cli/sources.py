"""`source ...`: what the pages of a source offer, for scripts. Long work needs no worker: it is done here."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import click
from flask import Flask, current_app
from sqlalchemy.orm import Session

from webapp.cli.output import OneLine, seconds, wrong
from webapp.config import Settings
from webapp.extensions import db
from webapp.models import Source, Sync, WebhookUrl
from webapp.models.source import KEY, POLICIES, URL
from webapp.services import export, long_work, source_summary, sources, sync_log, syncs, tokens

group = OneLine("source", help="Sources: add, list, change, re-sync, export, delete.")


@group.command("add")
@click.option("--name", required=True, help="Its name; no other source may have it.")
@click.option("--policy", required=True, metavar="user|company", help="When a company is created.")
def add(name: str, policy: str) -> None:
    """Add a Segment source; prints its id, webhook URL and write key as JSON."""
    token = tokens.make_token()
    try:
        source = sources.add(_session(), _settings(), name, policy, token)
    except sources.Refused as refused:
        raise wrong(str(refused)) from None
    key = sources.live_url(_session(), source, KEY)
    _print_secrets(source, webhook_url=_url(token), write_key=_unsealed(key))


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def list_sources(as_json: bool) -> None:
    """List the sources with what they are doing."""
    rows = [_row(summary) for summary in source_summary.every(_session(), most=source_summary.ALL)]
    if as_json:
        for row in rows:
            click.echo(json.dumps(row, ensure_ascii=False))
    elif rows:
        lines = [[str(value) for value in row.values()] for row in rows]
        lines.insert(0, [name.replace("_", " ") for name in rows[0]])
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        for line in lines:
            click.echo(
                "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
            )
    else:
        click.echo("There are no sources yet. Add one: source add --name NAME --policy user|company")


@group.command("policy")
@click.argument("source_id", metavar="ID")
@click.argument("policy", metavar="user|company")
def change_policy(source_id: str, policy: str) -> None:
    """Save another policy; a re-sync then applies it."""
    source = find_source(source_id)
    try:
        changed = sources.change_policy(_session(), source, policy)
    except sources.Refused as refused:
        raise wrong(str(refused)) from None
    click.echo(f"Saved: {POLICIES[policy]}." if changed else f"It was that already: {POLICIES[policy]}.")
    if source.needs_resync:
        click.echo(f"The tables change with a re-sync: source resync {source.public_id}")


@group.command("regenerate")
@click.argument("source_id", metavar="ID")
@click.option("--grace", default="0", metavar="TIME", help="How long the old one still works: 24h, 1h, 0.")
@click.option("--write-key", "is_key", is_flag=True, help="The write key, instead of the webhook URL.")
def regenerate(source_id: str, grace: str, is_key: bool) -> None:
    """Make a new webhook URL or write key and end the old one; prints id and the new one as JSON."""
    source = find_source(source_id)
    kind, length = KEY if is_key else URL, seconds(grace)
    try:
        token = sources.regenerate(_session(), _settings(), source, length, kind=kind)
    except sources.Refused as refused:
        raise wrong(str(refused)) from None
    _print_secrets(source, **({"write_key": token} if is_key else {"webhook_url": _url(token)}))


@group.command("resync")
@click.argument("source_id", metavar="ID")
def resync(source_id: str) -> None:
    """Apply the policy to everybody who is known already; returns when that is done."""
    _work(source_id, "resync")


@group.command("rebuild")
@click.argument("source_id", metavar="ID")
def rebuild(source_id: str) -> None:
    """Fold the whole inbox again; returns when that is done."""
    _work(source_id, "rebuild")


@group.command("delete")
@click.argument("source_id", metavar="ID")
@click.option("--yes", is_flag=True, help="It is permanent, and you mean it.")
def delete(source_id: str, yes: bool) -> None:
    """Delete a source with everything that came from it; returns when nothing of it is left."""
    source = find_source(source_id, sources.find_any)
    if not yes:
        raise wrong("Deleting a source is permanent and nothing was deleted. Add --yes to delete it.")
    key, name = source.id, source.name
    _run(long_work.delete(_session(), source))
    if _session().get(Source, key) is not None:
        raise wrong(f"{name} is closed and hidden, but its erasure did not end. Run this command again.")
    click.echo(f"Deleted {name}.")


@group.command("export")
@click.argument("source_id", metavar="ID")
@click.option(
    "--out", required=True, metavar="DIR", type=click.Path(path_type=Path), help="Where the files go."
)
def export_files(source_id: str, out: Path) -> None:
    """Write customers.csv and contacts.csv."""
    source = find_source(source_id)
    try:
        written = export.write(db.engine, source.id, out)
    except OSError as error:
        raise wrong(f"{out} cannot be written: {error.strerror or error}.") from None
    sources.exported(_session(), source)
    for path in written:
        click.echo(str(path))


def _work(source_id: str, kind: str) -> None:
    """Do a re-sync or a rebuild to its end, after whatever else is under way."""
    fits = False
    while not fits:
        try:
            asked = long_work.begin(_session(), find_source(source_id), kind)
        except sources.Refused as refused:
            raise wrong(str(refused)) from None
        is_new, fits = asked.is_new, asked.fits
        ended = _session().get(Sync, _run(asked.sync))
        if ended is None:
            raise wrong(f"{source_id} was deleted meanwhile.")
        said = _in_words(ended, is_new)
        if fits and ended.state != "done":
            raise wrong(said)
        click.echo(said)


def _in_words(ended: Sync, is_new: bool) -> str:
    name = sync_log.NAMES[ended.kind] + ("" if is_new else ", under way already")
    said = f"{name}: {sync_log.state_in_words(ended).lower()}."
    return " ".join(part for part in (said, sync_log.result_in_words(ended)) if part)


def _run(sync: Sync) -> int:
    """Do long work to its end; its id."""
    key = sync.id
    # A reader in the middle of something would keep what was erased in SQLite's write-ahead log.
    _session().rollback()
    syncs.run(db.engine, key, settings=_settings())
    _session().expire_all()
    return key


def _row(summary: source_summary.Summary) -> dict[str, str | int]:
    source = summary.source
    return {
        "id": source.public_id,
        "name": source.name,
        "policy": source.policy,
        "status": summary.status,
        "events_24h": summary.events_24h,
        "customers": summary.customers.number,
        "contacts": summary.contacts.number,
        "failed_events": summary.failed.number,
    }


def _print_secrets(source: Source, **secrets: str | None) -> None:
    click.echo(json.dumps({"id": source.public_id} | secrets))


def _url(token: str) -> str:
    settings = _settings()
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return tokens.webhook_url(token, settings.public_url or f"http://{host}:{settings.port}")


def _unsealed(key: WebhookUrl | None) -> str | None:
    sealed = key.token_sealed if key is not None else None
    return tokens.unseal(_settings().secret_key, sealed) if sealed is not None else None


def find_source(source_id: str, find: Callable[[Session, str], Source | None] = sources.find) -> Source:
    source = find(_session(), source_id)
    if source is None:
        raise wrong(f"There is no source {source_id}. The ids are printed by: source list")
    return source


def _session() -> Session:
    return db.session()


def _settings() -> Settings:
    found: Settings = current_app.extensions["settings"]
    return found


def register(app: Flask) -> None:
    """Add these commands to `flask`."""
    app.cli.add_command(group)
