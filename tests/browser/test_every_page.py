"""Every page that Tributary has, found by its links: axe finds nothing, and nothing scrolls to the side."""

import gzip
import io
import re
from urllib.parse import urlsplit

import pytest
from bs4 import BeautifulSoup, SoupStrainer
from sqlalchemy import select
from werkzeug.exceptions import MethodNotAllowed

from tests import people
from tests.accessible import faults, prepare
from tests.billing.test_files import begin, read, upload
from tests.history import support as history
from tests.records.conftest import filling, pair, paying  # noqa: F401
from tests.tables.conftest import visit  # noqa: F401
from webapp.models import Source
from webapp.services.imports import running

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# What answers with a file, with a part of a page, with another page, or to programs.
NO_PAGE = re.compile(
    r"\.(csv|xlsx|zip)$|/(news|counts|body|arrival|head|run)$|/imports/.*/preview$"
    r"|^/v1/|^/static/|^/(healthz|readyz|metrics|)$|^/sources/<source_id>$"
)
# States that no link leads to: nothing found, a mistyped filter, what only follows from an error.
STATES = (
    "/customers?q=nothing&f=country:is:FR&f=last_seen:after:soon",
    "/contacts?c=name&c=custom.plan&sort=-custom.plan",
    "/leads?f=lead_status:is:Working+Lead",
    "/customers?page=made-up",
    "/attributes?of=contact",
    "/no-such-page",
)
LINKS = SoupStrainer(["a", "form"])  # a tree of the whole page takes far longer
BILLING = "external id,name,email\nb9,Gamma,gamma@example.com\n,Nobody,no address\n"


@pytest.fixture
def account(paying, settings):  # noqa: F811
    """An account in which all that can be was made once: (a browser, addresses inside, those outside)."""
    client, engine = paying.client, paying.engine
    one, other = paying.path("g1"), paying.path("b1")
    noted = paying.send(one, f"{one}/notes", text="Called Ada; she wants an offer by Friday.")
    note = noted.select_one("[href*='/notes/'], [action*='/notes/']")
    paying.send(one, f"{one}/handling", status="Working Lead", owner="", tags="eu, vip")
    paying.send(one, f"{one}/values/city", value="Paris")
    with engine.connect() as connection:
        uuids = connection.scalars(select(Source.uuid).order_by(Source.id))
        segment, paid = (f"/sources/ds_{uuid}" for uuid in uuids)
    people.post(client, f"{segment}/settings", f"{segment}/syncs", kind="resync")
    people.post(client, "/api-keys/new", "/api-keys", name="A script", access="read")
    joining = people.post(client, "/users/new", "/users", email="viewer@example.com", role="viewer").text
    archive = gzip.compress(history.ndjson(history.calls(30)))
    form = {"csrf_token": people.csrf_token(client, f"{segment}/imports")}
    form |= {"files": (io.BytesIO(archive), "calls.gz")}
    imported = client.post(f"{segment}/imports", data=form, content_type="multipart/form-data").location
    running.run(engine, int(imported.rpartition("/")[2]), settings=settings)
    file = upload(client, f"{paid}/files", "customers", BILLING).location
    begin(client, file)
    read(engine, settings)
    both = ("settings", "customers", "deletion/new")
    own = [
        "retention",
        "waiting",
        "preview",
        "syncs",
        "syncs/1",
        "syncs/new",
        "mapping/preview",
        "write-key/new",
    ]
    outside = ("/sign-in", re.search(r"/setup/[\w-]+", joining)[0])
    inside = (
        *(imported, file, note.get("href") or note["action"], f"{one}/merge?q=e"),
        f"{one}/merge/{other.rpartition('/')[2]}",
        f"{other}/subscriptions/{paying.subscription('s2')}/adjustment",
        *(f"{source}/{each}" for source in (segment, paid) for each in both),
        *(f"{segment}/{each}" for each in own),
        *(f"{segment}/preview/{each}" for each in ("appear", "go", "wait")),
        *("/sources/new", "/sources/new/billing", "/confirm"),
    )
    return client, inside, outside


def addresses(client, known, pages=None):
    """An address of each page, by its rule: those that are known, and what their links lead to.

    Args:
        client: somebody's browser.
        known: addresses that no link may lead to.
        pages: takes the text of each page that was looked at, by its address.
    """
    router = client.application.url_map.bind("")
    found, waiting = {}, ["/", *known]
    for path in waiting:
        try:
            rule = router.match(urlsplit(path).path, return_rule=True)[0].rule
        except MethodNotAllowed:
            continue  # where a form is sent
        if rule in found:
            continue
        found[rule] = path
        answer = client.get(path, follow_redirects=True)
        assert answer.status_code == 200, path
        if answer.mimetype == "text/html":
            links = BeautifulSoup(answer.text, "html.parser", parse_only=LINKS)
            waiting += [
                link.get("href") or link["action"] for link in links.select("a[href^='/'], [action^='/']")
            ]
            if pages is not None:
                pages[path] = answer.text
    return {rule: path for rule, path in found.items() if not NO_PAGE.search(rule)}


def test_everybody_can_use_every_page(visit, account):  # noqa: F811
    """Whatever somebody reads with, and on whatever: each page of the product, none forgotten."""
    client, inside, outside = account
    found = addresses(client, (*inside, *outside))
    rules = {each.rule for each in client.application.url_map.iter_rules() if "GET" in each.methods}
    missing = {rule for rule in rules - found.keys() if not NO_PAGE.search(rule)}
    assert not missing, sorted(missing)
    page = visit("/customers")
    prepare(page)
    inside = [path for path in dict.fromkeys((*found.values(), *STATES, *inside)) if path not in outside]
    wrong = []
    for path in (*inside, *outside):
        if path == outside[0]:
            page.context.clear_cookies()
        visit(path)
        assert urlsplit(page.url).path == urlsplit(path).path
        wrong += [(path, *each) for each in faults(page)]
    assert not wrong
