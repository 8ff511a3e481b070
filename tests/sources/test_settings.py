"""The settings of a source: name, policy, webhook URL, pause."""

import pytest
from sqlalchemy import insert, select

from tests.people import post, signed_in
from tests.sources.support import add_source, change, fill, key, row, shown_token, soup, text
from webapp.database import begin
from webapp.models import AuditLine, Rejection, WebhookUrl, now
from webapp.services import tokens

SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def acts(engine):
    """The codes of the audit log, oldest first, with who."""
    with engine.connect() as connection:
        wanted = select(AuditLine.action, AuditLine.user_id).order_by(AuditLine.id)
        return [(a, u is not None) for a, u in connection.execute(wanted) if a.startswith("source.")]


def url_of(engine, token):
    """The row of a URL."""
    with engine.connect() as connection:
        wanted = select(WebhookUrl.__table__).where(WebhookUrl.token_digest == tokens.digest(token))
        return connection.execute(wanted).one()


def test_renaming_keeps_the_rest(app, engine):
    """Another name, the same source; the log says who did it."""
    public_id, token = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}/settings"
    answer = post(client, path, name=" Website ", policy="user")
    assert answer.location == path
    page = soup(client.get(path))
    assert (text(page, "h1"), text(page, ".toast__text")) == ("Website", "Saved.")
    assert shown_token(page) == token
    assert acts(engine) == [("source.added", False), ("source.renamed", True)]


@SQLITE
def test_saving_without_a_change_says_so(app, engine):
    """Nothing is written and nothing logged."""
    public_id, _ = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}/settings"
    post(client, path, name="Production", policy="user")
    assert text(soup(client.get(path)), ".toast__text") == "Nothing was changed."
    assert acts(engine) == [("source.added", False)]


def test_a_name_can_change_its_capitals(app):
    """Its own name in another spelling is not taken."""
    public_id, _ = add_source(app)
    assert (
        post(signed_in(app), f"/sources/{public_id}/settings", name="PRODUCTION", policy="user").status_code
        == 303
    )
    assert row(app, public_id).name == "PRODUCTION"


def test_a_taken_name_is_refused_beside_the_field(app):
    """The page comes back with what was typed, and the source keeps its name."""
    add_source(app, "Website")
    public_id, _ = add_source(app)
    answer = post(signed_in(app), f"/sources/{public_id}/settings", name="website", policy="company")
    assert answer.status_code == 422
    assert (
        text(soup(answer), "#name-error") == "There is already a source named “website”. Choose another name."
    )
    kept = row(app, public_id)
    assert (kept.name, kept.policy) == ("Production", "user")


def test_another_policy_changes_nothing_yet_and_offers_the_re_sync(app, engine, settings):
    """The choice is saved, the tables stay, and the page says at once what a re-sync would change."""
    public_id, _ = add_source(app)
    fill(app, engine, settings, public_id)
    client = signed_in(app)
    answer = post(client, f"/sources/{public_id}/settings", name="Production", policy="company")
    assert answer.location == f"/sources/{public_id}/syncs/new"
    offer = soup(client.get(answer.location))
    assert text(offer, "[data-preview]") == "−1 individual customer, −1 contact, 1 person will wait"
    saved = row(app, public_id)
    assert (saved.policy, saved.applied_policy) == ("company", "user")
    later = soup(client.get(f"/sources/{public_id}/settings"))
    assert "still follow “The email or UserID is created”" in text(later, "#resync .notice")


def test_regenerating_at_once_ends_the_old_url(app, engine):
    """The page shows the new URL; the old one is kept as a digest only, and ended."""
    public_id, old = add_source(app)
    client, settings_page = signed_in(app), f"/sources/{public_id}/settings"
    answer = post(
        client, f"/sources/{public_id}/webhook-url/new", f"/sources/{public_id}/webhook-url", grace="0"
    )
    assert answer.status_code == 303
    page = soup(client.get(settings_page))
    new = shown_token(page)
    assert new != old
    assert "The old one stopped working." in text(page, ".toast__text")
    ended = url_of(engine, old)
    assert ended.token_sealed is None
    assert ended.replaced_at == ended.ends_at
    assert url_of(engine, new).ends_at is None
    assert acts(engine)[-1] == ("source.regenerated", True)


@pytest.mark.parametrize(("grace", "hours"), [("3600", 1), ("86400", 24)])
def test_an_old_url_lives_as_long_as_was_chosen(app, engine, grace, hours):
    """A grace period of an hour or a day; calls meanwhile are listed."""
    public_id, old = add_source(app)
    client = signed_in(app)
    post(client, f"/sources/{public_id}/webhook-url/new", f"/sources/{public_id}/webhook-url", grace=grace)
    kept = url_of(engine, old)
    assert kept.ends_at - kept.replaced_at == hours * 3600 * 1_000_000
    with begin(engine) as connection:
        late = WebhookUrl.__table__.update().where(WebhookUrl.id == kept.id)
        connection.execute(late.values(late_calls=7, last_late_call_at=now()))
    page = soup(client.get(f"/sources/{public_id}/settings"))
    assert text(page, "#webhook td[data-label='Calls since']") == "7"
    assert "Something still calls an old URL" in text(page, "#webhook .notice")
    assert old not in page.get_text() + str(page)


@SQLITE
def test_regenerating_at_once_also_ends_an_older_url_in_its_grace_period(app, engine):
    """A URL that has leaked can be shut now, although it was given an hour before; never is time added."""
    public_id, oldest = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}/webhook-url"
    post(client, path + "/new", path, grace="3600")
    post(client, path + "/new", path, grace="86400")
    kept = url_of(engine, oldest)
    assert kept.ends_at - kept.replaced_at == 3600 * 1_000_000
    post(client, path + "/new", path, grace="0")
    assert url_of(engine, oldest).ends_at <= now()


@SQLITE
def test_regenerating_asks_first_and_says_what_becomes_of_late_events(app):
    """The question has three answers, each with its consequence; none of another kind is taken."""
    public_id, token = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}/webhook-url"
    page = soup(client.get(path + "/new"))
    labels = [label.get_text() for label in page.select(".choice__label")]
    assert labels == ["At once", "In 1 hour", "In 24 hours"]
    assert "refused from this moment on" in page.select_one(".choice__hint").text
    answer = post(client, path + "/new", path, grace="7")
    assert answer.status_code == 422
    assert text(soup(answer), "#grace-url-error") == "Choose when the old one ends."
    assert shown_token(soup(client.get(f"/sources/{public_id}/settings"))) == token


@SQLITE
def test_a_url_under_another_key_is_not_shown_but_can_be_replaced(app, engine):
    """After the secret key was lost the page says so instead of failing."""
    public_id, token = add_source(app)
    with begin(engine) as connection:
        sealed = tokens.seal("a key of long ago", token)
        connection.execute(WebhookUrl.__table__.update().values(token_sealed=sealed))
    page = soup(signed_in(app).get(f"/sources/{public_id}/settings"))
    assert not page.select("#webhook-url")
    assert "sealed with another secret key" in text(page, "#webhook .notice")
    assert page.select("#webhook a[data-dialog=regenerate]")


@pytest.mark.parametrize("mode", ["keep", "refuse"])
def test_a_pause_ends_with_resume(app, engine, mode):
    """Both ways to pause, and back; each is logged."""
    public_id, _ = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}/settings"
    post(client, path, f"/sources/{public_id}/pause", mode=mode)
    assert row(app, public_id).pause == mode
    assert text(soup(client.get(path)), "#pause button") == "Resume"
    post(client, path, f"/sources/{public_id}/resumption")
    assert row(app, public_id).pause == ""
    assert [act for act, _ in acts(engine)][1:] == ["source.paused", "source.resumed"]


@SQLITE
def test_a_pause_of_no_kind_changes_nothing(app):
    """The person is told to choose."""
    public_id, _ = add_source(app)
    client, path = signed_in(app), f"/sources/{public_id}/settings"
    post(client, path, f"/sources/{public_id}/pause", mode="forever")
    assert row(app, public_id).pause == ""
    assert text(soup(client.get(path)), ".toast--error").startswith("Choose what happens")


@SQLITE
def test_calls_that_were_turned_away_are_counted_with_their_reasons(app, engine):
    """Whoever wonders where events are finds the answers that the webhook gave."""
    public_id, _ = add_source(app)
    source_id = key(app, public_id)
    change(engine, source_id, connection_tested_at=now())
    with begin(engine) as connection:
        values = {"source_id": source_id, "status": 400, "reason": "the body is not JSON"}
        connection.execute(insert(Rejection).values(count=3, last_at=now(), **values))
    page = soup(signed_in(app).get(f"/sources/{public_id}/settings"))
    assert "Connection tested just now" in text(page, "#calls .facts")
    assert text(page, "#calls tbody tr").startswith("400 the body is not JSON 3")


def test_a_viewer_reads_the_settings_and_never_the_url(app, engine):
    """No URL, no token, no form; and no address that changes anything takes a viewer's word."""
    public_id, token = add_source(app)
    client, path = signed_in(app, "viewer"), f"/sources/{public_id}"
    answer = client.get(path + "/settings")
    assert token not in answer.text
    page = soup(answer)
    assert not page.select("main form, #webhook, #delete, #pause, #resync")
    assert "The email or UserID is created" in text(page, "#general")
    token_of_form = {"X-CSRFToken": page.select_one("input[name=csrf_token]")["value"]}
    for act in ("/settings", "/webhook-url", "/pause", "/resumption", "/syncs", "/deletion"):
        assert client.post(path + act, headers=token_of_form).status_code == 403, act
    assert client.get(path + "/export.zip").status_code == 403
    assert acts(engine) == [("source.added", False)]


@SQLITE
def test_an_address_of_no_source_is_not_found(app):
    """Ids of sources have their prefix, and unknown ones lead nowhere."""
    public_id, _ = add_source(app)
    client = signed_in(app)
    for wrong in ("ds_", "ds_x", public_id.removeprefix("ds_"), public_id.upper()):
        assert client.get(f"/sources/{wrong}/settings").status_code == 404, wrong
