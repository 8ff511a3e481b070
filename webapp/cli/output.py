"""How commands speak: results on standard output, one clear line on standard error if something is wrong."""

from __future__ import annotations

import re
from typing import Any

import click
from flask.cli import AppGroup
from sqlalchemy.exc import SQLAlchemyError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_GRACE = 30 * 86_400


DOCTOR = "What is wrong, and the fix: flask --app wsgi doctor"


class _Plain:
    """Says in one line what was wrong with how a command was called, or that the database is."""

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the arguments."""
        try:
            context: click.Context = super().make_context(*args, **extra)  # type: ignore[misc]
        except click.UsageError as error:
            raise _misused(error, error.ctx) from None
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)  # type: ignore[misc]
        except click.UsageError as error:
            raise _misused(error, ctx) from None
        except SQLAlchemyError as error:
            # The error's own text may hold a password, or what people told.
            kind = type(getattr(error, "orig", None) or error).__name__
            raise wrong(f"The database cannot be used ({kind}). {DOCTOR}") from None


class OneLine(_Plain, AppGroup):
    """A group whose commands say in one line what is wrong."""


class OneLineCommand(_Plain, click.Command):
    """A command of its own that says in one line what is wrong."""


def _misused(error: click.UsageError, ctx: click.Context | None) -> click.ClickException:
    path = ctx.command_path if ctx is not None else "flask"
    return wrong(f"{error.format_message()} See: {path} --help")


def wrong(message: str) -> click.ClickException:
    """The error that ends a command with `message` on standard error and exit status 1."""
    return click.ClickException(message)


def seconds(text: str) -> int:
    """A length of time as people write it: `24h`, `90m`, `2d`, `0`.

    Raises:
        click.ClickException: it is none, or longer than 30 days.
    """
    found = re.fullmatch(r"(\d{1,9})([smhd]?)", text.strip().lower())
    if not found or (not found[2] and int(found[1])):
        raise wrong(f"{text!r} is no length of time. Write it as 24h, 90m, 2d or 0.")
    length = int(found[1]) * _UNITS[found[2] or "s"]
    if length > LONGEST_GRACE:
        raise wrong(f"{text!r} is too long; the most is 30d.")
    return length
