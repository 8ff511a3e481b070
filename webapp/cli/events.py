"""`events send`: post an archive of events to a webhook as Segment would, and say what became of each."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click
from flask import Flask

from webapp.cli.output import OneLine, seconds, wrong
from webapp.services.archives import Archive, Shape
from webapp.services.post import Address, BadAddress
from webapp.services.sender import Manner, Report, Sender

group = OneLine("events", help="Events: send an archive of them.")

EVERY = 0.5  # seconds between two looks at how far it is
EVERY_LINE = 30.0  # seconds between two lines where nobody watches
INTERRUPTED = 130


@group.command("send")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--to", required=True, metavar="URL", help="The webhook URL; - reads it from standard input.")
@click.option("--for", "patience", default="4h", show_default=True, metavar="TIME", help="Retry for so long.")
@click.option(
    "--connections", default=4, show_default=True, type=click.IntRange(1, 256), help="Requests at once."
)
@click.option(
    "--batch", default=1, show_default=True, type=click.IntRange(1, 100_000), help="Events a request."
)
@click.option("--array", is_flag=True, help='A batch is a bare array instead of {"batch": [...]}.')
@click.option("--gzip", is_flag=True, help="Compress the bodies.")
@click.option("--shuffle", type=int, metavar="SEED", help="Another order than the file's; the same per seed.")
@click.option(
    "--repeat", default=1, show_default=True, type=click.IntRange(1, 1000), help="Send each event so often."
)
@click.option(
    "--timeout", default=10.0, show_default=True, type=click.FloatRange(0.01, 600), help="Seconds a request."
)
@click.option(
    "--backoff",
    default=1.0,
    show_default=True,
    type=click.FloatRange(0.001, 300),
    help="Seconds before the first retry; each further one waits twice as long.",
)
def send(
    file: Path,
    to: str,
    patience: str,
    connections: int,
    batch: int,
    array: bool,
    gzip: bool,
    shuffle: int | None,
    repeat: int,
    timeout: float,
    backoff: float,
) -> None:
    """Send FILE, one event a line, as Segment does: retry what may yet succeed, drop what is refused."""
    manner = Manner(connections, timeout, seconds(patience), backoff, gzip)
    try:
        address = Address.parse(sys.stdin.readline() if to == "-" else to)
        with Archive(file, Shape(batch, array, gzip, shuffle, repeat)) as archive:
            _send(archive, address, manner)
    except BadAddress as error:
        raise wrong(f"{error} Nothing was sent.") from None
    except OSError as error:
        raise wrong(f"{file} cannot be read: {error.strerror or error}.") from None


def _send(archive: Archive, address: Address, manner: Manner) -> None:
    sender, began = Sender(archive, address, manner), time.monotonic()
    sender.start()
    interrupted = False
    try:
        _watch(sender, began)
    except KeyboardInterrupt:
        interrupted = True
        _let_finish(sender, manner)
    _clear_line()
    report = sender.settle()
    for line in in_words(report, time.monotonic() - began):
        click.echo(line)
    if interrupted:
        click.echo(f"Stopped. {_missing(report)} Send the file again: repeats count once.", err=True)
        raise SystemExit(INTERRUPTED)
    if not report.is_complete:
        raise wrong(_missing(report))


def _watch(sender: Sender, began: float) -> None:
    """Show how far it is, until it is done."""
    tty, said = sys.stderr.isatty(), began
    while not sender.wait(EVERY):
        accepted, lost, waiting = sender.counts()
        line = f"{accepted:,} of {sender.report.total:,} accepted, {lost:,} lost, {waiting:,} to be retried"
        if tty:
            click.echo(f"\r\x1b[K{line}", nl=False, err=True)
        elif time.monotonic() - said >= EVERY_LINE:
            said = time.monotonic()
            click.echo(line, err=True)


def _let_finish(sender: Sender, manner: Manner) -> None:
    """After Ctrl-C: what is under way may still be answered. A second Ctrl-C does not wait for that."""
    sender.stop()
    _clear_line()
    click.echo(
        "Stopping: waiting for the answers that are under way. Ctrl-C again to leave at once.", err=True
    )
    try:
        sender.wait(manner.timeout + 1)
    except KeyboardInterrupt:
        return


def _clear_line() -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)


def in_words(report: Report, elapsed: float) -> list[str]:
    """The lines that say what became of the events.

    Args:
        report: of a sender that has ended.
        elapsed: seconds that it took.
    """
    rate = report.accepted / elapsed if elapsed > 0 else 0
    lines = [
        f"Sent:          {report.sent:,} of {report.total:,} events, in {report.requests:,} requests "
        f"and {elapsed:,.1f} s ({rate:,.0f} accepted/s)",
        f"Accepted:      {report.accepted:,}",
        f"Retried:       {report.retries.total():,} requests{_by_reason(report.retries)}",
        f"Dropped:       {report.dropped.total():,}{_by_reason(report.dropped, report.examples)}",
        f"Not delivered: {report.undelivered.total():,}{_by_reason(report.undelivered, report.examples)}",
    ]
    if report.under_way:
        lines.append(f"Sent, but not acknowledged: {report.under_way:,}")
    return lines


def _by_reason(counts: dict[str, int], examples: dict[str, list[int]] | None = None) -> str:
    parts = []
    for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        lines = sorted((examples or {}).get(reason, ()))
        word = "line" if count == 1 else "lines"
        more = ", ..." if len(lines) < count else ""
        named = f" ({word} {', '.join(map(str, lines))}{more})" if lines else ""
        parts.append(f"{count:,} × {reason}{named}")
    return f": {'; '.join(parts)}" if parts else ""


def _missing(report: Report) -> str:
    lost = report.total - report.accepted
    return f"{lost:,} of {report.total:,} events were not accepted." if lost else "Every event was accepted."


def register(app: Flask) -> None:
    """Add these commands to `flask`."""
    app.cli.add_command(group)
