"""What programs print while asked with secrets and personal data, and while they fail: none of it."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.cookiejar import CookieJar
from typing import Any

import pytest
from bs4 import BeautifulSoup
from sqlalchemy import Engine, select, text, update

from tests import factories, people
from tests.conftest import ROOT
from tests.faults.asking import ask
from tests.faults.sender import until
from tests.faults.site import Site, make
from tests.webhook.conftest import add_url
from webapp.config import Settings
from webapp.database import begin
from webapp.models import Event, Identifier
from webapp.models.event import PARKED
from webapp.security import COOKIE, FORM_COOKIE

EMAIL, OTHER = "canary-mail@example.com", "canary-stranger@example.com"
NAME, BODY, WRONG = "canary-name", "canary-body", "canary-wrong-password"
SIGNING, DATABASE = "canary-signing-secret", "canary-database-password"
KEY_OF_ALL = "canary-secret-key-as-long-as-a-real-one"
TOLD = {"email": OTHER, "name": NAME, BODY: BODY, "age": BODY}
CALL = {"type": "identify", "userId": BODY, "messageId": BODY, "timestamp": BODY, "traits": TOLD}
WHOLE = json.dumps(CALL).encode()
# What is printed when each fault that is provoked here is told of.
TOLD_OF = {
    "POST of accounts.sign_in failed",
    "GET of contacts.index failed",
    "POST of api.create_customer failed",
    "event_parked",
    "sweeper.database_unavailable",
    "program.failed",
}


class Somebody:
    """A browser without scripts, which keeps its cookies and follows nothing."""

    def __init__(self, port: int) -> None:
        self.jar = CookieJar()
        self._base = f"http://127.0.0.1:{port}"
        kept = urllib.request.HTTPCookieProcessor(self.jar)
        self._opener = urllib.request.build_opener(kept, _Stays())

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """The status and the text of an answer."""
        asked = urllib.request.Request(self._base + path, body, headers)
        try:
            with self._opener.open(asked, timeout=15) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as answer:
            with answer:
                return answer.code, answer.read().decode()

    def token(self, page: str) -> str:
        """The token of the forms of a page."""
        field = BeautifulSoup(self.ask(page)[1], "html.parser").select_one("input[name=csrf_token]")
        assert field is not None, page
        return str(field["value"])

    def send(self, path: str, token: str, **fields: str) -> tuple[int, str]:
        """Send a form with the token that its page bore."""
        return self.ask(path, urllib.parse.urlencode({"csrf_token": token} | fields).encode())

    def cookie(self, name: str) -> str:
        """A cookie's value."""
        return next(str(each.value) for each in self.jar if each.name == name)


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        """None: a redirect is an answer like any other here."""


@pytest.fixture
def site(engine: Engine, settings: Settings, broker: str) -> Iterator[Site]:
    """An installation whose programs print into one file."""
    url = settings.database_url.replace("tributary@", f"tributary:{DATABASE}@")
    made = make(engine, replace(settings, secret_key=KEY_OF_ALL, database_url=url), engine, broker)
    yield made
    made.close()


@contextmanager
def away(engine: Engine, table: str) -> Iterator[None]:
    """Inside this block a table is not to be found, so that whoever asks for it fails with what it asked."""
    with begin(engine) as connection:
        connection.execute(text(f"ALTER TABLE {table} RENAME TO elsewhere"))
    yield
    with begin(engine) as connection:
        connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {table}"))


def test_no_program_prints_what_it_was_told(site: Site, engine: Engine) -> None:
    """Sound or broken, let in or not, and when the database fails with it in hand: it is in no line of a log.

    That the faults were provoked, and are told of, is seen by their lines.
    """
    people.account(engine, EMAIL)
    with begin(engine) as connection:
        write_key = add_url(connection, site.source_id, "key")
        signed = factories.public_id(connection, factories.source(connection, NAME))
        billing = factories.public_id(connection, factories.source(connection, "Billing", kind="billing"))
    site.work()
    site.serve()
    somebody = Somebody(site.settings.port)
    form = somebody.token("/sign-in")
    assert somebody.send("/sign-in", form, email=EMAIL, password=WRONG)[0] == 422
    with away(engine, "users"):
        assert somebody.send("/sign-in", form, email=EMAIL, password=people.PASSWORD)[0] == 500
    assert somebody.send("/sign-in", form, email=EMAIL, password=people.PASSWORD)[0] == 303
    session, form = somebody.cookie(COOKIE), somebody.token("/api-keys/new")
    made = somebody.send("/api-keys", form, name=NAME, scope="write")
    assert made[0] == 200
    api_key = re.findall(r"trk_[\w-]{40,}", made[1])[0]
    assert somebody.send("/profile", form, name=NAME)[0] == 303
    assert somebody.send(f"/sources/{signed}/signature", form, secret=SIGNING)[0] == 303

    call_it_all(site, write_key)
    until(lambda: site.pending() == 0, "the worker has read it")
    basic = {"Authorization": "Basic " + base64.b64encode(f"{api_key}:".encode()).decode()}
    customer = json.dumps({"data_source_uuid": billing, "external_id": BODY, "name": NAME}).encode()
    with away(engine, "customers"):
        assert somebody.ask("/v1/customers", customer, **basic)[0] == 500
    assert somebody.ask("/v1/customers", customer, **basic)[0] == 201
    assert somebody.ask(f"/contacts?q={NAME}&f=name:is:{NAME}")[0] == 200
    with away(engine, "contacts"):
        assert somebody.ask(f"/contacts?q={NAME}&f=name:is:{NAME}")[0] == 500
    with away(engine, "events"):
        assert ask("POST", *site.address, WHOLE)[0] == 503
    park(site)
    nowhere = f"postgresql://tributary:{DATABASE}@127.0.0.1:1/{NAME}"
    commands = (("jobs.worker", "events"), ("flask", "--app", "wsgi", "doctor"))
    ending = [site.start(*command, DATABASE_URL=nowhere) for command in commands]
    site.start("jobs.sweeper", DATABASE_URL=nowhere)
    assert [each.wait(60) for each in ending] == [1, 1]
    until(lambda: "sweeper.database_unavailable" in site.log.read_text(), "the sweeper has tried")
    site.close()

    said = site.log.read_text()
    lines = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
    assert {line["event"] for line in lines} >= TOLD_OF
    secrets = (
        *(site.token, write_key, api_key, session, somebody.cookie(FORM_COOKIE), form, people.PASSWORD),
        *(EMAIL, OTHER, NAME, BODY, WRONG, SIGNING, DATABASE, KEY_OF_ALL, "canary"),
    )
    assert not [secret for secret in secrets if secret in said]


FAULT = """
import threading
from webapp import logs
logs.configure(is_program=True)
def fails(): raise ValueError("canary-body")
other = threading.Thread(target=fails)
other.start()
other.join()
fails()
"""


def test_a_fault_that_nobody_caught_is_told_without_its_text() -> None:
    """A program that ends by it, and a thread that does, say what failed and where in a line of the log."""
    done = subprocess.run(
        [sys.executable, "-c", FAULT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [(line["event"], line["error"]) for line in lines] == [
        ("thread.failed", "ValueError"),
        ("program.failed", "ValueError"),
    ]
    assert all(line["places"][-1].endswith(" fails") for line in lines)
    assert BODY not in done.stderr


def call_it_all(site: Site, write_key: str) -> None:
    """Calls whole and broken, to URLs, keys and pages that are there and that are not."""
    port, path = site.address
    calls = [
        *((path, body) for body in (WHOLE, WHOLE[:-9], BODY.encode(), b"\xff" + WHOLE, b"[" * 600 + WHOLE)),
        *((where, WHOLE) for where in (f"/webhooks/segment/{BODY}", f"/v1/track?writeKey={BODY}")),
        (f"/v1/identify?writeKey={write_key}", WHOLE),
        ("/v1/identify", json.dumps(CALL | {"writeKey": write_key, "userId": "other"}).encode()),
        *((f"/{BODY}", b""), (f"/sign-in?next=/{BODY}", b""), (f"/setup/{BODY}", b"")),
    ]
    answers = [(ask("POST", port, where, body)[0], ask("GET", port, where)[0]) for where, body in calls]
    assert {status for pair in answers for status in pair if status < 500} >= {200, 400, 401, 403, 405}
    assert all(status < 500 for pair in answers for status in pair)


def park(site: Site) -> None:
    """Have the worker fail with an event of a person whose row it cannot read."""
    with begin(site.engine) as connection:
        connection.execute(update(Identifier).values(told=b"\xff" + BODY.encode()))
    assert ask("POST", *site.address, json.dumps(CALL | {"messageId": f"{BODY}-2"}).encode())[0] == 200
    until(lambda: site.pending() == 0, "the worker has tried")
    with site.engine.connect() as connection:
        assert connection.scalar(select(Event.id).where(Event.state == PARKED))
