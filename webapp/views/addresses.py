"""Addresses by the hundred: a page of a table links to each of its rows, and every link bears its view."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from flask import url_for

_PLACE = "0"
# What Flask leaves as it is, so that an address reads the same wherever it was written.
_LEFT = "!$'()*,/:;?@"


def of_records(endpoint: str, name: str) -> Callable[[str], str]:
    """Where records of one kind are, by their public ids; Flask builds the address once for all of them.

    Args:
        endpoint: of one record's page.
        name: of the argument that bears its public id, which ends the address.
    """
    place: dict[str, Any] = {name: _PLACE}
    base = url_for(endpoint, **place).removesuffix(_PLACE)
    return lambda public_id: base + public_id


def with_args(base: str, args: Mapping[str, Sequence[str]]) -> str:
    """An address with arguments behind it, any number of values of each."""
    return f"{base}?{urlencode(args, doseq=True, safe=_LEFT)}" if args else base
