"""What is kept of long work that has ended: who asked, all of it, and which records a rebuild changed."""

import pytest
from flask_migrate import downgrade, upgrade
from sqlalchemy import delete, insert, select
from sqlalchemy import text as sql

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
        connection.execute(
            sql("UPDATE syncs SET user_id = :user WHERE id = :id"), {"user": known, "id": first}
        )
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
@pytest.mark.parametrize("asked", ["x", "-1", "99999999999999999999", ""])
def test_a_page_of_the_history_that_there_is_not_is_no_error(app, engine, source, asked):
    """Whatever stands in the address."""
    many(app, engine, source, 1)
    assert signed_in(app).get(f"/sources/{source}/syncs?before={asked}").status_code in (200, 404)
