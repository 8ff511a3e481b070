"""Settings & Data > Audit log."""

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.people import last_user, post, sign_in, signed_in
from webapp.database import begin, writing
from webapp.extensions import db
from webapp.failpoints import PLACES
from webapp.models import Source
from webapp.models.base import now
from webapp.services import accounts, audit

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def rows(response):
    """The log as (who, what)."""
    page = BeautifulSoup(response.text, "html.parser")
    return [
        (row.select_one("th").text, row.select("td")[1].text) for row in page.select("#audit-log tbody tr")
    ]


def test_the_log_tells_who_did_what(app):
    """What administrators and the command line do is there in words, newest first."""
    client = signed_in(app)
    post(client, "/profile", name="Grace")
    post(client, "/users/new", "/users", email="ada@example.com", role="viewer")
    assert rows(client.get("/audit-log")) == [
        ("Grace", "made a link that adds ada@example.com as a viewer"),
        ("Grace", "changed their name"),
        ("Grace", "signed in"),
        ("Command line", "added administrator@example.com as an administrator"),
    ]


def test_what_somebody_did_stays_theirs_after_they_were_removed(app):
    """Removing an account does not wash its acts away, nor put them to the command line."""
    client = signed_in(app)
    ada = app.test_client()
    sign_in(ada, "administrator", "ada@example.com")
    post(ada, "/users/new", "/users", email="eve@example.com", role="viewer")
    post(client, f"/users/{last_user(app).id}/removal")
    assert ("ada@example.com", "made a link that adds eve@example.com as a viewer") in rows(
        client.get("/audit-log")
    )


def test_a_source_is_named_as_long_as_it_is_there(app, engine):
    """The log leads to the source it tells of, and still says which it was when it is gone."""
    client = signed_in(app)
    with begin(engine) as connection:
        connection.execute(
            Source.__table__.insert().values(
                uuid="11",
                name="Website",
                kind="segment",
                policy="user",
                applied_policy="user",
                state="active",
                pause="",
                generation=1,
                created_at=now(),
            )
        )
        audit.record(connection, "source.paused", source_uuid="11")
        audit.record(connection, "source.deleted", source_uuid="22", name="Old site")
        audit.record(connection, "source.erased", source_uuid="22", rows=288_007)
    assert rows(client.get("/audit-log"))[:3] == [
        ("Command line", "erased ds_22: 288,007 rows"),
        ("Command line", "began to delete the source Old site"),
        ("Command line", "paused the source Website"),
    ]


def test_the_log_is_paged_and_filtered_in_its_address(app):
    """A thousand lines are read page by page, back and forth, with nothing twice and nothing left out."""
    client = signed_in(app)
    with app.app_context(), writing():
        for n in range(120):
            audit.record(
                db.session(), "source.exported" if n % 2 else "attribute.hidden", key=str(n), entity="contact"
            )
        db.session.commit()

    def follow(response, rel):
        found = BeautifulSoup(response.text, "html.parser").select_one(f"a[rel={rel}]")
        return client.get(found["href"]) if found else None

    first = client.get("/audit-log")
    second = follow(first, "next")
    third = follow(second, "next")
    seen = rows(first) + rows(second) + rows(third)
    assert [len(rows(page)) for page in (first, second, third)] == [50, 50, 22]
    assert len(seen) == 122
    assert follow(first, "prev") is None
    assert follow(third, "next") is None
    assert rows(follow(third, "prev")) == rows(second)
    assert rows(follow(follow(third, "prev"), "prev")) == rows(first)
    filtered = client.get("/audit-log?action=attribute.hidden")
    assert [what for _, what in rows(follow(filtered, "next"))] == [
        f"hid the custom attribute {n} of contacts" for n in range(18, -1, -2)
    ]


@SQLITE
@pytest.mark.parametrize("query", ["before=x", "before=-1", "before=9" + "9" * 40, "action=nope", "after="])
def test_a_mangled_address_shows_the_newest_lines(app, query):
    """An address cut off by a mail program shows a page, not an error."""
    assert len(rows(signed_in(app).get(f"/audit-log?{query}"))) == 2


@SQLITE
def test_an_act_that_has_no_sentence_is_shown_in_words(app):
    """A line that a newer version wrote is read by an older one."""
    client = signed_in(app)
    with app.app_context(), writing():
        audit.record(db.session(), "source.moon_landed")
        audit.record(db.session(), "user.invited")
        db.session.commit()
    assert [what for _, what in rows(client.get("/audit-log"))[:2]] == [
        "made a link that adds … as …",
        "source moon landed",
    ]


def test_every_act_that_is_recorded_has_its_sentence():
    """A code in the source text without a sentence would be shown as bare words."""
    nouns = {code.split(".")[0] for code in audit.SENTENCES}
    code = re.compile(rf'"((?:{"|".join(nouns)})\.[a-z_]+)"')
    root = Path(audit.__file__).parents[1]
    used = {
        found
        for path in root.rglob("*.py")
        if re.search("audit|records.log|api_acts", text := path.read_text()) and path.name != "audit.py"
        for entity in ("customer", "contact")
        for found in code.findall(re.sub(r'f"\{(?:record|row)\.entity\}\.', f'"{entity}.', text))
    }
    assert used - PLACES == set(audit.SENTENCES)  # places where tests kill have such names, too


@SQLITE
def test_sentences_name_no_secret(app):
    """Tokens and passwords never come into the log."""
    client = signed_in(app)
    link = BeautifulSoup(
        post(client, "/users/new", "/users", email="ada@example.com", role="viewer").text, "html.parser"
    ).select_one("#one-time-link")["value"]
    with app.app_context():
        assert accounts.users(db.session())
    assert link.rsplit("/", 1)[1] not in client.get("/audit-log").text


def test_the_filter_speaks_as_the_pages_do():
    """What a button calls “Import” is not “heeded” in the log."""
    assert audit.label("attribute.heeded") == "Attribute imported again"
    assert audit.label("source.resynced") == "Source re-synced"
    assert audit.label("user.signed_in") == "User signed in"
