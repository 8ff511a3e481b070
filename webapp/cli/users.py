"""`flask --app wsgi user ...`: accounts from the command line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
from flask import Flask, current_app

from webapp.cli.output import OneLine
from webapp.database import writing
from webapp.extensions import db
from webapp.forms.accounts import is_email
from webapp.models.account import ROLES
from webapp.services import accounts, invitations, passwords
from webapp.services.accounts import AccountError

user = OneLine("user", help="Who may sign in.")


@user.command()
@click.option("--email", required=True, help="Their e-mail address.")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="administrator",
    show_default=True,
    help="What they may do; a viewer changes nothing.",
)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from the first line of standard input."
)
def add(email: str, role: str, password_stdin: bool) -> None:
    """Add somebody: with a password, or by a one-time link that is printed."""
    if not is_email(email.strip()):
        raise click.ClickException(f"{email} does not have the form of an e-mail address. Nobody was added.")
    kept = passwords.hashed(_password_from_stdin()) if password_stdin else None
    with _told():
        if kept is not None:
            added = accounts.add(db.session(), email, role, kept)
            click.echo(f"{added.email} was added as {role}.")
        else:
            _print_link(invitations.invite(db.session(), email, role))


@user.command("list")
def show() -> None:
    """List everybody: e-mail address, role, name."""
    for account in accounts.users(db.session()):
        click.echo("\t".join((account.email, account.role, account.name)))


@user.command()
@click.argument("email")
def link(email: str) -> None:
    """Print a one-time link by which an account gets a new password."""
    with _told():
        _print_link(invitations.reset_link(db.session(), accounts.by_email(db.session(), email).id))


@user.command()
@click.argument("email")
@click.argument("new_role", metavar="ROLE", type=click.Choice(ROLES))
def role(email: str, new_role: str) -> None:
    """Make an account administrator or viewer; its sessions end."""
    with _told():
        changed = accounts.change_role(db.session(), accounts.by_email(db.session(), email).id, new_role)
        click.echo(f"{changed.email} is {changed.role} now.")


@user.command()
@click.argument("email")
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(email: str, yes: bool) -> None:
    """Remove an account; its sessions end."""
    if not yes:
        click.confirm(f"Remove {email}? They are signed out at once.", abort=True)
    with _told():
        click.echo(f"{accounts.remove(db.session(), accounts.by_email(db.session(), email).id)} was removed.")


@contextmanager
def _told() -> Iterator[None]:
    """Write what follows, and tell what cannot be done in one line."""
    try:
        with writing():
            yield
    except AccountError as refused:
        raise click.ClickException(str(refused)) from None


def _password_from_stdin() -> str:
    try:
        password = sys.stdin.readline().rstrip("\r\n")
        password.encode()
    except UnicodeError:
        raise click.ClickException("The password is not UTF-8. Nobody was added.") from None
    least, most = passwords.LEAST_LENGTH, passwords.GREATEST_LENGTH
    if not least <= len(password) <= most:
        raise click.ClickException(
            f"The password must have {least} to {most} characters; this one has {len(password)}. "
            "Nobody was added."
        )
    return password


def _print_link(token: str) -> None:
    address = invitations.address(current_app.extensions["settings"], token)
    click.echo(f"This link works once, for {invitations.LINK_DAYS} days:\n{address}")


def register(app: Flask) -> None:
    """Add these commands."""
    app.cli.add_command(user)
