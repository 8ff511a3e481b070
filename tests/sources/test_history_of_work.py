"""What is kept of long work that has ended: who asked, all of it, and which records a rebuild changed."""

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import delete, insert, select, update

from tests.people import add_user, signed_in
from tests.sources.support import add_source, key, soup, text
from webapp.database import begin
from webapp.extensions import db
from webapp.models import Sync, User, now
from webapp.services import accounts, long_work, sources, syncs

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def source(app):
    """Public id of a source that has received nothing."""
    return add_source(app)[0]


def done(app, engine, settings, source, by=None, kind="resync"):
    """Work that somebody asked for and that has ended; its id."""
    with app.app_context():
        sync_id = long_work.begin(db.session(), sources.find(db.session(), source), kind, by).sync.id
    syncs.run(engine, sync_id, settings=settings)
    return sync_id


def many(app, engine, source, number):
    """Work that ended long ago."""
    row = {
        "source_id": key(app, source),
        "kind": "resync",
        "state": "done",
        "created_at": now(),
        "result": {},
    }
    with begin(engine) as connection:
        connection.execute(insert(Sync), [row | {"finished_at": now()} for _ in range(number)])


def askers(page):
    """Who asked, line by line."""
    return [cell.text.strip() for cell in page.select("tbody td[data-label=By]")]


def test_who_asked_is_told_when_their_account_is_gone(app, engine, settings, source):
    """Not the command line, which asked for the other one."""
    gone = add_user(app, "grace@example.com")
    done(app, engine, settings, source)
    done(app, engine, settings, source, by=gone)
    client = signed_in(app)
    with app.app_context():
        accounts.remove(db.session(), gone)
    page = soup(client.get(f"/sources/{source}/settings"))
    assert askers(page) == ["grace@example.com", "Command line"]


def test_who_asked_is_kept_of_work_that_an_older_release_did(app, engine, source):
    """The upgrade writes down whoever is still known."""
    known = add_user(app, "grace@example.com")
    many(app, engine, source, 2)
    with begin(engine) as connection:
        first = connection.scalar(select(Sync.id).order_by(Sync.id))
        connection.execute(update(Sync).where(Sync.id == first).values(user_id=known))
    with app.app_context():
        downgrade(revision="0018")
        upgrade()
    with begin(engine) as connection:
        connection.execute(delete(User).where(User.id == known))
        kept = connection.scalars(select(Sync.asked_by).order_by(Sync.id)).all()
    assert kept == ["grace@example.com", None]


def test_all_work_that_has_ended_can_be_reached(app, engine, source):
    """The settings show the last ten; a link leads to all, page after page, whoever looks."""
    many(app, engine, source, 10)
    client = signed_in(app, "viewer")
    page = soup(client.get(f"/sources/{source}/settings"))
    assert len(page.select("#resync tbody tr")) == 10
    assert page.select("#all-syncs") == []
    many(app, engine, source, 45)
    page = soup(client.get(f"/sources/{source}/settings"))
    assert len(page.select("#resync tbody tr")) == 10
    address, found = page.select_one("#all-syncs")["href"], []
    while address:
        page = soup(client.get(address))
        rows = [link["href"] for link in page.select("tbody th a")]
        assert len(rows) <= 50
        found += rows
        address = further["href"] if (further := page.select_one("a[rel=next]")) else None
    ids = [int(href.rpartition("/")[2]) for href in found]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 55
    assert text(soup(client.get(found[0])), "h2").startswith("Re-sync")


@SQLITE
def test_the_page_of_a_rebuild_lists_what_came_out_differently(app, engine, source):
    """Every record that is named, what it is and how it differs; and how many more there are."""
    many(app, engine, source, 1)
    named = [["changed", "user", "u1"], ["new", "anonymous", "<i>"], ["gone", "company", "acme"]]
    named += [["gone", "user", f"g{n}"] for n in range(9)]
    result = {"compared": 9000, "differing": 1203, "examples": named}
    with begin(engine) as connection:
        connection.execute(update(Sync).values(kind="rebuild", result=result))
    client = signed_in(app, "viewer")
    settings_page = soup(client.get(f"/sources/{source}/settings"))
    page = soup(client.get(settings_page.select_one("#resync tbody th a")["href"]))
    lines = [" ".join(line.get_text(" ").split()) for line in page.select("#differences tbody tr")]
    assert lines[:4] == [
        "u1 User ID Told differently",
        "<i> Anonymous ID Not there before",
        "acme Company Not made again",
        "g0 User ID Not made again",
    ]
    assert len(lines) == 12
    assert text(page, "#more-differences") == "And 1,191 more, which were counted and not named."


@SQLITE
@pytest.mark.parametrize("asked", ["x", "-1", "99999999999999999999", ""])
def test_a_page_of_the_history_that_there_is_not_is_no_error(app, engine, source, asked):
    """Whatever stands in the address."""
    many(app, engine, source, 1)
    assert signed_in(app).get(f"/sources/{source}/syncs?before={asked}").status_code in (200, 404)
