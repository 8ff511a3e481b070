"""A source with a write key, spoken to as libraries do, and a running Tributary for real ones."""

import base64
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.webhook.conftest import Line, Reply, add_url
from tests.webhook.conftest import line as line  # the fixture
from webapp.database import begin
from webapp.models import WebhookUrl, now
from webapp.services import tokens


@dataclass
class KeyLine:
    """The line of a source, and its write key."""

    line: Line
    key: str

    def send(self, path: str, body: Any, key: str | None = "", **environ: Any) -> Reply:
        """POST to one of the libraries' paths; with the write key as HTTP Basic, another, or (None) none."""
        headers = {} if key is None else {"HTTP_AUTHORIZATION": basic(key or self.key)}
        return self.line.call("POST", path, body, **headers | environ)

    def row(self) -> Any:
        """The row of the key."""
        with self.line.engine.connect() as connection:
            wanted = select(WebhookUrl.__table__).where(
                WebhookUrl.token_digest == tokens.key_digest(self.key)
            )
            return connection.execute(wanted).one()

    def replace(self, grace: int = 0) -> str:
        """Replace the key, with so many seconds of grace; the new one."""
        with begin(self.line.engine) as connection:
            old = update(WebhookUrl).where(WebhookUrl.token_digest == tokens.key_digest(self.key))
            connection.execute(old.values(replaced_at=now(), ends_at=now() + grace * 1_000_000))
            return add_url(connection, self.line.source_id, "key")


def basic(user: str, password: str = "") -> str:
    """The header of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.fixture
def keyed(line: Line) -> KeyLine:
    """The line of a source, with a write key."""
    with begin(line.engine) as connection:
        key = add_url(connection, line.source_id, "key")
    return KeyLine(line, key)
