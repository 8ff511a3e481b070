"""The mapping page and what can be done from it, without a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import insert, select

from tests.mapping.test_applying import customs
from tests.people import csrf_token, post, sign_in, signed_in
from tests.sources.support import add_source, change, fill, key, row, soup, text
from webapp.database import begin
from webapp.models import AuditLine, CustomAttribute, PathSighting
from webapp.services import segment_side, syncs

DATA = Path(__file__).parents[1] / "data"
SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

ADA = {
    "type": "identify",
    "messageId": "m1",
    "userId": "ada",
    "traits": {"email": "ada@example.com", "jobTitle": "CTO <b>", "company": {"id": "acme", "size": 5}},
}
BOB = {
    "type": "track",
    "messageId": "m2",
    "userId": "bob",
    "event": "Signed Up",
    "properties": {"jobTitle": "-"},
}
ACME = {
    "type": "group",
    "messageId": "m3",
    "groupId": "acme",
    "traits": {"name": "Acme", "createdAt": "2020-01-01"},
}


@pytest.fixture
def place(app, engine, settings):
    """A source that has read three calls: the path of its mapping page."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id, (ADA, BOB, ACME))
    return f"/sources/{public_id}/mapping"


def send(client, place, **fields):
    """Save a rule, as the form under a preview does."""
    token = {"csrf_token": csrf_token(client, place)}
    return client.post(f"{place}/rules", data=token | fields)


def shown(page):
    """The rows of the table, by path and call: the texts of their cells."""
    rows = {}
    for line in page.select("#mapping tbody tr"):
        path, call = (part.get_text(strip=True) for part in line.select("th span"))
        rows[path, call] = [" ".join(cell.get_text(" ").split()) for cell in line.select("td")]
    return rows


def test_every_trait_and_property_is_listed_with_where_it_goes(app, place):
    """Path, type of call, how many calls, live values, the attribute with its type, and why."""
    rows = shown(soup(signed_in(app).get(place)))
    assert set(rows) == {
        ("traits.email", "identify"),
        ("traits.job_title", "identify"),
        ("traits.company", "identify"),
        ("traits.company.id", "identify"),
        ("traits.company.size", "identify"),
        ("properties.job_title", "track"),
        ("traits.name", "group"),
        ("traits.created_at", "group"),
    }
    job = rows["traits.job_title", "identify"]
    assert job[:4] == ["1", "CTO <b>", "Contact · job_title String", "By default"]
    assert rows["traits.email", "identify"][2] == "Contact · Email"
    assert rows["traits.company.id", "identify"][2].startswith("Nowhere. It says which company")
    assert "Without a company’s id: Contact · company_size" in rows["traits.company.size", "identify"][2]
    assert rows["traits.created_at", "group"][1:3] == ["2020-01-01", "Customer · created_at Timestamp"]


@SQLITE
def test_the_table_is_searched_and_filtered(app, place):
    """By a part of a path, by type of call, and by what has a rule."""
    client = signed_in(app)
    assert set(shown(soup(client.get(place + "?q=Job title")))) == {
        ("traits.job_title", "identify"),
        ("properties.job_title", "track"),
    }
    assert len(shown(soup(client.get(place + "?call=group")))) == 2
    assert "Nothing matches" in soup(client.get(place + "?ruled=1")).text
    send(client, place, call="identify", path="traits.company", to="ignore")
    ruled = shown(soup(client.get(place + "?ruled=1")))
    assert list(ruled) == [("traits.company", "identify")]
    inside = shown(soup(client.get(place)))["traits.company.size", "identify"]
    assert (inside[2][-7:], inside[3]) == ("Nowhere", "By the rule about traits.company")
    part = client.get(place + "?call=track&q=&source_id=x", headers={"HX-Request": "true"})
    assert part.headers["HX-Push-Url"] == place + "?call=track"
    assert list(shown(soup(part))) == [("properties.job_title", "track")]
    assert not soup(part).select("html")


def test_a_trait_is_sent_elsewhere_after_its_preview(app, engine, settings, place):
    """Preview, save, the pending notice, the rebuild; each page says what is so."""
    client = signed_in(app)
    asked = f"{place}/rule?call=identify&path=traits.job_title"
    page = soup(client.get(asked))
    assert "before anything is saved" in text(page, "#preview")
    assert "track · properties.job_title (1 call)" in text(page, "#choice")
    page = soup(client.get(asked + "&to=contact.title&also=track|properties.job_title"))
    assert "all 3 events" in text(page, "#counted-from")
    assert text(page, "#changed").startswith("2 events would be read otherwise, and 2 people and 0 companies")
    fields = {each["name"]: each["value"] for each in page.select("#preview input[name]")}
    answer = client.post(f"{place}/rules", data=fields)
    assert answer.location == place
    page = soup(client.get(place))
    assert "once the source is rebuilt" in text(page, ".toast__text")
    rows = shown(page)
    assert (
        rows["traits.job_title", "identify"][2]
        == "Contact · job_title String After the rebuild: Contact · Title"
    )
    assert rows["traits.job_title", "identify"][3].startswith("Rule by administrator@example.com")
    assert "Weak" in rows["properties.job_title", "track"][2]
    source_id = key(app, place.split("/")[2])
    assert customs(engine, source_id)[0] == {"job_title": "CTO <b>"}
    post(client, place, f"/sources/{place.split('/')[2]}/syncs", kind="rebuild")
    with engine.connect() as connection:
        sync_id = connection.execute(select(syncs.Sync.id)).scalar_one()
    syncs.run(engine, sync_id, settings=settings)
    assert customs(engine, source_id)[0] == {}
    page = soup(client.get(place))
    assert not page.select("#mapping-pending")
    assert shown(page)["traits.job_title", "identify"][2] == "Contact · Title"


def test_a_choice_that_cannot_be_says_why_and_saves_nothing(app, place):
    """Bad input is answered in words: on the page, in the part, and when it is posted all the same."""
    client = signed_in(app)
    asked = f"{place}/rule?call=identify&path=traits.job_title&to=contact.custom&key=Email"
    answer = client.get(asked)
    assert answer.status_code == 422
    assert "standard attribute" in text(soup(answer), "#preview .notice")
    assert client.get(asked, headers={"HX-Request": "true"}).status_code == 200
    bad = {"call": "identify", "path": "traits.job_title", "to": "contact.custom", "key": "Email"}
    send(client, place, **bad)
    page = soup(client.get(place))
    assert "standard attribute" in text(page, ".toast__text")
    assert not page.select("#mapping-pending")
    for path in ("traits.nothing", "traits.job_title\0", "x" * 5000, ""):
        assert client.get(f"{place}/rule", query_string={"call": "identify", "path": path}).status_code == 404


@SQLITE
def test_a_key_may_be_typed_in_any_spelling_and_a_rule_be_taken_back(app, place):
    """`Job Level` is job_level; the default is a choice like any other, and leaves nothing pending."""
    client = signed_in(app)
    trait = {"call": "identify", "path": "traits.job_title"}
    send(client, place, **trait, to="contact.custom", key="Job Level")
    assert row(app, place.split("/")[2]).mapping["rules"][0]["to"] == "contact.custom.job_level"
    send(client, place, **trait, to="", key="")
    assert row(app, place.split("/")[2]).mapping is None
    assert not soup(client.get(place)).select("#mapping-pending")


def test_track_calls_are_chosen_by_name(app, engine, place):
    """Ticked or typed; without a name, or without a choice, the form comes back."""
    client = signed_in(app)
    page = soup(client.get(f"{place}/tracks"))
    assert "Signed Up (1 call)" in text(page, "#names")
    assert post(client, f"{place}/tracks", mode="some").status_code == 422
    assert post(client, f"{place}/tracks").status_code == 422
    post(client, f"{place}/tracks", mode="some", name="Signed Up", more="Invite Sent\r\n\r\n Invite Sent \n")
    assert row(app, place.split("/")[2]).mapping == {"tracks": ["Invite Sent", "Signed Up"]}
    assert "2 names are imported: Invite Sent, Signed Up" in text(soup(client.get(place)), "#tracks")
    page = soup(client.get(f"{place}/tracks"))
    assert [box["value"] for box in page.select("#names input[checked]")] == ["Signed Up"]
    assert page.select_one("#more").text.strip() == "Invite Sent"
    post(client, f"{place}/tracks", mode="none")
    assert "No track call is imported." in text(soup(client.get(place)), "#tracks")
    with engine.connect() as connection:
        lines = connection.execute(
            select(AuditLine.action).where(AuditLine.action == "source.tracks_limited")
        )
        assert len(lines.all()) == 2


def test_hiding_takes_a_column_off_and_needs_no_rebuild(app, engine, place):
    """The registry is the account's; the mapping page says what it says."""
    client = signed_in(app)
    fields = {"entity": "contact", "key": "job_title", "on": "1"}
    post(client, f"{place}/rule?call=identify&path=traits.job_title", f"{place}/hiding", **fields)
    page = soup(client.get(place))
    assert "Hidden" in shown(page)["traits.job_title", "identify"][2]
    assert not page.select("#mapping-pending")
    assert post(client, place, f"{place}/hiding", entity="contact", key="nothing", on="1").status_code == 404
    assert post(client, place, f"{place}/hiding", entity="x", key="y").status_code == 404


@SQLITE
def test_what_the_account_ignores_is_marked(app, engine, place):
    """An attribute that is ignored everywhere is not imported, whatever the mapping says."""
    with begin(engine) as connection:
        ignored = {"entity": "contact", "key": "job_title", "hidden": False, "ignored": True}
        connection.execute(insert(CustomAttribute), ignored)
    rows = shown(soup(signed_in(app).get(place)))
    assert "Ignored everywhere" in rows["traits.job_title", "identify"][2]


def test_viewers_see_the_page_and_change_nothing(app, place):
    """Values are people's data: for those who are signed in; the choices are for administrators."""
    client = app.test_client()
    assert client.get(place).status_code == 303
    sign_in(client, "viewer")
    page = soup(client.get(place))
    assert "CTO <b>" in shown(page)["traits.job_title", "identify"]
    assert not page.select("#mapping a.button--quiet")
    assert client.get(f"{place}/preview").status_code == 200
    for path in ("rule?call=identify&path=traits.job_title", "tracks"):
        assert client.get(f"{place}/{path}").status_code == 403
    for path in ("rules", "tracks", "hiding", "application"):
        assert post(client, place, f"{place}/{path}").status_code == 403


@SQLITE
def test_a_source_whose_old_events_were_dropped_can_still_follow_another_mapping(app, engine, place):
    """The page offers what is to be had; a rebuild is refused in words."""
    public_id = place.split("/")[2]
    change(engine, key(app, public_id), dropped_before=1)
    client = signed_in(app)
    trait = {"call": "identify", "path": "traits.job_title", "to": "contact.title"}
    send(client, place, **trait)
    assert "a rebuild is not to be had" in text(soup(client.get(place)), "#mapping-pending")
    post(client, place, f"/sources/{public_id}/syncs", kind="rebuild")
    assert "refused" in text(soup(client.get(place)), ".toast__text")
    post(client, place, f"{place}/application")
    assert not soup(client.get(place)).select("#mapping-pending")


@SQLITE
def test_events_that_were_read_before_counting_began_are_told_of(app, engine, settings, place):
    """How many calls is true, or the page says from where on it was counted."""
    client = signed_in(app)
    assert text(soup(client.get(place)), "#counted").startswith(
        "Counted in 1 identify, 1 track, 1 group calls, all"
    )
    with begin(engine) as connection:
        connection.execute(PathSighting.__table__.delete())
    assert "A rebuild counts them." in text(soup(client.get(place)), "#counted")
    fill(app, engine, settings, place.split("/")[2], [ADA | {"messageId": "m9"}])
    page = soup(client.get(place))
    assert "since this page counts; a rebuild counts the older ones too" in text(page, "#counted")
    assert shown(page)["traits.email", "identify"][0] == "1"


@SQLITE
def test_values_of_rare_paths_come_from_their_last_call(app, engine, settings, place):
    """The latest calls rarely tell everything; each path has an example all the same."""
    public_id = place.split("/")[2]
    many = [{"type": "group", "messageId": f"x{n}", "groupId": "g", "traits": {"n": n}} for n in range(250)]
    fill(app, engine, settings, public_id, many)
    rows = shown(soup(signed_in(app).get(place)))
    assert rows["traits.job_title", "identify"][1] == "CTO <b>"
    assert rows["traits.n", "group"][:2] == ["250", "249 · 248 · 247"]


@SQLITE
def test_the_table_for_segment_stands_where_people_look(app, engine, settings, place):
    """On the guide after saving and on the mapping page; it says what arrived, and can be copied whole."""
    client = signed_in(app)
    guide = soup(client.get(place.removesuffix("mapping") + "connect"))
    for page in (guide, soup(client.get(place))):
        steps = text(page, "#segment-side .steps")
        assert "refuses every identify call that has no traits.company.id" in steps
        assert "traits.first_name" in steps
        copied = page.select_one("[data-copy-text]")["data-copy-text"].split("\n")
        assert copied[2].split("\t")[1:4] == ["First Name", "traits.first_name", "traits.firstName"]
        assert len(copied) == 1 + len(segment_side.FIELDS) == 1 + len(page.select("#segment-side tbody tr"))
    bodies = (DATA / "segment-destination-bodies.ndjson").read_bytes().splitlines()
    fill(app, engine, settings, place.split("/")[2], bodies)
    rows = [
        [" ".join(cell.get_text(" ").split()) for cell in line.select("td, th")]
        for line in soup(client.get(place)).select("#segment-side tbody tr")
    ]
    arrived = {(cells[0], cells[1].split(" ")[0]): cells[-1] for cells in rows}
    assert arrived["Send Contact", "Email"] != "0 calls"
    assert arrived["Send Customer", "Group"] == "—"
