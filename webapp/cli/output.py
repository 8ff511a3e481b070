"""How commands speak: results on standard output, one clear line on standard error if something is wrong."""

from __future__ import annotations

import re
from typing import Any

import click
from flask.cli import AppGroup

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
LONGEST_GRACE = 30 * 86_400


class OneLine(AppGroup):
    """A group whose commands say in one line what was wrong with how they were called."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command of this group."""
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise wrong(f"{error.format_message()} See: {ctx.command_path} --help") from None


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
