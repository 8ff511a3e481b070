"""Import existing data from the pages: upload, what is in it, the choice, the report."""

import gzip
import io
import json

import pytest
from sqlalchemy import select
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

from tests.history import support
from tests.people import csrf_token, post, signed_in
from tests.projection.support import count_rows, drain
from tests.sources.support import add_source, key, soup, text
from webapp.models import AuditLine, Event, Import, ImportFile, ImportProblem, Sync
from webapp.services import syncs
from webapp.services.imports import files, running

CALLS = support.calls(120)
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
BROKEN = b'{"type":\n'


@pytest.fixture
def source(app):
    """The public id of a source."""
    return add_source(app)[0]


@pytest.fixture
def client(app):
    """An administrator's browser without JavaScript."""
    return signed_in(app)


def upload(client, source, *contents, token=None):
    """Send files by the form."""
    path = f"/sources/{source}/imports"
    token = csrf_token(client, path) if token is None else token
    given = [FileStorage(io.BytesIO(content), f"part {n}.gz") for n, content in enumerate(contents)]
    boundary, body = encode_multipart({"csrf_token": token, "files": given})
    return client.post(path, data=body, content_type=f"multipart/form-data; boundary={boundary}")


def inspected(client, engine, settings, source, *contents):
    """Upload files and look through them; the address of the import's page."""
    address = upload(client, source, *contents).location
    running.run(engine, int(address.rsplit("/", 1)[1]), settings=settings)
    return address


def folders(settings):
    """What lies in the folder of uploads."""
    home = settings.data_dir / files.FOLDER
    return sorted(home.iterdir()) if home.exists() else []


def test_from_the_upload_to_the_report(app, engine, settings, client, source):
    """Nothing is stored before the choice; then exactly what was chosen, and the files are gone."""
    address = upload(client, source, gzip.compress(support.ndjson(CALLS)), BROKEN).location
    import_id = int(address.rsplit("/", 1)[1])
    page = soup(client.get(address))
    assert text(page, ".progress__label") == "Looking through the files…"
    assert page.select_one("#asked")["hx-trigger"].startswith("load delay:1s")

    running.run(engine, import_id, settings=settings)
    page = soup(client.get(address))
    assert text(page, "#found .figures") == "Calls 120 Could not be read 1"
    assert text(page, "#unreadable") == "part 1.gz, line 1: it is not JSON (character 8)"
    assert "30 page" in text(page, "#found")
    assert [row.get_text(" ", strip=True) for row in page.select("#choose .check")] == [
        *("identify (30)", "group (30)", "track (30)", "All of them", "Only these events", "Signed Up (30)"),
    ]
    assert text(page, "[data-calls]") == "90 calls: all types."
    assert count_rows(engine, Event) == 0

    query = "?chosen=1&from=2026-01-03&to=2026-01-06&type=identify&type=track&events=some&event=Signed+Up"
    page = soup(client.get(address + query))
    wanted = [c for c in CALLS if "03" <= c["timestamp"][8:10] <= "06" and c["type"] in ("identify", "track")]
    assert text(page, "[data-calls]").startswith(f"{len(wanted)} calls: identify, track; track calls named")
    assert len(page.select(".samples li")) == 20
    fields = {(f["name"], f["value"]) for f in page.select("#import-preview input[type=hidden]")}
    begun = post(client, address + query, address + "/choice", **_together(fields))
    assert begun.location == address

    running.run(engine, import_id, settings=settings)
    assert sorted(json.loads(b)["messageId"] for b in support.bodies(engine, key(app, source))) == sorted(
        c["messageId"] for c in wanted
    )
    page = soup(client.get(address))
    assert f"{len(wanted)} calls stored." in text(page, ".notice")
    assert "wait now" in text(page, "#import-waiting")
    assert page.select_one("#asked").has_attr("hx-trigger")
    drain(engine, settings, key(app, source))
    page = soup(client.get(address))
    assert not page.select_one("#asked").has_attr("hx-trigger")
    report = client.get(page.select_one("#report [download]")["href"])
    assert report.data == b"file,line,reason\r\npart 1.gz,1,it is not JSON (character 8)\r\n"
    assert folders(settings) == []
    with engine.connect() as connection:
        assert "source.imported" in connection.scalars(select(AuditLine.action)).all()


def _together(pairs):
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        if name != "csrf_token":
            fields.setdefault(name, []).append(value)
    return fields


def test_what_is_said_to_appear_appears(app, engine, settings, client, source):
    """The numbers before an import are those of the tables after it."""
    address = inspected(client, engine, settings, source, support.ndjson(CALLS))
    said = text(soup(client.get(address)), "[data-appearing]")
    post(client, address, address + "/choice")
    running.run(engine, int(address.rsplit("/", 1)[1]), settings=settings)
    drain(engine, settings, key(app, source))
    head = soup(client.get(f"/sources/{source}/settings"))
    customers, contacts = (int(text(head, f"#tab-{tab} .tabs__count")) for tab in ("customers", "contacts"))
    assert said == f"{customers} customers and {contacts} contacts would appear."
    again = inspected(client, engine, settings, source, support.ndjson(CALLS))
    assert text(soup(client.get(again)), "[data-appearing]") == "0 customers and 0 contacts would appear."


def test_a_choice_that_cannot_be_is_said_and_begins_nothing(engine, settings, client, source):
    """A wrong day stands beside its field; a form that was bent begins nothing."""
    address = inspected(client, engine, settings, source, support.ndjson(CALLS))
    page = soup(client.get(address + "?chosen=1&type=track&from=2026-02-01&to=2026-01-01"))
    assert text(page, "#to-error") == "The last day is before the first."
    assert page.select_one("#import-start") is None
    part = client.get(address + "/preview?chosen=1", headers={"HX-Request": "true"})
    assert "Choose at least one type of call." in text(soup(part), "#import-preview .notice")
    post(client, address, address + "/choice", chosen="1", type="page")
    with engine.connect() as connection:
        assert connection.scalar(select(Import.state)) == "choosing"


def test_cancelling_removes_the_files(engine, settings, client, source):
    """Who has seen enough leaves nothing behind, and the page says so."""
    address = inspected(client, engine, settings, source, support.ndjson(CALLS))
    assert len(folders(settings)) == 1
    post(client, address, address + "/cancellation")
    running.run(engine, int(address.rsplit("/", 1)[1]), settings=settings)
    assert folders(settings) == []
    assert "Nothing had been stored." in text(soup(client.get(address)), ".notice")
    answer = post(client, f"/sources/{source}/imports", address + "/choice")
    assert answer.location == address
    assert count_rows(engine, Event) == 0


def test_an_upload_that_is_refused_leaves_nothing(settings, client, source):
    """Without a token of this session, without a file, or cut short: a sentence, and no file on the disk."""
    assert upload(client, source, b"x", token="made up").status_code == 400
    path = f"/sources/{source}/imports"
    token = {"X-CSRFToken": csrf_token(client, path)}
    for body in (
        b"--cut\r\n",
        b"--cut--\r\n",
        b'--cut\r\nContent-Disposition: form-data; name="f"; filename="f"',
    ):
        answer = client.post(path, data=body, content_type="multipart/form-data; boundary=cut", headers=token)
        assert answer.status_code == 422
    answer = upload(client, source, b"")
    assert text(soup(answer), "#files-error") == "Choose at least one file that is not empty."
    assert folders(settings) == []


def test_an_upload_may_be_far_larger_than_a_form(engine, settings, client, source):
    """The limit of forms does not hold for archives, and what goes up is what came."""
    content = support.ndjson(support.identify(n, notes="x" * 900) for n in range(3000))
    upload(client, source, content, b"second")
    folder = folders(settings)[0]
    assert (folder / "0").read_bytes() == content
    assert (folder / "1").read_bytes() == b"second"
    with engine.connect() as connection:
        assert connection.execute(select(ImportFile.name, ImportFile.size)).all() == [
            ("part 0.gz", len(content)),
            ("part 1.gz", 6),
        ]


def test_deleting_a_source_leaves_no_file_and_no_row_of_its_imports(app, engine, settings, client, source):
    """Whatever an import was doing: its archive is gone from the disk, and its rows from the database."""
    inspected(client, engine, settings, source, support.ndjson(CALLS), BROKEN)
    address = inspected(client, engine, settings, source, support.ndjson(CALLS), BROKEN)
    post(client, address, address + "/choice")
    running.run(engine, int(address.rsplit("/", 1)[1]), settings=settings)
    upload(client, source, support.ndjson(CALLS))
    assert count_rows(engine, ImportProblem) == 1
    path = f"/sources/{source}/deletion"
    post(client, path + "/new", path, name="Production")
    with engine.connect() as connection:
        deletion = connection.scalar(select(Sync.id))
    syncs.run(engine, deletion, settings=settings)
    assert [count_rows(engine, model) for model in (Import, ImportFile, ImportProblem, Event)] == [0, 0, 0, 0]
    assert folders(settings) == []


@SQLITE
def test_an_import_of_another_source_is_not_found(app, engine, settings, client, source):
    """The address of an import names its source, and no other opens it."""
    address = inspected(client, engine, settings, source, support.ndjson(CALLS))
    other, _ = add_source(app, "Other")
    for path in ("", "/preview", "/unreadable.csv"):
        assert client.get(address + path).status_code == 200
        assert client.get(address.replace(source, other) + path).status_code == 404


@SQLITE
def test_the_guide_and_the_settings_offer_it(client, source):
    """The last step of Add Source and the source's page lead to it; a viewer is offered nothing of it."""
    for page in (f"/sources/{source}/connect", f"/sources/{source}/settings"):
        assert soup(client.get(page)).select_one(f"#import a[href='/sources/{source}/imports']")
    viewer = signed_in(client.application, "viewer")
    assert soup(viewer.get(f"/sources/{source}/settings")).select_one("#import") is None
    assert viewer.get(f"/sources/{source}/imports").status_code == 403


@SQLITE
def test_an_import_does_not_pass_for_a_connection(app, engine, settings, client, source):
    """What was imported is not “the first event has arrived”: Segment has not called yet."""
    address = inspected(client, engine, settings, source, support.ndjson(CALLS))
    post(client, address, address + "/choice")
    running.run(engine, int(address.rsplit("/", 1)[1]), settings=settings)
    drain(engine, settings, key(app, source))
    assert "Waiting for the first event" in text(soup(client.get(f"/sources/{source}/connect")), "#arrival")
