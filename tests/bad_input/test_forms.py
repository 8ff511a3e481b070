"""Forms, sent with what no page of ours sends: each says what is wrong, or keeps it as a text."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup, Tag
from flask.testing import FlaskClient
from sqlalchemy import Engine, select

from tests.bad_input.conftest import catalogue
from tests.browser.test_every_page import addresses
from tests.people import csrf_token, signed_in
from webapp.models import Base

PAGES = catalogue("pages")
MARK = re.compile(r"mark-\d+")
MARKUP = '"><b id={}>'
TAKEN = {200, 204, 303}
REFUSED = {400, 403, 404, 409, 410, 413, 422, 429}
# What ends something is sent after everything else, and what begins or ends a session from another browser.
ENDS = re.compile(
    r"(deletion|removal|withdrawal|revocation|merges|separation|apart|application|cancellation)s?$"
)
OF_SESSIONS = {"/sign-in", "/sign-out", "/setup/<token>"}


@dataclass
class Form:
    """One form, as a page shows it.

    Attributes:
        rule: of the application that takes it.
        action: where it is sent.
        fields: its fields as they are when somebody looks at it, without the proof of where it comes from.
        files: those of them that hold a file.
    """

    rule: str
    action: str
    fields: dict[str, str] = field(default_factory=dict)
    files: frozenset[str] = frozenset()


@dataclass
class World:
    """An account in which all that can be was made once.

    Attributes:
        client: the browser of an administrator.
        pages: addresses of pages.
        forms: one for every rule that takes one; those that end something come last.
    """

    client: FlaskClient
    pages: list[str]
    forms: list[Form]


@pytest.fixture
def world(account: Any) -> World:
    """See `World`."""
    client, inside, outside = account
    seen: dict[str, str] = {}
    pages = list(dict.fromkeys((*addresses(client, (*inside, *outside), seen).values(), *inside)))
    found = {}
    for path in (each for each in pages if each not in seen):
        answer = client.get(path, follow_redirects=True)
        if answer.mimetype == "text/html":
            seen[path] = answer.text
    for path in (each for each in pages if each in seen):
        for form in read(client, seen[path]):
            found.setdefault((form.rule, frozenset(form.fields)), form)
    known = (*inside, client.get("/automations").text, client.get("/contacts").text)
    blanks = (blank(rule, known) for rule in PAGES["forms"])
    forms = sorted([*found.values(), *blanks], key=lambda form: bool(ENDS.search(form.rule)))
    return World(client, pages, forms)


def rules(client: FlaskClient) -> set[str]:
    """Every rule of the application that takes a form of a page."""
    every = client.application.url_map.iter_rules()
    return {each.rule for each in every if "POST" in each.methods and not each.endpoint.startswith("api.")}


def read(client: FlaskClient, page: str) -> Iterator[Form]:
    """The forms of a page that change something."""
    html, router = BeautifulSoup(page, "html.parser"), client.application.url_map.bind("")
    for form in html.select("form[method=post][action]"):
        controls = [
            *form.select("[name]"),
            *(html.select(f"[form='{form['id']}'][name]") if form.get("id") else ()),
        ]
        path = urlsplit(str(form["action"])).path
        rule = router.match(path, method="POST", return_rule=True)[0].rule
        fields = {str(each["name"]): value(each) for each in controls if each["name"] != "csrf_token"}
        files = frozenset(str(each["name"]) for each in controls if each.get("type") == "file")
        yield Form(rule, str(form["action"]), fields, files)


def value(control: Tag) -> str:
    """What a control sends when nobody touches it."""
    if control.name == "textarea":
        return control.get_text()
    if control.name == "select":
        chosen = control.select_one("option[selected]") or control.select_one("option")
        return str(chosen.get("value", "")) if chosen else ""
    return str(control.get("value", ""))


def blank(rule: str, known: tuple[str, ...]) -> Form:
    """A form that no page of this account shows, at an address of rows that are there where some are.

    Args:
        rule: of the application.
        known: addresses and pages that bear the ids of rows.
    """
    path = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule).replace("<key>", "city")
    sources = [each for each in known if each.endswith("/settings")]
    for name, example, places in (
        ("<source_id>", r"ds_[\w-]+", sources[1:] if "/files/" in rule else sources),
        ("<customer_id>|<record_id>", r"cus_[\w-]+", known),
        ("<subscription_id>", r"sub_[\w-]+", known),
        ("<note_id>", r"(?<=/notes/)[\w-]+", known),
        ("<uuid>", r"(?<=/automations/)[0-9a-f-]{36}", known),
        ("<contact_id>", r"con_[\w-]+", known),
    ):
        id = next(found[0] for each in places if (found := re.search(example, each)))
        path = re.sub(name, id, path)
    return Form(rule, re.sub(r"<[^>]*>", "1", path), PAGES["forms"][rule])


def test_whatever_a_form_is_sent_is_refused_or_kept_as_a_text(world: World, engine: Engine) -> None:
    """In one field or in all; who sent it is still signed in, and markup is stored only where it may be.

    Wherever it is shown it is a text, and no element.
    """
    assert {form.rule for form in world.forms} == rules(world.client)
    values, few = cycle(PAGES["values"]), cycle(PAGES["few"])
    numbers = count()
    for form in world.forms:
        odd = [{name: value} for name in form.fields for value in ("a\0b", next(few))]
        every = [dict.fromkeys(form.fields, next(values)) for _ in range(2)]
        marked = [{name: f'"><b id=mark-{next(numbers)}>'} for name in form.fields]
        ask(world.client, form, [*odd, *every, *marked] if form.fields else [{}])
    assert sorted(stored(engine)) == PAGES["stored"]
    shown: set[str] = set()
    for path in (*world.pages, "/users", "/api-keys", "/audit-log"):
        page = world.client.get(path, follow_redirects=True).text
        assert "<b id=mark-" not in page, path
        shown |= set(re.findall(r"&lt;b id=(mark-\d+)&gt;", page))
    assert len(shown) >= 8


def ask(client: FlaskClient, form: Form, tries: list[dict[str, str]]) -> None:
    """Send a form with something odd in it, once for each try; who sends it is an administrator still."""
    sender = signed_in(client.application) if form.rule in OF_SESSIONS else client
    proof = csrf_token(sender, "/profile")
    for odd in tries:
        changed = {name: readable(odd[name]) for name in odd}
        data: dict[str, Any] = {"csrf_token": proof} | form.fields | changed
        data |= {name: (io.BytesIO(data[name].encode()), f"{data[name]}.csv") for name in form.files}
        kind = "multipart/form-data" if form.files else "application/x-www-form-urlencoded"
        answer = sender.post(form.action, data=data, content_type=kind)
        assert answer.status_code in TAKEN | REFUSED, (form, odd)
        # Which would be about the proof of where it comes from, and not about the field.
        assert "while somebody signed in or out" not in answer.text, form
    assert client.get("/users").status_code == 200, form


def readable(text: str) -> str:
    """A text as a browser sends it: half a surrogate pair is a question mark."""
    return text.encode("utf-8", "replace").decode()


def stored(engine: Engine) -> set[str]:
    """The columns in which a mark is kept, as `table.column`."""
    found = set()
    with engine.connect() as connection:
        for table in Base.metadata.sorted_tables:
            for column in table.columns:
                rows = connection.scalars(select(column)).all()
                if any(MARK.search(text(each)) for each in rows):
                    found.add(f"{table.name}.{column.name}")
    return found


def text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
