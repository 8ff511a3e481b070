"""The catalogue of what comes in and should not: each entry with its answer, and with what is kept of it.

`calls.json` holds calls of the webhook, `pages.json` what addresses and forms are asked with, `markup.json`
what must never run. Encodings, sizes and broken JSON, which are no text, stand in `tests/webhook/bodies.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.accounts.test_access import places, secret  # noqa: F401  fixtures
from tests.tables.conftest import visit  # noqa: F401  a fixture
from tests.webhook.conftest import line  # noqa: F401  a fixture


def catalogue(name: str) -> dict[str, Any]:
    """The entries of a file, by their kind."""
    entries: dict[str, Any] = json.loads((Path(__file__).parent / f"{name}.json").read_text())
    return entries
