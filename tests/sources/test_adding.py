"""Add Source: the type, the form with its URL, and the guide that waits for the first event."""

import threading

import pytest

from tests.people import csrf_token, post, signed_in
from tests.projection.support import receive
from tests.sources.support import ADA, add_source, change, fill, key, row, shown_token, soup, text
from webapp.database import writing
from webapp.extensions import db
from webapp.models import Source, WebhookUrl, now
from webapp.services import sources, tokens

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
FORM = "/sources/new/segment"


def sealed_on(page):
    """What the form carries under seal."""
    return page.select_one("input[name=sealed]")["value"]


def save(client, **fields):
    """Open the form as a browser does and send it filled in."""
    page = soup(client.get(FORM))
    given = {
        "csrf_token": page.select_one("input[name=csrf_token]")["value"],
        "sealed": sealed_on(page),
        "policy": "user",
        "step": "save",
    }
    return client.post(FORM, data=given | fields)


@SQLITE
def test_without_sources_the_page_says_what_to_do(app):
    """An empty page is a beginning: it leads to Add Source and to the guide."""
    page = soup(signed_in(app).get("/sources"))
    assert text(page, ".empty__title") == "No sources yet"
    assert [link["href"] for link in page.select(".empty a")] == ["/sources/new", "/sources/new/guide"]
    viewer = soup(signed_in(app, "viewer").get("/sources"))
    assert not viewer.select(".empty a")


@SQLITE
@pytest.mark.parametrize("path", ["/sources/new", "/sources/new?from=segment"])
def test_segment_is_offered_under_account_data(app, path):
    """Both types of data have a tab; the one that Segment belongs to is selected."""
    page = soup(signed_in(app).get(path))
    assert [tab.get_text(strip=True) for tab in page.select(".tabs a")] == [
        "Billing system",
        "Account / Contact / Enrichment data",
    ]
    assert text(page, ".tabs a[aria-current]") == "Account / Contact / Enrichment data"
    assert page.select_one("a.card--link")["href"] == FORM


@SQLITE
def test_the_billing_tab_offers_the_ways_in(app):
    """What a billing system knows comes over the API too; each way is a card that leads on."""
    page = soup(signed_in(app).get("/sources/new?type=billing"))
    assert "/sources/new/billing" in [card["href"] for card in page.select("a.card--link")]


@SQLITE
def test_the_form_explains_both_choices(app):
    """The choice is made once and matters, so each says what it does, with an example."""
    page = soup(signed_in(app).get(FORM))
    assert text(page, "legend") == "Create a company in Tributary when"
    first, second = (choice.get_text(" ", strip=True) for choice in page.select(".choice"))
    assert first == (
        "The email or UserID is created A user created in Segment who is not attached to a company is "
        "imported and becomes a customer. For example, an email newsletter subscriber."
    )
    assert second.startswith("A user is added to a company When a user is attached to a company in Segment,")
    assert second.endswith("Individual users are not imported until they are attached to a company.")


def test_saving_makes_the_source_with_the_url_that_was_shown(app):
    """What was copied from the form is what works afterwards, and it leads on to the steps in Segment."""
    client = signed_in(app)
    page = soup(client.get(FORM))
    answer = post(client, FORM, name="  Website ", policy="company", sealed=sealed_on(page), step="save")
    assert answer.status_code == 303
    after = soup(client.get(answer.location))
    assert shown_token(after) == shown_token(page)
    assert "Website is saved" in text(after, ".page-head__sub")
    with app.app_context():
        made = db.session.query(Source).one()
        assert (made.name, made.policy, made.applied_policy) == ("Website", "company", "company")
        url = db.session.query(WebhookUrl).filter_by(kind="url").one()
        assert url.token_digest == tokens.digest(shown_token(page))
        assert shown_token(page).encode() not in url.token_sealed


@SQLITE
def test_nothing_is_stored_before_the_form_is_saved(app):
    """Looking at the form, or leaving it, makes no source."""
    client = signed_in(app)
    client.get(FORM)
    with app.app_context():
        assert db.session.query(Source).count() == 0
        assert db.session.query(WebhookUrl).count() == 0


@SQLITE
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("", "Give this source a name."),
        ("   ", "Give this source a name."),
        ("x" * 256, "A name has at most 255 characters; this one has 256."),
        ("a\0b", "This name has characters that cannot be shown. Type it again."),
        ("Production", "There is already a source named “Production”. Choose another name."),
        (" pRODUCTION ", "There is already a source named “pRODUCTION”. Choose another name."),
        ("Ｐroduction", "There is already a source named “Ｐroduction”. Choose another name."),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_beside_the_field(app, name, error):
    """The error stands at the name, and what was typed and the URL are kept."""
    add_source(app)
    client = signed_in(app)
    page = soup(client.get(FORM))
    answer = post(client, FORM, name=name, policy="company", sealed=sealed_on(page), step="save")
    assert answer.status_code == 422
    shown = soup(answer)
    assert text(shown, "#name-error") == error
    assert shown.select_one("#name")["aria-describedby"].split() == ["name-error"]
    assert shown.select_one("input[value=company]").has_attr("checked")
    assert shown_token(shown) == shown_token(page)


@SQLITE
def test_a_policy_that_is_none_is_refused(app):
    """A forged form makes no source that follows no rule."""
    answer = save(signed_in(app), name="Website", policy="everything")
    assert answer.status_code == 422
    assert text(soup(answer), "#policy-error") == "Choose one of the two."


def test_of_two_who_take_a_name_at_once_one_is_told(app):
    """Uniqueness is the database's word, so a race ends like any other taken name."""
    outcomes = []

    def try_it():
        with app.app_context(), writing():
            settings = app.extensions["settings"]
            try:
                sources.add(db.session(), settings, "Website", "user", tokens.make_token())
                outcomes.append("made")
            except sources.Refused as refused:
                outcomes.append(refused.field)

    threads = [threading.Thread(target=try_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made", "name", "name", "name"]


@SQLITE
def test_a_form_sent_twice_makes_one_source(app):
    """The second sending is told that its URL is in use and gets another."""
    client = signed_in(app)
    page = soup(client.get(FORM))
    fields = {"policy": "user", "sealed": sealed_on(page), "step": "save"}
    assert post(client, FORM, name="One", **fields).status_code == 303
    again = post(client, FORM, name="Two", **fields)
    assert again.status_code == 422
    assert "belongs to a source already" in soup(again).select_one("[role=alert]").text
    assert shown_token(soup(again)) != shown_token(page)


@SQLITE
def test_regenerate_asks_first_and_keeps_what_was_typed(app):
    """Without a script the form comes back with the question, and then with another URL."""
    client = signed_in(app)
    page = soup(client.get(FORM))
    token = csrf_token(client, FORM)
    fields = {"csrf_token": token, "name": "Website", "policy": "company", "sealed": sealed_on(page)}
    asked = soup(client.post(FORM, data=fields | {"step": "ask"}))
    assert "will never work" in text(asked, "form .notice")
    assert shown_token(asked) == shown_token(page)
    made = soup(client.post(FORM, data=fields | {"step": "regenerate"}))
    assert shown_token(made) != shown_token(page)
    assert made.select_one("#name")["value"] == "Website"
    assert made.select_one("input[value=company]").has_attr("checked")
    assert not made.select("form .notice")


@SQLITE
def test_enter_in_the_name_saves(app):
    """The first button of a form is the one that Enter presses; here it must not be Regenerate."""
    page = soup(signed_in(app).get(FORM))
    assert page.select("form#new-source button[type=submit]")[0]["value"] == "save"


@SQLITE
def test_a_seal_that_is_broken_makes_a_new_url(app):
    """Nobody chooses a token: a forged one is replaced, and nothing is saved with it."""
    answer = save(signed_in(app), name="Website", sealed="forged")
    assert answer.status_code == 200
    assert len(shown_token(soup(answer))) == 43
    with app.app_context():
        assert db.session.query(Source).count() == 0


def test_the_guide_turns_as_things_arrive(app, engine, settings):
    """Waiting, connection tested, first event, what became of it; then it asks no more."""
    client = signed_in(app)
    public_id, _ = add_source(app)
    path = f"/sources/{public_id}/arrival"
    waiting = soup(client.get(path))
    assert text(waiting, ".badge") == "Waiting for the first event"
    assert waiting.select_one("#arrival")["hx-trigger"].startswith("load delay:1s")

    change(engine, key(app, public_id), connection_tested_at=now())
    tested = soup(client.get(path))
    assert [badge.get_text() for badge in tested.select(".badge")] == [
        "Connection tested",
        "Waiting for the first event",
    ]

    receive(engine, key(app, public_id), [ADA])
    assert "is being read" in text(soup(client.get(path)), "#arrival")

    fill(app, engine, settings, public_id, [])
    done = soup(client.get(path))
    assert text(done, "[data-outcome]") == "Imported contact ada@example.com as a customer of their own."
    assert not done.select_one("#arrival").has_attr("hx-trigger")
    assert f"/sources/{public_id}/customers" in [link["href"] for link in done.select("a.button")]


@SQLITE
def test_the_guide_without_a_source_shows_no_url(app):
    """It can be read by a viewer, and before there is a source."""
    page = soup(signed_in(app, "viewer").get("/sources/new/guide"))
    assert "Enable Destination" in page.text
    assert "Webhooks" in page.text
    assert not page.select("#webhook-url")


@SQLITE
def test_a_viewer_adds_nothing(app):
    """Only administrators reach the form or its answer."""
    client = signed_in(app, "viewer")
    public_id, _ = add_source(app)
    assert client.get("/sources/new").status_code == 403
    assert client.get(FORM).status_code == 403
    assert client.get(f"/sources/{public_id}/connect").status_code == 403
    assert row(app, public_id).name == "Production"
