"""Markup in every place where an account can hold a text: told, typed, uploaded, and matched."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from tests import factories, people
from tests.bad_input.conftest import catalogue
from tests.billing.test_files import begin as begin_file
from tests.billing.test_files import read, upload
from tests.history import support as history
from tests.merging.test_automation_pages import work
from tests.merging.test_automations import company
from tests.merging.test_merging import billing
from tests.projection import support
from webapp.config import Settings
from webapp.database import begin, writing
from webapp.models import Automation, Contact, Customer, Event, Source, User
from webapp.services import api_keys, saved_views
from webapp.services.billing.records import CustomerChange
from webapp.services.imports import running

MARKUP: list[str] = list(catalogue("markup"))
TYPED = ("source", "person", "key", "view", "note", "tag", "value", "automation")
UPLOADED = ("cell", "heading", "matched", "candidate")
"""What stands before the markup in each place, so that a test sees whether that place was shown at all."""
STANDARD = ("firstName", "lastName", "title", "phone", "linkedIn", "twitter")


def events() -> list[dict[str, Any]]:
    """Events that bear each piece of markup in every place that a value can have."""
    made: list[dict[str, Any]] = []
    for number, text in enumerate(MARKUP):
        told = dict.fromkeys(STANDARD, text) | {"plan": text, text: text, "email": f"a@b.example{text}"}
        group = {"type": "group", "userId": text, "groupId": f"g{number}{text}"}
        made += [
            {"type": "identify", "userId": text, "messageId": text, "traits": told},
            group | {"traits": {"name": text} | dict.fromkeys(("website", "country", "city"), text)},
            {"type": "track", "userId": text, "event": text, "properties": {text: text}},
        ]
    return made


def fill(client: FlaskClient, engine: Engine, settings: Settings, page: str) -> list[str]:
    """Put markup everywhere.

    Args:
        client: the browser of an administrator.
        page: of a customer, whose values, notes and tags are typed.

    Returns:
        Addresses of pages that show it, beside those that every account has.
    """
    _write(engine)
    client.post(
        "/profile", data={"csrf_token": people.csrf_token(client, "/profile"), "name": f"person {MARKUP[0]}"}
    )
    _type(client, engine, page)
    told = support.make_source(engine)
    waits = support.make_source(engine, "company")
    for source in (told, waits):
        support.receive(engine, source, events() if source == told else events()[::3])
        support.drain(engine, settings, source)
    matches = _match(client, engine, settings)
    files = _upload(client, engine, settings, told)
    with engine.connect() as connection:
        one, other = (f"/sources/{factories.public_id(connection, source)}" for source in (told, waits))
        rows = select(Customer.uuid, Customer.source_id).order_by(Customer.id)
        customers = _sample(connection.execute(rows).all(), told, "/customers/cus_")
        rows = select(Contact.uuid, Contact.source_id).order_by(Contact.id)
        contacts = _sample(connection.execute(rows).all(), told, "/contacts/con_")
        shown = connection.scalars(select(Event.id).where(Event.source_id == told).order_by(Event.id)).all()
    compared = f"{customers[-1]}/merge/{customers[-2].rpartition('/')[2]}"
    tabs = ("customers", "contacts", "events", "mapping", "settings", "deletion/new", "preview", "imports")
    return [
        *(customers + contacts),
        *(f"{one}/{tab}" for tab in tabs),
        *(f"{other}/{tab}" for tab in ("waiting", "preview?policy=user", "preview/appear?policy=user")),
        *(f"{one}/events/{event}" for event in shown[::7]),
        *(compared, f"{customers[-1]}/merge?q=e", *matches, *files),
        *("/leads?q=%3Cscript", "/customers?f=name:contains:%3Csvg/onload%3Dwindow.ran%3D1%3E"),
    ]


def _sample(rows: Sequence[Any], told: int, before: str) -> list[str]:
    """The pages of all records of one source, and of some of the others."""
    of_it, others = ([uuid for uuid, source in rows if (source == told) == is_it] for is_it in (True, False))
    return [before + uuid for uuid in (*of_it, *others[:: len(others) // 5 or 1])]


def _write(engine: Engine) -> None:
    """Names that people give: to sources, each other, keys and views."""
    with begin(engine) as connection:
        for number, text in enumerate(MARKUP):
            factories.source(connection, f"source {text}", kind="billing" if number % 2 else "segment")
            name = {"name": f"person {text}", "email": f"u{number}@example.com", "role": "viewer"}
            factories.make(connection, User, password_hash="-", created_at=factories.SOME_DAY, **name)
    for text in MARKUP:
        with writing(), Session(engine) as session:
            api_keys.make(session, f"key {text}".replace("\u202e", ""), "read", 1)
        with writing(), Session(engine) as session:
            saved_views.keep(session, 1, "customers", f"view {text}"[:60], {"q": [text]}, True)


def _type(client: FlaskClient, engine: Engine, page: str) -> None:
    """What is typed on the page of a customer, and the name of an automation."""
    for text in MARKUP:
        assert people.post(client, page, f"{page}/notes", text=f"note {text}").status_code == 303
    plain = [f"tag {text}" for text in MARKUP if "," not in text and text.isprintable()]
    sent = people.post(client, page, f"{page}/handling", status="New Lead", owner="", tags=", ".join(plain))
    assert sent.status_code in (303, 422)
    if sent.status_code == 422:  # the status follows from a subscription
        assert (
            people.post(client, page, f"{page}/handling", owner="", tags=", ".join(plain)).status_code == 303
        )
    for name, text in zip(("name", "city", "state", "zip"), MARKUP, strict=False):
        assert people.post(client, page, f"{page}/values/{name}", value=f"value {text}").status_code == 303
    fields = {"keys": ["name"], "segment_source_id": "", "billing_source_id": "", "field": "country"}
    fields |= {"operator": "is", "value": MARKUP[3], "name": f"automation {MARKUP[1]}"}
    assert people.post(client, "/automations/new", "/automations", **fields).status_code == 303


def _match(client: FlaskClient, engine: Engine, settings: Settings) -> list[str]:
    """Customers that a rule would merge, and others that it asks about; the pages on which it does."""
    segment = support.make_source(engine)
    sites = [f"m{number}.example" for number in range(len(MARKUP))]
    told = [company(f"m{n}", name=f"matched {MARKUP[n]}", website=site) for n, site in enumerate(sites)]
    support.receive(engine, segment, told)
    support.drain(engine, settings, segment)
    billed = [
        CustomerChange(f"m{n}{copy}", {"name": f"candidate {MARKUP[n]}", "website_url": site})
        for n, site in enumerate(sites)
        for copy in range(1 + n % 2)
    ]
    billing(engine, *billed)
    with engine.connect() as connection:
        here = f"/automations/{connection.scalar(select(Automation.uuid).order_by(Automation.id).limit(1))}"
    people.post(client, here, f"{here}/tests")
    work(engine)
    return [here, f"{here}/matches", f"{here}/matches?of=clear", f"{here}/merges"]


def _upload(client: FlaskClient, engine: Engine, settings: Settings, source_id: int) -> list[str]:
    """A billing file with rows that are taken and rows that are not, and an archive; their pages."""
    with engine.connect() as connection:
        billed = connection.scalar(
            select(Source.uuid).where(Source.kind == "billing").order_by(Source.id).limit(1)
        )
        segment = factories.public_id(connection, source_id)
    home = f"/sources/ds_{billed}/files"
    cells = [f'"cell {text}"'.replace('""', '"') for text in (text.replace('"', '""') for text in MARKUP)]
    rows = [f"{cell},{cell},{cell},{cell},{cell}" for cell in cells]
    heading = f'external id,name,email,website,"heading {MARKUP[0]}"'
    name = "<img src=x onerror=window.ran=1>.csv"
    waiting, read_one = (
        upload(client, home, "customers", "\n".join([heading, *rows]), name).location for _ in range(2)
    )
    begin_file(client, read_one)
    read(engine, settings)
    archive = gzip.compress(history.ndjson(events()))
    form = {"csrf_token": people.csrf_token(client, f"/sources/{segment}/imports")}
    form |= {"files": (io.BytesIO(archive), "<svg onload=window.ran=1>.gz")}
    taken = client.post(f"/sources/{segment}/imports", data=form, content_type="multipart/form-data").location
    running.run(engine, int(taken.rpartition("/")[2]), settings=settings)
    return [home, waiting, read_one, taken]
