"""What only a browser shows: files that go up while one watches, numbers that follow the choice, axe."""

import gzip
import json

import pytest

from tests.accessible import violations
from tests.history import support
from tests.people import session
from tests.sources.support import add_source, key
from webapp.security import COOKIE
from webapp.services.imports import running

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
CALLS = support.calls(80)


@pytest.fixture
def source(app):
    """The public id of a source."""
    return add_source(app)[0]


@pytest.fixture
def signed_in(live_server, engine, page):
    """A real browser with an administrator's session."""
    page.context.add_cookies([{"name": COOKIE, "value": session(engine), "url": live_server.url}])
    return page


def usable(page, *schemes):
    """Everybody can use this page: nothing for axe to find, and it is no wider than a phone."""
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        assert violations(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.set_viewport_size({"width": 1280, "height": 900})


def test_an_archive_is_uploaded_chosen_from_and_imported(
    app, engine, settings, live_server, signed_in, source
):
    """From the guide to the report, without a page being loaded anew by hand."""
    page = signed_in
    page.goto(f"{live_server.url}/sources/{source}/connect")
    page.click("text=Import existing data")
    page.wait_for_url("**/imports")
    usable(page, "light")
    archive = {
        "name": "calls.gz",
        "mimeType": "application/gzip",
        "buffer": gzip.compress(support.ndjson(CALLS)),
    }
    page.set_input_files("#files", [archive])
    page.click("text=Upload and look through")
    page.wait_for_url("**/imports/*")
    import_id = int(page.url.rsplit("/", 1)[1])
    running.run(engine, import_id, settings=settings)
    page.locator("[data-calls]", has_text="60 calls").wait_for()
    page.fill("input[name=from]", "2026-01-02")
    page.fill("input[name=to]", "2026-01-05")
    page.uncheck("input[name=type][value=group]")
    page.check("input[name=events][value=some]")
    page.check("input[name=event][value='Signed Up']")
    wanted = [
        call["messageId"]
        for call in CALLS
        if "02" <= call["timestamp"][8:10] <= "05"
        and (call["type"] == "identify" or call.get("event") == "Signed Up")
    ]
    page.locator(
        "[data-calls]", has_text=f"{len(wanted)} calls: identify, track; track calls named"
    ).wait_for()
    page.locator(".samples summary").first.click()
    usable(page, "light", "dark")
    page.locator("#import-start:not([disabled])").click()
    page.locator("#import-cancel").wait_for()
    running.run(engine, import_id, settings=settings)
    page.locator("#report").wait_for()
    usable(page, "dark")
    stored = support.bodies(engine, key(app, source))
    assert [json.loads(body)["messageId"] for body in stored] == wanted


def test_an_upload_that_is_refused_says_so_in_its_form(live_server, signed_in, source):
    """An empty file is named as what it is, and the form stands ready for another."""
    page = signed_in
    page.goto(f"{live_server.url}/sources/{source}/imports")
    page.set_input_files("#files", [{"name": "empty.json", "mimeType": "text/plain", "buffer": b""}])
    page.click("text=Upload and look through")
    page.locator("#files-error", has_text="Choose at least one file that is not empty.").wait_for()
    usable(page, "dark")
