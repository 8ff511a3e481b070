"""The catalogue of what comes in and should not: each entry with its answer, and with what is kept of it.

`calls.json` holds calls of the webhook, `pages.json` what addresses and forms are asked with, `markup.json`
what must never run. Encodings, sizes and broken JSON, which are no text, stand in `tests/webhook/bodies.py`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any

from tests.browser.test_every_page import account  # noqa: F401  a fixture
from tests.records.conftest import filling, pair, paying  # noqa: F401  fixtures
from tests.tables.conftest import visit  # noqa: F401  a fixture
from tests.webhook.conftest import line  # noqa: F401  a fixture


def catalogue(name: str) -> dict[str, Any]:
    """The entries of a file, by their kind."""
    entries: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    return entries


def each(entry: Mapping[str, Any], lists: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """What an entry stands for, one by one.

    Args:
        entry: its fields, each one value or a list of them, any of which goes with any other; a field
            `answer` is kept as a list.
        lists: of values, by the names that an entry may say instead of them.
    """
    names = [name for name in entry if name != "answer"]
    values = [
        lists.get(entry[name], entry[name]) if isinstance(entry[name], str) else entry[name] for name in names
    ]
    answer = entry["answer"] if isinstance(entry["answer"], list) else [entry["answer"]]
    for chosen in product(*(value if isinstance(value, list) else [value] for value in values)):
        yield dict(zip(names, chosen, strict=True)) | {"answer": answer}
