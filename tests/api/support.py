"""A key, ChartMogul's own client, and plain calls, for tests of the API."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import chartmogul
from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from tests import factories
from tests.conftest import LiveServer
from webapp.database import begin
from webapp.models import User
from webapp.models.api_key import WRITE
from webapp.services import api_keys

ADMIN = "ada@example.com"
_names = count(1)


def make_key(engine: Engine, scope: str = WRITE) -> str:
    """A key; somebody who may sign in made it."""
    with begin(engine) as connection:
        by = connection.scalar(select(User.id).where(User.email == ADMIN))
        person = {"email": ADMIN, "name": "Ada", "password_hash": "-", "role": "administrator"}
        by = by or factories.make(connection, User, created_at=factories.SOME_DAY, **person)
    with Session(engine) as session:
        return api_keys.make(session, f"Key {next(_names)}", scope, by)


def config(server: LiveServer, key: str) -> chartmogul.Config:
    """What ChartMogul's client needs to call a server of ours."""
    made = chartmogul.Config(key, max_retries=0)
    made.uri = f"{server.url}/v1"
    return made


def call(
    client: FlaskClient, key: str | None, verb: str, path: str, body: Any = None, raw: bytes | None = None
) -> TestResponse:
    """One call with a key; the body as JSON, or just as it is."""
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    auth = (key, "") if key is not None else None
    return client.open(f"/v1{path}", method=verb, data=data, auth=auth, content_type="application/json")


class Caller:
    """Plain calls with one key, whose answers are what is looked at."""

    def __init__(self, client: FlaskClient, key: str) -> None:
        self.client = client
        self.key = key

    def __call__(self, verb: str, path: str, body: Any = None, status: int = 200) -> Any:
        """Call, hold the status of the answer, and give what it holds."""
        answer = call(self.client, self.key, verb, path, body)
        assert answer.status_code == status, answer.text
        return answer.json if answer.data else None

    def source(self, name: str = "Billing") -> str:
        """A billing source; its uuid."""
        return str(self("POST", "/data_sources", {"name": name}, 201)["uuid"])

    def customer(self, source: str, external_id: str, **told: Any) -> str:
        """A customer; its uuid."""
        body = {"data_source_uuid": source, "external_id": external_id, **told}
        return str(self("POST", "/customers", body, 201)["uuid"])

    def subscription(self, customer: str, source: str, external_id: str, **told: Any) -> str:
        """A subscription that has been running for a while; its uuid."""
        body = {"data_source_uuid": source, "external_id": external_id, "amount_in_cents": 1000}
        body |= {"currency": "EUR", "start_date": "2024-01-01"} | told
        return str(self("POST", f"/customers/{customer}/subscriptions", body, 201)["uuid"])
