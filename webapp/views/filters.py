"""How pages write numbers, times and attributes: Jinja filters, and two globals every page needs.

Instants come in as integers of microseconds since the epoch, UTC, as everywhere in this project.
"""

from __future__ import annotations

import hashlib
import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from babel.dates import format_timedelta
from flask import Flask, request, url_for
from markupsafe import Markup, escape

from webapp.models.base import now

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
JUST_NOW = timedelta(seconds=3)
SECOND = timedelta(seconds=1)
# Seconds of a year, a month, a week, a day, an hour and a minute, as Babel has them.
_STEPS = (31_536_000, 2_592_000, 604_800, 86_400, 3600, 60)


def number(value: int) -> str:
    """Write a whole number with thousands separated: 5000 is `5,000`."""
    return f"{value:,}"


def money(amount: str) -> str:
    """Write an amount, kept as a plain decimal, with all its decimals, two at least: 1200.5 is `1,200.50`."""
    exact = Decimal(amount)
    places = max(2, -int(exact.as_tuple().exponent))
    return f"{exact:,.{places}f}"


def units(amount: int) -> str:
    """Write an amount that is kept in hundredths: 120050 is `1,200.50`."""
    return f"{Decimal(amount) / 100:,.2f}"


def counted(value: int, one: str, many: str | None = None) -> str:
    """Write a number with its noun: `1 contact`, `5,000 contacts`, `2 companies`.

    Args:
        value: how many.
        one: the noun for one.
        many: the noun for any other number; `one` with an s unless given.
    """
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def instant(us: int) -> datetime:
    """The instant as an aware datetime in UTC; years 1 to 9999."""
    return EPOCH + timedelta(microseconds=us)


def iso(us: int) -> str:
    """Write an instant for machines: `2026-11-24T05:36:12Z`, fractions only when there are any."""
    return instant(us).isoformat().replace("+00:00", "Z")


def exact(us: int) -> str:
    """Write an instant for people, to the second: `24 Nov 2026, 05:36:12 UTC`."""
    at = instant(us)
    return f"{at.day} {at:%b} {at.year}, {at:%H:%M:%S} UTC"


def day(us: int) -> str:
    """A day, where an instant is its beginning in UTC, as billing systems tell it; else the exact instant."""
    return exact(us).removesuffix(", 00:00:00 UTC")


def ago(us: int, at: int | None = None) -> str:
    """Write how long ago an instant is: `just now`, `23m ago`, and `in 2h` for what is to come.

    Args:
        us: the instant.
        at: seen from which instant; from now unless given.
    """
    delta = timedelta(microseconds=us - (now() if at is None else at))
    if abs(delta) < JUST_NOW:
        return "just now"
    seconds = delta // SECOND
    step = next((step for step in _STEPS if abs(seconds) >= step), 1)
    return _in_words(round(seconds / step) * step)


@lru_cache(maxsize=1024)
def _in_words(seconds: int) -> str:
    """A length of time with its direction. A table has hundreds of times, and says few different ones."""
    delta = timedelta(seconds=seconds)
    return format_timedelta(delta, add_direction=True, format="narrow", threshold=1, locale="en")


def duration(seconds: float) -> str:
    """Write a length of time roughly, for "about 2 min left": `2 s`, `14 min`, `3 h`, `2 d`."""
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{round(seconds / size)} {unit}"
    return f"{max(1, round(seconds))} s"


def percent(part: int, whole: int) -> int:
    """How many of a hundred, rounded down, so that 100 is said only when all is done."""
    return 100 if whole <= 0 else max(0, min(100, part * 100 // whole))


def initial(name: str | None) -> str:
    """The letter an avatar shows: the first letter or digit of a name, as a capital."""
    return next((letter for letter in name or "" if letter.isalnum()), "?").upper()[:1]


def weblink(value: str | None) -> str | None:
    """The address to link to for a text from data, or None where no link may be made.

    A bare host (`acme.com/about`) is taken as https. Anything that is not http or https, such as
    `javascript:`, is never a link.
    """
    text = (value or "").strip()
    if not text or any(c.isspace() or ord(c) < 32 for c in text):
        return None
    if "://" not in text and "." in text.split("/")[0] and ":" not in text.split("/")[0]:
        text = "https://" + text
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme.lower() in ("http", "https") and parts.netloc else None


def query(args: dict[str, list[str]]) -> str:
    """Write the arguments of an address: `q=acme&sort=name`."""
    return urlencode(args, doseq=True)


def attrs(values: dict[str, object]) -> Markup:
    """Write HTML attributes from a macro's keyword arguments: `hx_get="/x"` is ` hx-get="/x"`.

    Underscores become dashes. True gives the bare name; False and None give nothing. Values are escaped.
    """
    parts = []
    for name, value in values.items():
        if value is None or value is False:
            continue
        key = escape(name.strip("_").replace("_", "-"))
        parts.append(Markup(" {}").format(key) if value is True else Markup(' {}="{}"').format(key, value))
    return Markup("").join(parts)


@lru_cache(maxsize=256)
def _fingerprint(path: str, changed_ns: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()[:10]


def asset(app: Flask, filename: str) -> str:
    """The URL of a static file, with a fingerprint so that a browser may keep it for ever."""
    path = f"{app.static_folder or 'static'}/{filename}"
    # A page has hundreds of icons, and each of them an address.
    return _static_address(request.script_root, filename, _fingerprint(path, os.stat(path).st_mtime_ns))


@lru_cache(maxsize=256)
def _static_address(_root: str, filename: str, version: str) -> str:
    return url_for("static", filename=filename, v=version)


FILTERS = (
    number,
    money,
    units,
    counted,
    iso,
    exact,
    day,
    ago,
    duration,
    percent,
    initial,
    weblink,
    query,
    attrs,
)


def register(app: Flask) -> None:
    """Give the templates these filters, `asset(filename)`, `brand` and `assets_local`."""
    for function in FILTERS:
        app.jinja_env.filters[function.__name__] = function
    app.jinja_env.globals["asset"] = lambda filename: asset(app, filename)
    settings = app.extensions["settings"]
    app.jinja_env.globals["brand"] = settings.brand_name
    app.jinja_env.globals["assets_local"] = settings.assets == "local"
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
