"""What a call asks: its body, its pages, and single fields of them, each checked before a service sees it."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from flask import request

from webapp.domain.clock import read_time
from webapp.domain.text import is_email, written
from webapp.domain.wire import decode
from webapp.views.api.answers import ApiError

LONGEST = 1024
"""Characters that a standard attribute keeps."""
LONGEST_ID = 255
MOST_ON_A_PAGE = 200
_TRUE, _FALSE = frozenset({"true", "1"}), frozenset({"false", "0"})
_LARGEST_ID = 2**63 - 1


def body() -> dict[str, Any]:
    """The object that the body holds; `{}` when there is no body.

    Raises:
        ApiError: 400, when it is not JSON or no object.
    """
    raw = request.get_data()
    if not raw.strip():
        return {}
    try:
        value = decode(raw)
    except RecursionError:
        raise ApiError(400, "The body nests too deep. Nothing was changed.") from None
    except ValueError as error:
        where = f" ({error})" if isinstance(error, json.JSONDecodeError) else ""
        raise ApiError(400, f"The body is not JSON{where}. Nothing was changed.") from None
    if not isinstance(value, dict):
        raise ApiError(400, "The body must be a JSON object. Nothing was changed.")
    return value


@dataclass(frozen=True, slots=True)
class Paging:
    """Which page is asked for.

    Attributes:
        size: entries at most.
        after: the id of the last entry of the page before; 0 for the first page.
    """

    size: int
    after: int

    def page(self, name: str, rows: Sequence[Any], entries: Iterable[Any]) -> dict[str, Any]:
        """The answer of a list.

        Args:
            name: under which the entries stand.
            rows: as they were found, one more than the page holds where there are more.
            entries: of the rows on the page, as they are answered.
        """
        shown = self.shown(rows)
        cursor = base64.urlsafe_b64encode(str(shown[-1].id).encode()).decode() if shown else None
        more = len(rows) > len(shown)
        return {name: list(entries), "has_more": more, "per_page": self.size, "cursor": cursor}

    def shown(self, rows: Sequence[Any]) -> Sequence[Any]:
        """The rows that stand on the page."""
        return rows[: self.size]


def paging() -> Paging:
    """The page that `per_page` and `cursor` ask for.

    Raises:
        ApiError: 400, when one of them cannot be read.
    """
    told = request.args.get("per_page", str(MOST_ON_A_PAGE))
    if not (told.isascii() and told.isdigit()) or len(told) > 9 or int(told) == 0:
        raise ApiError(400, f"per_page is a number from 1 to {MOST_ON_A_PAGE}.", "per_page")
    return Paging(min(int(told), MOST_ON_A_PAGE), _after(request.args.get("cursor", "")))


def _after(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor).decode("ascii")
    except (binascii.Error, ValueError):
        text = "?"
    if text and not (text.isdigit() and len(text) < 20 and int(text) <= _LARGEST_ID):
        raise ApiError(400, "This cursor is not one that a list of this API gave out.", "cursor")
    return int(text or 0)


def argument(name: str) -> str | None:
    """A parameter of the address, without NUL; None when it is absent or empty."""
    return written(request.args.get(name, "")) or None


class Reader:
    """Reads fields of an object one by one; what is wrong with any of them is said all at once."""

    def __init__(self, told: Mapping[str, Any], within: str = "") -> None:
        self.told = told
        self.errors: dict[str, str] = {}
        self._within = f"{within}." if within else ""

    def check(self) -> None:
        """Stop when something was wrong.

        Raises:
            ApiError: 422, with what is wrong by field.
        """
        if self.errors:
            raise ApiError(422, errors=self.errors)

    def complain(self, name: str, message: str) -> None:
        """Say what is wrong with a field."""
        self.errors.setdefault(self._within + name, message)

    def text(self, name: str, longest: int = LONGEST) -> str | None:
        """A text, trimmed; None when it is absent, null or blank."""
        value = self.told.get(name)
        if value is None:
            return None
        text = written(value)
        if text is None:
            self.complain(name, f"{name} must be a text.")
        elif len(text) > longest:
            self.complain(name, f"{name} has at most {longest:,} characters; this one has {len(text):,}.")
            return None
        return text or None

    def required(self, name: str, longest: int = LONGEST_ID) -> str:
        """A text that must be there; empty when it is not, which is complained about."""
        text = self.text(name, longest)
        if text is None:
            self.complain(name, f"{name} is required.")
        return text or ""

    def texts(self, names: Iterable[str]) -> dict[str, str | None]:
        """Those of some fields that are told; None clears one."""
        return {name: self.text(name) for name in names if name in self.told}

    def email(self, name: str = "email") -> str | None:
        """An e-mail address."""
        text = self.text(name)
        if text is not None and not is_email(text):
            self.complain(name, f"“{text[:60]}” is no e-mail address.")
            return None
        return text

    def time(self, name: str) -> int | None:
        """An instant in microseconds."""
        value = self.told.get(name)
        if value is None or value == "":
            return None
        instant = read_time(_spaced(value))
        if instant is None:
            self.complain(name, f"{name} must be a time, such as 2026-01-31T12:00:00Z.")
        return instant

    def number(self, name: str) -> Decimal | None:
        """A finite number, as one or as a text."""
        value = self.told.get(name)
        if value is None or value == "":
            return None
        try:
            number = Decimal(written(value) or "x") if not isinstance(value, bool) else Decimal("NaN")
        except ArithmeticError:
            number = Decimal("NaN")
        if not number.is_finite() or abs(number.adjusted()) > 30:
            self.complain(name, f"{name} must be a number.")
            return None
        return number

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds."""
        number = self.number(name)
        if number is None:
            return None
        if number != number.to_integral_value() or not least <= number <= most:
            self.complain(name, f"{name} must be a whole number from {least:,} to {most:,}.")
            return None
        return int(number)

    def truth(self, name: str) -> bool | None:
        """True or false."""
        value = self.told.get(name)
        text = (written(value) or "").lower()
        if value is None or text in _TRUE | _FALSE:
            return None if value is None else text in _TRUE
        self.complain(name, f"{name} must be true or false.")
        return None

    def inner(self, name: str) -> Reader:
        """The fields of an object within; without any when it is absent."""
        value = self.told.get(name)
        if value is not None and not isinstance(value, dict):
            self.complain(name, f"{name} must be an object.")
        found = Reader(value if isinstance(value, dict) else {}, self._within + name)
        found.errors = self.errors
        return found


def _spaced(value: Any) -> Any:
    """A time as ChartMogul's clients write it, `2016-01-15 12:00:00 UTC`, in a form that is read."""
    if isinstance(value, str) and value.rstrip().endswith(" UTC"):
        return value.rstrip().removesuffix(" UTC")
    return value
